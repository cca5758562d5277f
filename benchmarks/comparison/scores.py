"""How near a tool's output is to the truth: text, order, headings, tables, formulas. Each from 0 to 1."""

import re
from bisect import bisect_left
from collections import Counter
from statistics import mean

from rapidfuzz import fuzz, process
from rapidfuzz.distance import Indel

from benchmarks.comparison.grids import neighbours, tables_of
from benchmarks.comparison.plain import seen

COLUMNS = ("text", "order", "headings", "tables", "formulas")
SHINGLE = 5
ALIKE = 85
"""Two headings are one where they are alike to so many per cent."""

SHORTEST_FORMULA, MOST_FORMULAS = 6, 150

_HEADING = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t#]*$", re.MULTILINE)
_FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_NUMBER = re.compile(r"\A(?:\d+(?:\.\d+)*|[IVX]+)\.?\s+")
_REFERENCES = re.compile(r"^[ \t#*_\d.]*(?:References|Bibliography)[ \t*_]*$", re.IGNORECASE | re.MULTILINE)
_FORMULA = re.compile(r"\$\$(.+?)\$\$|\\\[(.+?)\\\]|\\\((.+?)\\\)|(?<![\\$])\$([^$\n]{3,}?)\$(?!\d)", re.DOTALL)
_LOOKS = re.compile(r"\s+|\\label\{[^}]*\}|\\(?:left|right|mathrm|,|;|!)")


def scores(found: str, truth: str, tables_only: bool) -> dict[str, float]:
    """The columns that a truth has something for; all zero where nothing was found."""
    if not found.strip():
        return dict.fromkeys(scores(truth, truth, tables_only), 0.0)
    found = found.replace("\r\n", "\n").replace("\r", "\n")
    wanted = neighbours(tables_of(truth))
    if tables_only:
        return {"tables": _f1(wanted, neighbours(tables_of(found)))}
    found = _without_references(found, truth)
    result = {
        "text": Indel.normalized_similarity(seen(truth), seen(found)),
        "order": reading_order(seen(truth).split(), seen(found).split()),
    }
    if len(headings := _headings(truth)) >= 2:
        result["headings"] = _heading_f1(headings, _headings(found))
    if wanted:
        result["tables"] = _f1(wanted, neighbours(tables_of(found)))
    if formulas := [one for one in _formulas(truth) if len(one) >= SHORTEST_FORMULA][:MOST_FORMULAS]:
        result["formulas"] = _formula_similarity(formulas, _formulas(found))
    return result


def quality(columns: dict[str, float]) -> float:
    """The mean of what applies to a document; order is left out, since text counts it already."""
    return mean(value for name, value in columns.items() if name != "order")


def _without_references(found: str, truth: str) -> str:
    """A truth without its list of references is compared with output up to that list."""
    if _REFERENCES.search(truth):
        return found
    last = max((match.start() for match in _REFERENCES.finditer(found)), default=0)
    return found[:last] if last > 0.3 * len(found) else found


def reading_order(truth: list[str], found: list[str]) -> float:
    """Share of five-word runs, unique on both sides, that stand in the order of the truth (longest increasing sequence)."""
    places = _unique(found)
    positions = [places[run] for run in _unique(truth) if run in places]
    best: list[int] = []
    for position in positions:
        at = bisect_left(best, position)
        best[at : at + 1] = [position]
    return len(best) / len(positions) if positions else 0.0


def _unique(words: list[str]) -> dict[tuple[str, ...], int]:
    runs = [tuple(words[i : i + SHINGLE]) for i in range(len(words) - SHINGLE + 1)]
    counts = Counter(runs)
    return {run: at for at, run in enumerate(runs) if counts[run] == 1}


def _headings(text: str) -> list[str]:
    return [key for match in _HEADING.finditer(_FENCE.sub("", text)) if (key := _NUMBER.sub("", seen(match[1])).lower())]


def _heading_f1(truth: list[str], found: list[str]) -> float:
    left, hits = list(found), 0
    for heading in truth:
        best = process.extractOne(heading, left, scorer=fuzz.ratio, score_cutoff=ALIKE)
        if best is not None:
            left.pop(best[2])
            hits += 1
    return 2 * hits / (len(truth) + len(found))


def _f1(truth: Counter[tuple[str, str, str]], found: Counter[tuple[str, str, str]]) -> float:
    total = truth.total() + found.total()
    return 2 * (truth & found).total() / total if total else 1.0


def _formulas(text: str) -> list[str]:
    return [_LOOKS.sub("", "".join(part or "" for part in groups)) for groups in _FORMULA.findall(text)]


def _formula_similarity(truth: list[str], found: list[str]) -> float:
    best = (process.extractOne(one, found, scorer=fuzz.ratio) for one in truth)
    return mean(match[1] / 100 if match else 0.0 for match in best)
