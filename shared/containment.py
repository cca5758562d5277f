"""Whether a text stands in what was read off a page, given what cleaning may have taken out or mended in between.

Strict: letters and digits (after NFKC and case folding) have to follow each other in the page's text as they do in the
text. Nothing may be missing from the page, and nothing may have been skipped in it but whole citation markers. Where
personal data was masked, the placeholder stands for a short run of anything.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator

from shared.contracts.documents import Block, Box, Line, Page

_MARKER = re.compile(r"\[[^\[\]]{0,80}\d[^\[\]]{0,80}\]|\([^()]{0,200}(?:1[89]|20)\d\d[^()]{0,60}\)")
_PLACEHOLDER = re.compile(r"⟨[a-z-]{2,10}⟩")
_MOST_MASKED = 2_000
_LEEWAY = 0.51
"""Of a point: boxes are rounded to tenths."""


def stands_on(page: Page, box: Box | None, text: str) -> bool:
    """Whether the text stands on a page within a box, or anywhere in a block without one."""
    return any(contains(held, text) for held in texts_within(page, box))


def texts_within(page: Page, box: Box | None) -> Iterator[str]:
    """What was read within a box: the blocks that have it, and the lines that lie in it where a block was cut by lines."""
    yield from (block.text for block in page.blocks if block.box == box)
    if box is not None:
        lines = [line.text for line in _lines(page.blocks) if _within(line.box, box)]
        if lines:
            yield "\n".join(lines)


def contains(held: str, text: str) -> bool:
    """Whether `text` is `held`, or a part of it, less citation markers. All of it that is a letter or digit counts."""
    marks, ends = _folded(held)
    wanted = _wanted(text)
    states = set(range(len(marks) + 1))
    for one in wanted:
        states = _closed(states, ends)
        if one is None:
            states = {after for at in states for after in range(at, min(len(marks), at + _MOST_MASKED) + 1)}
        else:
            states = {at + 1 for at in states if at < len(marks) and marks[at] == one}
        if not states:
            return False
    return True


def _closed(states: set[int], ends: dict[int, int]) -> set[int]:
    """The same, and where one gets by leaving markers out."""
    found, waiting = set(states), [at for at in states if at in ends]
    while waiting:
        after = ends[waiting.pop()]
        if after not in found:
            found.add(after)
            if after in ends:
                waiting.append(after)
    return found


def _folded(text: str) -> tuple[str, dict[int, int]]:
    """Letters and digits alone, and where among them each citation marker begins and ends."""
    kept: list[str] = []
    ends: dict[int, int] = {}
    at = 0
    for marker in _MARKER.finditer(text):
        kept.extend(_letters(text[at : marker.start()]))
        begin = len(kept)
        kept.extend(_letters(marker[0]))
        ends[begin] = len(kept)
        at = marker.end()
    kept.extend(_letters(text[at:]))
    return "".join(kept), ends


def _wanted(text: str) -> Iterator[str | None]:
    at = 0
    for placeholder in _PLACEHOLDER.finditer(text):
        yield from _letters(text[at : placeholder.start()])
        yield None
        at = placeholder.end()
    yield from _letters(text[at:])


def _letters(text: str) -> Iterator[str]:
    return (char for char in unicodedata.normalize("NFKC", text).casefold() if char.isalnum())


def _lines(blocks: Iterable[Block]) -> Iterator[Block | Line]:
    for block in blocks:
        yield from block.lines or (block,)


def _within(inner: Box | None, outer: Box) -> bool:
    if inner is None:
        return False
    left, top, right, bottom = inner
    return (
        left >= outer[0] - _LEEWAY
        and top >= outer[1] - _LEEWAY
        and right <= outer[2] + _LEEWAY
        and bottom <= outer[3] + _LEEWAY
    )
