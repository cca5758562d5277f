"""How things are called: short ids of long keys, and the jobs that make them."""

SHORT = 16


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


def settings_job(collection: str) -> str:
    return f"settings.{collection}"


def forget_job(document: str, sequence: int) -> str:
    return f"forget.{short(document)}.{sequence}"
