"""Sideways text: words turned by a right angle, laid level so that they are read like any others, and boxes turned back."""

from collections import Counter
from collections.abc import Sequence

from services.extraction.stages.glyphs import RawPage, Rule, Word
from shared.contracts.documents import Block, Box, Line

Edges = tuple[float, float, float, float]


def level_parts(page: RawPage) -> list[tuple[int, RawPage]]:
    """A page's words by how they are turned, those of most text first, each as a level page of its own."""
    known: list[tuple[int, RawPage]] | None = page.memo.get("parts")
    if known is None:
        known = page.memo["parts"] = _parts(page)
    return known


def _parts(page: RawPage) -> list[tuple[int, RawPage]]:
    weights: Counter[int] = Counter()
    for word in page.words:
        weights[word.turn] += len(word.text)
    if not set(weights) - {0}:
        return [(0, page)]
    most = weights.most_common(1)[0][0]
    return [(turn, _levelled(page, turn, page.rules if turn == most else ())) for turn, _ in weights.most_common()]


def _levelled(page: RawPage, turn: int, rules: Sequence[Rule]) -> RawPage:
    sideways = turn in (90, 270)
    width, height = (page.height, page.width) if sideways else (page.width, page.height)
    words = tuple(_level_word(word, page, turn) for word in page.words if word.turn == turn)
    level = tuple(Rule(*_levelled_edges((r.left, r.top, r.right, r.bottom), page.width, page.height, turn)) for r in rules)
    curves = tuple(_levelled_edges(box, page.width, page.height, turn) for box in page.curves) if rules else ()
    return RawPage(page.number, width, height, words, level, curves)


def _level_word(word: Word, page: RawPage, turn: int) -> Word:
    if turn == 0:
        return word
    left, top, right, bottom = _levelled_edges((word.left, word.top, word.right, word.bottom), page.width, page.height, turn)
    baselines = {90: page.width - word.baseline, 180: page.height - word.baseline, 270: word.baseline}
    return word._replace(left=left, top=top, right=right, bottom=bottom, baseline=baselines[turn], turn=0)


def _levelled_edges(edges: Edges, width: float, height: float, turn: int) -> Edges:
    """A box on the page as seen → the same box when text that is turned clockwise by `turn` degrees stands level."""
    left, top, right, bottom = edges
    match turn:
        case 90:
            return top, width - right, bottom, width - left
        case 180:
            return width - right, height - bottom, width - left, height - top
        case 270:
            return height - bottom, left, height - top, right
        case _:
            return edges


def turned_back(block: Block, page: RawPage, turn: int) -> Block:
    """A block of a level page with its boxes where they are on the page as seen."""
    if turn == 0:
        return block
    lines = tuple(Line(text=line.text, box=_back(line.box, page, turn), font_size=line.font_size) for line in block.lines)
    return block.model_copy(update={"box": _back(block.box, page, turn) if block.box else None, "lines": lines})


def _back(box: Box, page: RawPage, turn: int) -> Box:
    sideways = turn in (90, 270)
    width, height = (page.height, page.width) if sideways else (page.width, page.height)
    left, top, right, bottom = _levelled_edges(box, width, height, (360 - turn) % 360)
    return round(left, 1), round(top, 1), round(right, 1), round(bottom, 1)
