"""A version of the garbage classifier on disk: `classifier.json`, and weights as safetensors. Loading runs no code."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from safetensors.numpy import load_file, save_file

from services.cleaning.stages.calibration import Calibration, Floats
from services.cleaning.stages.features import SIZE
from services.cleaning.stages.tfidf import Tfidf
from shared.contracts.base import Contract
from shared.errors import Unsupported

if TYPE_CHECKING:
    from services.cleaning.adapters.encoder import Encoder

CARD, WEIGHTS = "classifier.json", "classifier.safetensors"


class Card(Contract):
    """What a version is, beside its weights. `files` are an encoder's own."""

    kind: Literal["tfidf", "encoder"]
    threshold: float
    intercept: float = 0.0
    slope: float
    offset: float
    scores: tuple[float, ...] = ()
    probabilities: tuple[float, ...] = ()
    max_tokens: int = 0
    files: tuple[str, ...] = ()


class Scorer(Protocol):
    """Texts and the rules that set them aside → scores, the higher the likelier garbage."""

    def scores(self, texts: Sequence[str], rules: Sequence[str]) -> Floats: ...


@dataclass(frozen=True, slots=True)
class Version:
    """A trained version: the `Judge` that screening asks."""

    version: str
    in_charge: bool
    threshold: float
    scorer: Scorer
    calibration: Calibration

    def probabilities(self, texts: Sequence[str], rules: Sequence[str]) -> Sequence[float]:
        return [float(one) for one in self.calibration(self.scorer.scores(texts, rules))] if texts else []


def save_tfidf(model: Tfidf, calibration: Calibration, threshold: float, out: Path) -> None:
    save_file({"idf": model.idf, "coefficients": model.coefficients}, str(out / WEIGHTS))
    write_card(card_of("tfidf", calibration, threshold).model_copy(update={"intercept": model.intercept}), out)


def card_of(kind: Literal["tfidf", "encoder"], calibration: Calibration, threshold: float) -> Card:
    return Card(
        kind=kind, threshold=threshold, slope=calibration.slope, offset=calibration.offset,
        scores=calibration.scores, probabilities=calibration.probabilities,
    )  # fmt: skip


def write_card(card: Card, out: Path) -> None:
    (out / CARD).write_text(card.model_dump_json(), encoding="utf-8")


def load_version(version: str, in_charge: bool, fetch: Callable[[str], Path], scratch: Path) -> Version:
    """A version from its files, each fetched by its name. Raises Unsupported where they do not fit this code."""
    card = Card.model_validate_json(fetch(CARD).read_bytes())
    scorer = _encoder(card, fetch, scratch) if card.kind == "encoder" else _tfidf(card, fetch(WEIGHTS))
    calibration = Calibration(card.slope, card.offset, card.scores, card.probabilities)
    return Version(version, in_charge, card.threshold, scorer, calibration)


def _tfidf(card: Card, path: Path) -> Tfidf:
    weights = load_file(str(path))
    for name in ("idf", "coefficients"):
        if name not in weights or weights[name].shape != (SIZE,) or weights[name].dtype != np.float32:
            raise Unsupported(f"{path.name} does not hold {SIZE} weights `{name}`: train the classifier again.")
    return Tfidf(weights["idf"], weights["coefficients"], card.intercept)


def _encoder(card: Card, fetch: Callable[[str], Path], scratch: Path) -> Scorer:
    directory = scratch / "encoder"
    directory.mkdir(exist_ok=True)
    for name in card.files:
        (directory / Path(name).name).write_bytes(fetch(name).read_bytes())
    return open_encoder(directory, card.max_tokens)


def open_encoder(directory: Path, max_tokens: int) -> "Encoder":
    """Raises Unsupported where torch and transformers are not installed, or the directory holds no encoder."""
    try:
        from services.cleaning.adapters.encoder import Encoder  # noqa: PLC0415 - torch, which no other classifier needs
    except ImportError as error:
        raise Unsupported(
            "An encoder needs torch and transformers, which this worker does not have: install `lectern[encoder]`, "
            "or train the default classifier (`kind`: tfidf)."
        ) from error
    return Encoder.load(directory, max_tokens)
