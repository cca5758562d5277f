"""How things are called: short ids of long keys, and the jobs that make them."""

SHORT = 16
_EXPORT = "export:"
TRIAL = "+trial"
"""What the name of a trial ends with: no deployment can be called so."""


def short(key: str) -> str:
    """The first 64 bits of a key, in hex: what users see of datasets, classifiers, runs and models."""
    return key[:SHORT]


def document_job(collection: str, document: str) -> str:
    return f"document.{collection}.{short(document)}"


def dataset_job(dataset: str) -> str:
    return f"dataset.{dataset}"


def preview_job(preview: str) -> str:
    return f"preview.{preview}"


def classifier_job(classifier: str) -> str:
    return f"classifier.{classifier}"


def run_job(run: str) -> str:
    return f"run.{run}"


def export_job(export: str) -> str:
    return f"export.{export}"


def deployment_job(name: str, sequence: int) -> str:
    return f"deployment.{name}.{sequence}"


def tuning_job(deployment: str, number: int) -> str:
    return f"tuning.{deployment}.{number}"


def trial_name(deployment: str) -> str:
    """The name under which a tuning has a setting of a deployment served, for nobody but itself."""
    return deployment + TRIAL


def settings_job(collection: str) -> str:
    return f"settings.{collection}"


def forget_job(document: str, sequence: int) -> str:
    return f"forget.{short(document)}.{sequence}"


def adapter_name(adapter_digest: str) -> str:
    """An adapter's name in an engine. It is its content's, so that no request meets another adapter, nor a prefix cache
    another filled, under a name it knew."""
    return f"lectern-{short(adapter_digest)}"


def export_name(export: str) -> str:
    """An export's name in its engine; `export` is its key."""
    return f"{_EXPORT}{short(export)}"


def is_export_name(served_model: str | None) -> bool:
    """Whether what an engine serves under a name is an export, which carries its own prompt template."""
    return served_model is not None and served_model.startswith(_EXPORT)
