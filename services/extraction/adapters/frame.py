"""From PDF space to the page as it is seen."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Frame:
    """A page's visible box in PDF space and how it is turned (clockwise degrees)."""

    left: float
    bottom: float
    right: float
    top: float
    rotation: int

    @property
    def size(self) -> tuple[float, float]:
        width, height = self.right - self.left, self.top - self.bottom
        return (height, width) if self.rotation in (90, 270) else (width, height)

    def point(self, x: float, y: float) -> tuple[float, float]:
        """PDF space (origin bottom left, unturned) → the page as it is seen, origin top left."""
        x, y = x - self.left, y - self.bottom
        width, height = self.right - self.left, self.top - self.bottom
        match self.rotation:
            case 90:
                return y, x
            case 180:
                return width - x, y
            case 270:
                return height - y, width - x
            case _:
                return x, height - y

    def box(self, left: float, bottom: float, right: float, top: float) -> tuple[float, float, float, float]:
        """A box in PDF space → left, top, right, bottom as seen."""
        x0, y0 = self.point(left, bottom)
        x1, y1 = self.point(right, top)
        return (x0 if x0 < x1 else x1, y0 if y0 < y1 else y1, x1 if x0 < x1 else x0, y1 if y0 < y1 else y0)
