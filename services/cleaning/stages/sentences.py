"""Sentence boundaries: sentencex knows the marks of each language, nupunkt (Bommarito et al. 2025) the abbreviations of
learned text. A full stop ends a sentence where both say so, since a sentence cut in two is worse than two left together."""

import re
from collections.abc import Iterator

from nupunkt import sent_spans
from sentencex import get_sentence_boundaries

from services.cleaning.stages.languages import language_of

Span = tuple[int, int]

WINDOW = 4_000
"""sentencex sees so much at a time: pairs of quotation marks and brackets take it the square of a text's length."""

SURE = 0.5
"""A language told with less confidence is not believed: English then, whose rules are the widest."""

_ENUMERATOR = re.compile(r"(?:\A|\s)\(?\d{1,2}[.)]\s*\Z")
_FORMULA = re.compile(r"\\\[(?:[^\\]|\\(?!\]))*\\\]|\\\((?:[^\\\n]|\\(?!\)))*\\\)|\$\$[^$]+\$\$|\$[^$\n]{1,400}\$")
_STOP_INSIDE = re.compile(r"\.\s*(?:\\\]|\\\)|\$+)\Z")


def sentence_spans(text: str) -> list[Span]:
    """Start and end of each sentence of a paragraph, without the spaces between them; together they hold all else."""
    plain = (_FORMULA.sub(_one_word, text) if "$" in text or "\\" in text else text).replace("\n", " ")
    merged: list[Span] = []
    start = 0
    for end in (*_ends(plain), len(plain)):
        span = _trimmed(plain, start, end)
        start = end
        if span[0] >= span[1]:
            continue
        if merged and _goes_on(plain, merged[-1], span):
            merged[-1] = (merged[-1][0], span[1])
        else:
            merged.append(span)
    return merged


def _one_word(found: re.Match[str]) -> str:
    """A formula is a word of its sentence, as long as it was, and ends it where a full stop is set within."""
    stop = _STOP_INSIDE.search(found[0]) is not None
    return "X" + "x" * (len(found[0]) - 1 - stop) + "." * stop


def _ends(text: str) -> Iterator[int]:
    """Where sentences end, by both."""
    agreed = {_trimmed(text, start, end)[1] for start, end in sent_spans(text)}
    for end in _language_ends(text):
        at = _trimmed(text, 0, end)[1]
        if text[at - 1 : at] != "." or at in agreed:
            yield end


def _language_ends(text: str) -> Iterator[int]:
    """Where sentences end by the rules of the text's language, a window at a time."""
    language = language_of(text)
    code = language.code if language.confidence >= SURE else "en"
    start = 0
    while start < len(text):
        window = text[start : start + WINDOW]
        ends = [start + int(one["end_index"]) for one in get_sentence_boundaries(code, window)]
        if start + WINDOW < len(text):
            ends = ends[:-1]
        yield from ends
        start = ends[-1] if ends and ends[-1] > start else start + WINDOW


def _trimmed(text: str, start: int, end: int) -> Span:
    while end > start and text[end - 1].isspace():
        end -= 1
    while start < end and text[start].isspace():
        start += 1
    return start, end


def _goes_on(text: str, last: Span, following: Span) -> bool:
    """A boundary that is none: before a small letter, before a fragment without words, after an enumerator."""
    before, after = text[max(last[0], last[1] - 40) : last[1]], text[following[0] : min(following[1], following[0] + 400)]
    if after[0].islower() or after[0] in ",;)]”" or sum(c.isalpha() for c in after) < 2:
        return True
    return (last[1] - last[0] < 40 and sum(c.isalpha() for c in before) < 2) or _ENUMERATOR.search(before) is not None
