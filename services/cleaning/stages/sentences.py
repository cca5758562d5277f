"""Sentence boundaries, by nupunkt (Bommarito et al. 2025): built for text full of abbreviations, citations and numbers."""

import re

from nupunkt import sent_spans

Span = tuple[int, int]

_ENUMERATOR = re.compile(r"(?:\A|\s)\(?\d{1,2}[.)]\s*\Z")


def sentence_spans(text: str) -> list[Span]:
    """Start and end of each sentence of a paragraph, without the spaces between them; together they hold all else."""
    merged: list[Span] = []
    for span in (_trimmed(text, start, end) for start, end in sent_spans(text)):
        if span[0] == span[1]:
            continue
        if merged and _goes_on(text, merged[-1], span):
            merged[-1] = (merged[-1][0], span[1])
        else:
            merged.append(span)
    return merged


def _trimmed(text: str, start: int, end: int) -> Span:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip()) if piece.strip() else start


def _goes_on(text: str, last: Span, following: Span) -> bool:
    """A boundary that is none: before a small letter, before a fragment without words, after an enumerator."""
    before, after = text[last[0] : last[1]], text[following[0] : following[1]]
    if after[0].islower() or after[0] in ",;)]”" or sum(c.isalpha() for c in after) < 2:
        return True
    return sum(c.isalpha() for c in before) < 2 or _ENUMERATOR.search(before) is not None
