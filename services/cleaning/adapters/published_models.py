"""Any tagger that a collection can name, or that lies in a directory: encoders, which need torch, too."""

from collections.abc import Callable
from pathlib import Path

from services.cleaning.adapters.line_models import BUNDLED, RULES, bundled_model, chain_model
from services.cleaning.stages.tagging import LineModel
from shared.taggers import fetch_tagger

WEIGHTS, ENCODER_CONFIGURATION = "model.safetensors", "config.json"


def line_model(name: str, fetch: Callable[[str], Path], scratch: Path) -> LineModel | None:
    """The model of that name, None for the rules. Raises NotFound where no such tagger is published."""
    return bundled_model(name) if name in (RULES, BUNDLED) else model_in(fetch_tagger(name, fetch, scratch))


def named_or_in(tagger: str) -> LineModel | None:
    """The model of a directory that `lectern cleaner train` made, or one that comes with Lectern."""
    return model_in(Path(tagger)) if Path(tagger).is_dir() else bundled_model(tagger)


def model_in(directory: Path) -> LineModel:
    """The tagger that `lectern cleaner train` made in a directory. Raises InvalidInput where there is none."""
    if (directory / ENCODER_CONFIGURATION).is_file():
        from services.cleaning.adapters.encoder_tagger import EncoderTagger  # noqa: PLC0415 - torch, where it is wanted

        return EncoderTagger(directory)
    return chain_model(directory / WEIGHTS)
