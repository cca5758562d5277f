"""A classifier's scores made probabilities that hold, and how well they do."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BINS = 10


@dataclass(frozen=True, slots=True)
class Calibration:
    """From score to probability: a straight line between the points `scores` and `probabilities`, or, where there are none,
    the logistic function of `slope * score + offset`."""

    slope: float = 1.0
    offset: float = 0.0
    scores: tuple[float, ...] = ()
    probabilities: tuple[float, ...] = ()

    def __call__(self, scores: Floats) -> Floats:
        if self.scores:
            return np.asarray(np.interp(scores, self.scores, self.probabilities))
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(self.slope * scores + self.offset, -30, 30))))


def brier(probabilities: Floats, truth: NDArray[np.bool_], weights: Floats) -> float:
    """Mean squared error of probabilities (Brier 1950)."""
    return float(np.average((probabilities - truth) ** 2, weights=weights)) if len(truth) else 0.0


def expected_calibration_error(probabilities: Floats, truth: NDArray[np.bool_], weights: Floats) -> float:
    """How far probabilities are from frequencies, over ten equal bins (Naeini et al. 2015)."""
    if not len(truth):
        return 0.0
    bins = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    total = weights.sum()
    return float(
        sum(
            weights[bins == one].sum()
            / total
            * abs(np.average(probabilities[bins == one] - truth[bins == one], weights=weights[bins == one]))
            for one in np.unique(bins)
        )
    )
