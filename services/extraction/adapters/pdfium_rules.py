"""The straight lines drawn on a page: what rules a table. Pages of drawings are given up beyond a number of objects."""

import ctypes
from collections.abc import Iterator
from itertools import pairwise

import pypdfium2.raw as pdfium

from services.extraction.adapters.frame import Frame
from services.extraction.stages.words import Rule

MAX_OBJECTS = 20_000
MAX_SEGMENTS = 400
"""A path with more segments is a drawing."""

MOST_BENT = 24
"""A path with more curved segments is a drawing too: a rounded box has no more."""

BOX_SEGMENTS = 5
"""A filled path of so few is the ground behind something, and rules nothing."""

MAX_DEPTH = 3
THIN_POINTS = 3.0
SHORTEST_POINTS = 4.0
FAINTEST_ALPHA = 8

Matrix = tuple[float, float, float, float, float, float]
_UNIT: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


Box = tuple[float, float, float, float]


def page_drawings(page: object, frame: Frame) -> tuple[tuple[Rule, ...], tuple[Box, ...]]:
    """Lines and the edges of boxes, horizontal and vertical ones, as seen; and the boxes of curves and slanting lines."""
    reader = _RuleReader(frame)
    count = pdfium.FPDFPage_CountObjects(page)
    reader.read((pdfium.FPDFPage_GetObject(page, index) for index in range(count)), _UNIT, 0)
    return tuple(dict.fromkeys(reader.rules)), tuple(reader.curves)


class _RuleReader:
    def __init__(self, frame: Frame) -> None:
        self.rules: list[Rule] = []
        self.curves: list[Box] = []
        self._frame, self._left = frame, MAX_OBJECTS
        self._edges = tuple(ctypes.c_float() for _ in range(4))
        self._matrix, self._x, self._y = pdfium.FS_MATRIX(), ctypes.c_float(), ctypes.c_float()
        self._fill, self._stroke = ctypes.c_int(), ctypes.c_int()
        self._color = tuple(ctypes.c_uint() for _ in range(4))

    def read(self, objects: Iterator[object], outer: Matrix, depth: int) -> None:
        for one in objects:
            self._left -= 1
            if self._left < 0:
                return
            kind = pdfium.FPDFPageObj_GetType(one)
            if kind == pdfium.FPDF_PAGEOBJ_PATH:
                self._path(one, outer)
            elif kind == pdfium.FPDF_PAGEOBJ_FORM and depth < MAX_DEPTH:
                inner = (pdfium.FPDFFormObj_GetObject(one, index) for index in range(pdfium.FPDFFormObj_CountObjects(one)))
                self.read(inner, _times(self._matrix_of(one), outer), depth + 1)

    def _path(self, path: object, outer: Matrix) -> None:
        if not pdfium.FPDFPageObj_GetBounds(path, *self._edges) or not self._drawn(path):
            return
        left, bottom, right, top = (edge.value for edge in self._edges)
        if min(right - left, top - bottom) <= THIN_POINTS:
            self._add(*_box(outer, left, bottom, right, top))
            return
        segments = pdfium.FPDFPath_CountSegments(path)
        if not self._stroke.value and segments <= BOX_SEGMENTS:
            return
        if not 0 < segments <= MAX_SEGMENTS or not self._outlined(path, _times(self._matrix_of(path), outer)):
            self.curves.append(self._frame.box(*_box(outer, left, bottom, right, top)))

    def _drawn(self, path: object) -> bool:
        """Whether it is stroked or filled, and not in a colour that cannot be seen on white paper."""
        if not pdfium.FPDFPath_GetDrawMode(path, self._fill, self._stroke):
            return False
        if self._stroke.value:
            return not pdfium.FPDFPageObj_GetStrokeColor(path, *self._color) or self._visible()
        return bool(self._fill.value) and (not pdfium.FPDFPageObj_GetFillColor(path, *self._color) or self._visible())

    def _visible(self) -> bool:
        *colour, alpha = (part.value for part in self._color)
        return alpha > FAINTEST_ALPHA and min(colour) < 250

    def _outlined(self, path: object, matrix: Matrix) -> bool:
        """Takes each straight segment of a path along an axis. Whether that is most of the path."""
        points: list[tuple[float, float] | None] = []
        first: tuple[float, float] | None = None
        bent = 0
        for index in range(pdfium.FPDFPath_CountSegments(path)):
            if bent > MOST_BENT:
                return False
            segment = pdfium.FPDFPath_GetPathSegment(path, index)
            pdfium.FPDFPathSegment_GetPoint(segment, self._x, self._y)
            point = _at(matrix, self._x.value, self._y.value)
            kind = pdfium.FPDFPathSegment_GetType(segment)
            if kind == pdfium.FPDF_SEGMENT_MOVETO:
                points.append(None)
                first = point
            elif kind == pdfium.FPDF_SEGMENT_BEZIERTO:
                points.append(None)
                bent += 1
            points.append(point)
            if pdfium.FPDFPathSegment_GetClose(segment):
                points += [first, None]
        slanting = straight = 0
        for one, other in pairwise(points):
            if one is not None and other is not None:
                edges = (min(one[0], other[0]), min(one[1], other[1]), max(one[0], other[0]), max(one[1], other[1]))
                width, height = edges[2] - edges[0], edges[3] - edges[1]
                level = min(width, height) <= (1.0 if max(width, height) >= SHORTEST_POINTS else 0.05)
                straight += level
                slanting += not level
                if level:
                    self._add(*edges)
        return slanting <= straight

    def _add(self, left: float, bottom: float, right: float, top: float) -> None:
        left, top, right, bottom = self._frame.box(left, bottom, right, top)
        width, height = right - left, bottom - top
        if height <= THIN_POINTS and width >= SHORTEST_POINTS and width > 2 * height:
            middle = round((top + bottom) / 2, 2)
            self.rules.append(Rule(round(left, 2), middle, round(right, 2), middle))
        elif width <= THIN_POINTS and height >= SHORTEST_POINTS and height > 2 * width:
            middle = round((left + right) / 2, 2)
            self.rules.append(Rule(middle, round(top, 2), middle, round(bottom, 2)))

    def _matrix_of(self, one: object) -> Matrix:
        matrix = self._matrix
        if not pdfium.FPDFPageObj_GetMatrix(one, matrix):
            return _UNIT
        return (matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f)


def _at(matrix: Matrix, x: float, y: float) -> tuple[float, float]:
    a, b, c, d, e, f = matrix
    return a * x + c * y + e, b * x + d * y + f


def _times(inner: Matrix, outer: Matrix) -> Matrix:
    """The matrix that applies `inner`, then `outer`."""
    a, b, c, d, e, f = inner
    return (
        *(a * outer[0] + b * outer[2], a * outer[1] + b * outer[3]),
        *(c * outer[0] + d * outer[2], c * outer[1] + d * outer[3]),
        *_at(outer, e, f),
    )


def _box(matrix: Matrix, left: float, bottom: float, right: float, top: float) -> tuple[float, float, float, float]:
    x0, y0 = _at(matrix, left, bottom)
    x1, y1 = _at(matrix, right, top)
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)
