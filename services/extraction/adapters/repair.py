"""A damaged file, rewritten from what is left of it."""

from pathlib import Path

from services.extraction.stages.salvage import salvage

REPAIRED = "repaired.pdf"


def repaired(source: Path, scratch: Path) -> Path | None:
    """A copy in `scratch` that a parser may open, or None where nothing can be rescued."""
    target = scratch / REPAIRED
    if target.exists():
        return target
    rescued = salvage(source.read_bytes())
    if rescued is None:
        return None
    target.with_suffix(".new").write_bytes(rescued)
    return target.with_suffix(".new").replace(target)
