"""The figures of continual tuning, on a matrix that can be reckoned by hand."""

from pathlib import Path

import pytest

from benchmarks.continual_tuning.report import ended, forgotten, joined, learnt, matrices, picture, table

MATRIX = [
    [4.0, 4.0, 4.0],  # the base
    [2.0, 3.5, 3.8],
    [2.4, 2.2, 3.6],
    [2.6, 2.5, 2.0],
]
TOLD = {
    "collections": ["one", "two", "three"],
    "runs": [{"arm": "naive", "seed": 0, "matrix": MATRIX}, {"arm": "naive", "seed": 1, "matrix": MATRIX}],
}


def test_what_is_forgotten_is_the_rise_since_the_best_after_it_was_learnt() -> None:
    assert forgotten(MATRIX) == pytest.approx(((2.6 - 2.0) + (2.5 - 2.2)) / 2)
    assert learnt(MATRIX) == pytest.approx((2.2 + 2.0) / 2)
    assert ended(MATRIX) == pytest.approx((2.6 + 2.5 + 2.0) / 3)


def test_what_goes_on_falling_is_forgotten_negatively() -> None:
    assert forgotten([[4.0, 4.0], [2.0, 3.0], [1.5, 2.0]]) == pytest.approx(-0.5)


def test_files_with_other_lambdas_are_told_apart() -> None:
    def told(strength: float) -> dict[str, object]:
        runs = [{"arm": "ewc", "seed": 0, "matrix": MATRIX}]
        return {"collections": TOLD["collections"], "runs": runs, "recipes": {"ewc": {"ewc": strength}}}

    assert [one["arm"] for one in joined([told(1.0), told(100.0), told(0.0)])["runs"]] == ["ewc, λ = 1", "ewc, λ = 100", "ewc"]


def test_the_tables_and_the_picture_tell_of_every_arm(tmp_path: Path) -> None:
    assert "| naive | 2 | 0.4500 ± 0.0000 | 2.1000 ± 0.0000 | 2.3667 ± 0.0000 |" in table(TOLD)
    assert "| after two | 2.4000 | 2.2000 | 3.6000 |" in matrices(TOLD)
    picture(TOLD, tmp_path / "arms.svg")
    assert "naive" in (tmp_path / "arms.svg").read_text()
