"""What is usual in a document, learned from a sample of its pages before any page is read for good."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.extraction.stages.drafts import Draft
from services.extraction.stages.glyphs import RawPage
from services.extraction.stages.headings import (
    HeadingStyle,
    depth_of,
    front_matter,
    level_of,
    may_be_heading,
    rank_styles,
    style_of,
)
from services.extraction.stages.hyphens import joined, vocabulary
from services.extraction.stages.layout import laid_out
from services.extraction.stages.lines import Segment, page_segments
from services.extraction.stages.running import recurring
from services.extraction.stages.turned import level_parts


@dataclass(frozen=True, slots=True)
class DocumentStyle:
    """Body size in points; heading styles by level; recurring margin lines; words by which hyphens are judged."""

    body_size: float = 10.0
    headings: tuple[HeadingStyle, ...] = ()
    first_numbered: int | None = None
    running: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()


def survey(pages: Sequence[RawPage]) -> DocumentStyle:
    """Learns the style of a document from some of its pages."""
    pages = [level_parts(page)[0][1] for page in pages]
    pieces = [page_segments(page) for page in pages]
    style = DocumentStyle(
        body_size=_body_size(pieces),
        running=recurring((page.height, found) for page, found in zip(pages, pieces, strict=True)),
        words=vocabulary(piece.text for found in pieces for piece in found),
    )
    headings = [heading for page in pages for heading in _page_headings(page, style)]
    ranked = rank_styles(headings)
    numbered = Counter(level_of(one, text, ranked, None) for one, text in headings if depth_of(text) == 1)
    first = numbered.most_common(1)[0] if numbered else None
    return replace(style, headings=ranked, first_numbered=first[0] if first and first[1] >= 2 else None)


def _page_headings(page: RawPage, style: DocumentStyle) -> list[tuple[HeadingStyle, str]]:
    headings = [
        (style_of(draft), text)
        for draft in laid_out(page, style.running).drafts
        if may_be_heading(draft, text := draft_text(draft, style.words), style.body_size)
    ]
    front = front_matter(headings) if page.number == 1 else range(0)
    return [heading for index, heading in enumerate(headings) if index not in front]


def _body_size(pieces: Sequence[Sequence[Segment]]) -> float:
    weights: Counter[float] = Counter()
    for found in pieces:
        for piece in found:
            weights[round(piece.size * 2) / 2] += len(piece.text)
    return max(weights.items(), key=lambda item: (item[1], item[0]))[0] if weights else 10.0


def draft_text(draft: Draft, words: frozenset[str]) -> str:
    """A draft's rows as one run of text, torn words mended."""
    text = draft.rows[0].text
    for below in draft.rows[1:]:
        text = joined(text, below.text, words)
    return text
