"""How a scan lies: turned by quarters, skewed by a few degrees; and the way from the straightened picture back to the page."""

from dataclasses import dataclass
from math import cos, radians, sin

from shared.contracts.documents import Block, Box, Page


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
