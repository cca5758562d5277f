"""Base models that requests name: they have to be in the object store before anything can be wished of them."""

from shared.bases import read_base
from shared.errors import NotFound
from shared.objects import ObjectStore


def require_base(store: ObjectStore, name: str) -> None:
    """Raises NotFound, and InvalidInput where the text is no name."""
    if read_base(store, name) is None:
        raise NotFound(f"There is no base model {name!r} in the object store; publish it first.")
