"""A page's segments → what runs in its margins, and drafts in reading order, with its tables found."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from services.extraction.stages.columns import reading_order
from services.extraction.stages.drafts import Draft, drafts
from services.extraction.stages.figure_tables import around, with_figure_tables
from services.extraction.stages.glyphs import RawPage, Rule
from services.extraction.stages.lines import Row, Segment, Table, page_segments
from services.extraction.stages.ruled import Edges, is_drawing, with_ruled_tables
from services.extraction.stages.running import part_running
from services.extraction.stages.tables import read_grid
from shared.contracts.documents import BlockKind


class Layout(NamedTuple):
    """Running lines with their kind, and drafts in the order in which they are read."""

    margins: list[tuple[BlockKind, Segment]]
    drafts: list[Draft]


def laid_out(page: RawPage, running: frozenset[str]) -> Layout:
    """How a page is laid out, found once for each set of running lines."""
    known: tuple[frozenset[str], Layout] | None = page.memo.get("layout")
    if known is None or known[0] != running:
        known = page.memo["layout"] = (running, _lay_out(page, running))
    return known[1]


def _lay_out(page: RawPage, running: frozenset[str]) -> Layout:
    margins, body = part_running(page_segments(page), page.height, running)
    pieces = with_figure_tables(with_ruled_tables(body, page.rules, page.curves), page.rules, page.curves)
    found = [draft for column in reading_order(pieces) for draft in drafts(column)]
    return Layout(margins, [_read_table(draft, page.rules, page.curves) for draft in found])


def _read_table(draft: Draft, rules: Sequence[Rule], curves: Sequence[Edges]) -> Draft:
    """A table that no lines rule gets its grid; the labels of a chart are text."""
    if draft.kind != "table" or draft.table is not None:
        return draft
    if is_drawing(around(draft.rows), curves):
        return replace(draft, kind="text")
    words = [word for row in draft.rows for cell in row.cells for word in cell.run]
    grid = read_grid(words, None, _rules_of(draft.rows, rules))
    return replace(draft, table=Table(grid, draft.rows)) if grid is not None else draft


def _rules_of(rows: Sequence[Row], rules: Sequence[Rule]) -> list[Rule]:
    top, bottom = rows[0].top, rows[-1].bottom
    left, right = min(row.left for row in rows), max(row.right for row in rows)
    return [rule for rule in rules if rule.horizontal and top < rule.top < bottom and rule.left < right and rule.right > left]
