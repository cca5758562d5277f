"""The garbage classifier: trained, calibrated, written down, read back and asked."""

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.cleaning.adapters.classifier_files import Version, load_version
from services.cleaning.classify import train_to
from services.cleaning.stages.calibration import Calibration, brier, expected_calibration_error
from services.cleaning.stages.features import MOST_CHARACTERS, SIZE, bag, weighted
from services.cleaning.stages.fitting import calibrated
from services.cleaning.stages.held_out import Labelled, Parted
from shared.contracts.review import ClassifierParameters, ClassifierResult
from shared.contracts.work import Rejected
from shared.errors import Unsupported

SENTENCES = ["The gauge is read at noon.", "Ice struck the pier in winter.", "The warden wrote the level down.", "It holds."]


def labelled(count: int, seed: int = 1) -> tuple[Labelled, ...]:
    lot = random.Random(seed)
    made = []
    for number in range(count):
        garbage = lot.random() < 0.4
        noise = "".join(lot.choice("~^|=_0123456789#") + lot.choice(" xq") for _ in range(30))
        text = noise if garbage else f"{' '.join(lot.sample(SENTENCES, 3))} {number}"
        made.append(Labelled(text, "symbol-noise" if lot.random() < 0.2 else "", garbage))
    return tuple(made)


def trained(out: Path, parameters: ClassifierParameters | None = None, count: int = 90) -> ClassifierResult | Rejected:
    found = Parted(labelled(count), labelled(60, seed=2), 0)
    return train_to(out, found, None, (0, 0), parameters or ClassifierParameters(), lambda: out)


def opened(out: Path) -> Version:
    return load_version("v" * 16, True, lambda name: out / name, out)


def asked(version: Version, texts: tuple[Labelled, ...]) -> list[float]:
    return list(version.probabilities([one.text for one in texts], [one.rule for one in texts]))


@given(st.text(max_size=300), st.text(max_size=12))
@settings(deadline=None)
def test_any_text_has_features_within_bounds_and_each_part_has_length_one(text: str, rule: str) -> None:
    one = bag(text, rule)
    assert (np.diff(one.places) > 0).all() and one.places.max() < SIZE and one.places.min() >= 0
    squares = (weighted(one, np.ones(SIZE, dtype=np.float32)) ** 2).sum()
    assert squares == pytest.approx(round(float(squares)), abs=1e-3) and 1 <= round(float(squares)) <= 3


def test_a_text_without_end_costs_no_more_than_its_beginning() -> None:
    assert len(bag("word " * 1_000_000, "").places) == len(bag(("word " * 1_000_000)[:MOST_CHARACTERS], "").places)


def test_it_learns_and_says_the_same_when_read_back(tmp_path: Path) -> None:
    result = trained(tmp_path)
    assert isinstance(result, ClassifierResult)
    assert result.after.f1 > 0.95 > result.rules.f1 and result.takes_over and result.ece < 0.15
    assert sorted(path.name for path in tmp_path.iterdir()) == ["classifier.json", "classifier.safetensors"]
    texts = labelled(40, seed=3)
    said = asked(opened(tmp_path), texts)
    assert all((probability > 0.5) == one.garbage for probability, one in zip(said, texts, strict=True))
    again = tmp_path / "again"
    again.mkdir()
    assert trained(again) == result
    assert asked(opened(again), texts) == pytest.approx(said, abs=1e-6)


def test_isotonic_calibration_is_kept_too(tmp_path: Path) -> None:
    result = trained(tmp_path, ClassifierParameters(calibration="isotonic"))
    assert isinstance(result, ClassifierResult)
    said = asked(opened(tmp_path), labelled(40, seed=3))
    assert 0 <= min(said) < 0.2 and 0.8 < max(said) <= 1


def test_too_few_labels_are_refused_as_data(tmp_path: Path) -> None:
    refused = trained(tmp_path, count=8)
    assert isinstance(refused, Rejected) and refused.reason == "too-few-labels"


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    trained(tmp_path)
    save_file({"idf": np.ones(3, np.float32), "coefficients": np.ones(3, np.float32)}, tmp_path / "classifier.safetensors")
    with pytest.raises(Unsupported, match="train the classifier again"):
        opened(tmp_path)


def test_platts_curve_rises_and_well_parted_labels_do_not_make_it_a_step() -> None:
    scores = np.concatenate([np.full(20, -2.0), np.full(20, 2.0)])
    curve = calibrated("sigmoid", scores, scores > 0)
    assert curve(np.array([2.0]))[0] == pytest.approx(21 / 22, abs=0.01)
    assert 0.3 < curve(np.array([0.0]))[0] < 0.7
    backwards = calibrated("sigmoid", scores, scores < 0)
    assert len(set(backwards(scores))) == 1


def test_calibration_is_measured_by_the_textbook() -> None:
    truth, one = np.array([True, False, True, True]), np.ones(4)
    assert brier(np.array([1.0, 0.0, 1.0, 0.0]), truth, one) == 0.25
    assert expected_calibration_error(np.full(4, 0.75), truth, one) == pytest.approx(0)
    assert expected_calibration_error(np.full(4, 0.25), truth, one) == pytest.approx(0.5)
    assert Calibration(scores=(0.0, 1.0), probabilities=(0.2, 0.6))(np.array([-3.0, 0.5, 3.0])) == pytest.approx(
        [0.2, 0.4, 0.6]
    )
