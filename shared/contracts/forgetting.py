"""What is written down when a document is forgotten: the wish, the receipt, and nothing of the document's text."""

from typing import Literal

from pydantic import Field

from shared.contracts.base import Contract


class Forgetting(Contract):
    """A wish about a document's tombstone; the latest of the series `forgotten/<document>/` counts."""

    document: str
    kind: Literal["forget", "lift"]
    why: str = Field("", max_length=500, description="As the admin put it; kept in the receipt.")
    by: str = Field("", description="Id of the API key that asked.")
    at: str


class DatasetTrace(Contract):
    """A dataset that held examples of the document, by how many lines of its files speak of it."""

    dataset: str
    name: str
    train: int = 0
    heldout: int = 0
    inputs: bool = Field(True, description="False: the examples came in by replay from another dataset.")


class PreferenceTrace(Contract):
    """A preference set with pairs that may hold text of the document, by what they say they show."""

    set: str
    name: str
    train: int = 0
    heldout: int = 0
    redacted: bool = Field(False, description="Its pairs were taken out of the set already; what was aligned with it had them.")


class RunTrace(Contract):
    """A run on such a dataset, or one that started from a model of such a run. `trained`: its training set held the
    document, or its parent's did; else only a held-out set did."""

    run: str
    name: str
    dataset: str
    trained: bool
    finished: bool
    parent: str | None = Field(None, description="The model that it started from, where that one saw the document.")


class ModelTrace(Contract):
    """A model of such a run. It was not retrained: it may know what the document said."""

    model: str
    run: str
    trained: bool


class ExportTrace(Contract):
    """An export of such a model: it knows what its model knows."""

    export: str
    model: str
    variant: str


class DeploymentTrace(Contract):
    """A deployment whose latest wish serves such a model."""

    deployment: str
    model: str
    state: Literal["running", "stopped"]


class Uses(Contract):
    """Everything that saw a document."""

    document: str
    collections: tuple[str, ...] = ()
    filenames: tuple[str, ...] = ()
    datasets: tuple[DatasetTrace, ...] = ()
    preferences: tuple[PreferenceTrace, ...] = ()
    untraced_preferences: tuple[str, ...] = Field(
        (), description="Preference sets with pairs that do not tell their documents: whether they hold its text is not known."
    )
    runs: tuple[RunTrace, ...] = ()
    models: tuple[ModelTrace, ...] = ()
    exports: tuple[ExportTrace, ...] = ()
    deployments: tuple[DeploymentTrace, ...] = ()
    classifiers: tuple[str, ...] = Field((), description="Garbage classifiers and line taggers that learned from its labels.")


class Receipt(Contract):
    """What forgetting a document found and removed: hashes, names and numbers. The latest of `receipts/<document>/` counts.

    It is written once before anything is removed, so that a forgetting that was cut short knows what there was, and
    once when a search of the store finds nothing more.
    """

    document: str
    forgetting: int = Field(description="Which wish of the series it carries out.")
    state: Literal["begun", "done"]
    uses: Uses
    removed: dict[str, int] = Field(default_factory=dict, description="Objects removed, by what they were.")
    redacted: dict[str, int] = Field(default_factory=dict, description="Lines taken out, by dataset or preference set.")
    why: str = ""
    by: str = ""
    asked_at: str
    at: str


class ForgottenView(Contract):
    """A tombstone: a document that may not come back until an admin lifts it, and the receipt of its removal."""

    document: str
    state: Literal["forgetting", "forgotten", "lifted"]
    job: str
    receipt: Receipt | None = None
    at: str
