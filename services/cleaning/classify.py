"""A version of the garbage classifier on disk from what people said, and the report of how it compares."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.cleaning.adapters.classifier_files import Scorer, Version, card_of, open_encoder, save_tfidf, write_card
from services.cleaning.stages.calibration import Calibration, Floats
from services.cleaning.stages.fitting import calibrated, fit
from services.cleaning.stages.held_out import Labelled, Parted, report
from shared.contracts.review import ClassifierParameters, ClassifierResult
from shared.contracts.work import Rejected
from shared.errors import Unsupported

CALIBRATION_SHARE = 5
"""One text in so many is kept from an encoder's tuning, to calibrate it by."""


def train_to(
    out: Path,
    found: Parted,
    before: Version | None,
    population: tuple[int, int],
    parameters: ClassifierParameters,
    encoder: Callable[[], Path],
) -> ClassifierResult | Rejected:
    """Writes `classifier.json` and the weights. `encoder` brings the directory of the encoder to tune."""
    garbage = sum(one.garbage for one in found.train)
    if min(garbage, len(found.train) - garbage) < parameters.min_each:
        return Rejected(
            reason="too-few-labels",
            detail=f"There are {garbage} texts labelled garbage and {len(found.train) - garbage} labelled good to learn from; "
            f"{parameters.min_each} of each are needed. Label more: `lectern review`.",
        )
    train = _tuned if parameters.kind == "encoder" else _fitted
    scorer, calibration = train(out, found.train, parameters, encoder)
    version = Version("", False, parameters.threshold, scorer, calibration)
    standing = (_asked(before, found.heldout), before.in_charge) if before is not None else None
    return report(found, _asked(version, found.heldout), standing, population, parameters)


def _asked(version: Version, texts: Sequence[Labelled]) -> Floats:
    return np.array(version.probabilities([one.text for one in texts], [one.rule for one in texts]), dtype=np.float64)


def _fitted(
    out: Path, train: Sequence[Labelled], parameters: ClassifierParameters, _: Callable[[], Path]
) -> tuple[Scorer, Calibration]:
    model, calibration = fit(*_columns(train), parameters)
    save_tfidf(model, calibration, parameters.threshold, out)
    return model, calibration


def _tuned(
    out: Path, train: Sequence[Labelled], parameters: ClassifierParameters, encoder: Callable[[], Path]
) -> tuple[Scorer, Calibration]:
    if parameters.encoder is None:
        raise Unsupported("Name the published encoder to tune in `encoder`.")
    model = open_encoder(encoder(), parameters.max_tokens)
    # Of each verdict in turn, so that both are in the part to calibrate by.
    ordered = sorted(train, key=lambda one: one.garbage)
    held = ordered[::CALIBRATION_SHARE]
    model.tune(*_columns([one for at, one in enumerate(ordered) if at % CALIBRATION_SHARE]), parameters)
    texts, rules, truth = _columns(held)
    calibration = calibrated(parameters.calibration, model.scores(texts, rules), truth)
    files = model.save(out)
    card = card_of("encoder", calibration, parameters.threshold)
    write_card(card.model_copy(update={"files": files, "max_tokens": parameters.max_tokens}), out)
    return model, calibration


def _columns(texts: Sequence[Labelled]) -> tuple[list[str], list[str], NDArray[np.bool_]]:
    return [one.text for one in texts], [one.rule for one in texts], np.array([one.garbage for one in texts], dtype=bool)
