"""By how much a scan is skewed, and whether its lines run up the page, found in the picture of its ink.

Skew is found by projection profiles (Postl 1986; Bloomberg, Kopec and Dasari 1995): summed along the lines of text, ink
gathers in sharp peaks, and the sum of squared differences of the profile is largest.
"""

import numpy as np
import numpy.typing as npt

MAX_SKEW, COARSE, FINE = 8.0, 0.5, 0.05
"""Degrees: the largest skew that is looked for, and the steps of the two searches."""

LEAST_SKEW = 0.1
"""Degrees: a smaller skew is left, since Tesseract follows sloping baselines itself."""

MAX_INK_PIXELS = 60_000
FEWEST_INK_PIXELS = 200

Ink = npt.NDArray[np.bool_]
"""[height, width]: where a small picture of the page is dark."""


def skew_of(ink: Ink) -> float:
    """Degrees by which lines of text fall to the right: turning the picture by as much anticlockwise makes them level."""
    ys, xs = _points(ink)
    if len(ys) < FEWEST_INK_PIXELS:
        return 0.0
    coarse = max(np.arange(-MAX_SKEW, MAX_SKEW + COARSE, COARSE), key=lambda angle: _sharpness(ys, xs, angle))
    near = np.arange(max(-MAX_SKEW, coarse - COARSE), min(MAX_SKEW, coarse + COARSE) + FINE / 2, FINE)
    found = float(max(near, key=lambda angle: _sharpness(ys, xs, angle)))
    return round(found, 2) if abs(found) >= LEAST_SKEW else 0.0


def runs_upward(ink: Ink) -> bool:
    """Whether lines of text run up or down the page rather than across it."""
    across, along = _best_sharpness(ink), _best_sharpness(ink.T)
    return along > 1.1 * across


def _best_sharpness(ink: Ink) -> float:
    ys, xs = _points(ink)
    if len(ys) < FEWEST_INK_PIXELS:
        return 0.0
    return max(_sharpness(ys, xs, angle) for angle in np.arange(-MAX_SKEW, MAX_SKEW + 1, 1.0)) / len(ys)


def _points(ink: Ink) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Dark pixels (every nth of many), as ys and xs."""
    ys, xs = np.nonzero(ink)
    step = max(1, len(ys) // MAX_INK_PIXELS)
    return ys[::step].astype(np.float64), xs[::step].astype(np.float64)


def _sharpness(ys: npt.NDArray[np.float64], xs: npt.NDArray[np.float64], angle: float) -> float:
    rows = ys - xs * np.tan(np.radians(angle))
    profile = np.bincount((rows - rows.min()).astype(np.int64))
    return float(np.sum(np.diff(profile.astype(np.float64)) ** 2))
