"""How a scan lies: turned by quarters, skewed by a few degrees; and the way from the straightened picture back to the page.

Skew is found by projection profiles (Postl 1986; Bloomberg, Kopec and Dasari 1995): summed along the lines of text, ink
gathers in sharp peaks, and the sum of squared differences of the profile is largest.
"""

from dataclasses import dataclass
from math import cos, radians, sin

import numpy as np
import numpy.typing as npt

from shared.contracts.documents import Block, Box, Page

MAX_SKEW, COARSE, FINE = 8.0, 0.5, 0.05
"""Degrees: the largest skew that is looked for, and the steps of the two searches."""

LEAST_SKEW = 0.1
"""Degrees: a smaller skew is left, since Tesseract follows sloping baselines itself."""

MAX_INK_PIXELS = 60_000
FEWEST_INK_PIXELS = 200

Ink = npt.NDArray[np.bool_]
"""[height, width]: where a small picture of the page is dark."""


@dataclass(frozen=True, slots=True)
class Posture:
    """What straightens a page of `width` x `height` points: `turn` quarter turns clockwise, then `skew` degrees
    anticlockwise about the middle, since its lines fall to the right by as much."""

    width: float
    height: float
    turn: int = 0
    skew: float = 0.0

    @property
    def upright_size(self) -> tuple[float, float]:
        return (self.height, self.width) if self.turn % 2 else (self.width, self.height)

    def on_page(self, box: Box) -> Box:
        """A box of the straightened picture, as the smallest upright box around it on the page."""
        if self.turn == 0 and self.skew == 0.0:
            return box
        left, top, right, bottom = box
        corners = [self._back(x, y) for x in (left, right) for y in (top, bottom)]
        xs, ys = [x for x, _ in corners], [y for _, y in corners]
        return (
            round(max(0.0, min(xs)), 1), round(max(0.0, min(ys)), 1),
            round(min(self.width, max(xs)), 1), round(min(self.height, max(ys)), 1),
        )  # fmt: skip

    def _back(self, x: float, y: float) -> tuple[float, float]:
        width, height = self.upright_size
        angle = radians(self.skew)
        dx, dy = x - width / 2, y - height / 2
        x, y = width / 2 + dx * cos(angle) - dy * sin(angle), height / 2 + dx * sin(angle) + dy * cos(angle)
        match self.turn:
            case 1:
                return y, width - x
            case 2:
                return width - x, height - y
            case 3:
                return height - y, x
            case _:
                return x, y


def placed_on_page(page: Page, posture: Posture) -> Page:
    """A page read straight, its boxes moved to where they stand on the page as it is seen."""

    def placed(block: Block) -> Block:
        lines = tuple(line.model_copy(update={"box": posture.on_page(line.box)}) for line in block.lines)
        return block.model_copy(update={"box": block.box and posture.on_page(block.box), "lines": lines})

    size = {"width": round(posture.width, 1), "height": round(posture.height, 1)}
    return page.model_copy(update={**size, "blocks": tuple(placed(block) for block in page.blocks)})


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
