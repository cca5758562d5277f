"""A shelf: what is kept of a collection beside its documents."""

from shared.contracts.documents import ProcessingParameters


class CollectionSettings(ProcessingParameters):
    """A collection's settings as they are kept: the latest of `collections/<name>/settings/` counts."""

    set_at: str
