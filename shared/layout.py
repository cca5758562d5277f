"""Where each thing lies in the object store: the one place where paths are made."""


def source(document: str) -> str:
    return f"documents/{document}/source.pdf"


def document(document: str) -> str:
    return f"documents/{document}/document.json"


def upload(token: str) -> str:
    return f"uploads/{token}"


def collection_settings(collection: str) -> str:
    return f"collections/{collection}/settings"


def memberships(collection: str) -> str:
    return f"collections/{collection}/documents"


def membership(collection: str, document: str) -> str:
    return f"collections/{collection}/documents/{document}.json"


def stage(name: str, key: str) -> str:
    return f"stages/{name}/{key}"


def manifest(name: str, key: str) -> str:
    return f"stages/{name}/{key}/manifest.json"


def attempt_file(name: str, key: str, attempt: str, file: str) -> str:
    return f"stages/{name}/{key}/{attempt}/{file}"


def kept(name: str, key: str) -> str:
    """Unfinished work of a stage, gone once its manifest stands."""
    return f"stages/{name}/{key}/kept"


def attempt(document: str | None, token: str) -> str:
    """The name of an attempt. It begins with the document where it works on one, so that even what a killed worker left
    can be told to be of that document."""
    return f"{document[:16]}-{token}" if document else token


def job_events(job: str) -> str:
    return f"jobs/{job}"


def dataset(dataset: str) -> str:
    return f"datasets/{dataset}.json"


def dataset_versions(name: str) -> str:
    """The series of the datasets of a name: its numbers are their versions."""
    return f"dataset-versions/{name}"


def labels(document: str) -> str:
    return f"labels/{document}"


def line_labels(document: str) -> str:
    return f"line-labels/{document}"


def feedback(feedback: str) -> str:
    """What one person said of one answer."""
    return f"feedback/{feedback}"


def preference_set(preferences: str) -> str:
    """A set of preferences as it stands."""
    return f"preferences/{preferences}"


def preference_file(preferences: str, attempt: str, file: str) -> str:
    return f"preference-pairs/{preferences}/{attempt}/{file}"


def preference_versions(name: str) -> str:
    """The series of the preference sets of a name: its numbers are their versions."""
    return f"preference-versions/{name}"


def entry(series: str, sequence: int) -> str:
    """An entry of a series."""
    return f"{series}/{sequence:08d}.json"


def classifier(classifier: str) -> str:
    return f"classifiers/{classifier}.json"


def run(run: str) -> str:
    return f"runs/{run}.json"


def checkpoints(run: str) -> str:
    return f"checkpoints/{run}"


def model(model: str) -> str:
    return f"models/{model}.json"


def export(export: str) -> str:
    return f"exports/{export}.json"


def promotions(name: str) -> str:
    """Which versions of a model's name were promoted: the latest counts."""
    return f"promotions/{name}"


def deployment(name: str) -> str:
    return f"deployments/{name}"


def tunings(deployment: str) -> str:
    """The tunings that were asked for of a deployment."""
    return f"tunings/{deployment}"


def tuning_report(deployment: str, number: int) -> str:
    """What a tuning found."""
    return entry(f"tuning-reports/{deployment}", number)


def tuning_prompts(job: str) -> str:
    """Prompts that came with a tuning, until it ends. What is left of one that was lost goes with other uploads."""
    return f"uploads/{job}.jsonl"


def base_manifest(name: str) -> str:
    return f"bases/{name}/manifest.json"


def base_file(name: str, file: str) -> str:
    return f"bases/{name}/{file}"


def deed(at: str, deed: str) -> str:
    """An entry of the audit log, under its day."""
    return f"audit/{at[:10]}/{deed}.json"


def tagger_manifest(name: str) -> str:
    return f"taggers/{name}/manifest.json"


def tagger_file(name: str, digest: str, file: str) -> str:
    return f"taggers/{name}/{digest}/{file}"


def api_key(key: str) -> str:
    return f"keys/{key}"


def person(person: str) -> str:
    """Who signs in at a provider: the digest of the issuer and their name there."""
    return f"people/{person}"


def forgotten(document: str) -> str:
    """The wishes to forget a document, and to lift that."""
    return f"forgotten/{document}"


def receipts(document: str) -> str:
    return f"receipts/{document}"
