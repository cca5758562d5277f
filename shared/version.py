"""Which Lectern this is."""

from importlib.metadata import PackageNotFoundError, version


def version_here() -> str:
    """The installed version; "0" in a source tree that is not installed."""
    try:
        return version("lectern")
    except PackageNotFoundError:
        return "0"
