"""The account of a page from the fates of its lines: the row that the ledger is made of."""

from collections import Counter
from collections.abc import Iterable

from shared.contracts.documents import LineFate, Page, PageFate
from shared.contracts.ledger import PageAccount


def account(page: Page, fates: Iterable[LineFate]) -> PageAccount:
    """What became of a page, given what became of each of its lines."""
    lines: Counter[str] = Counter()
    characters: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for one in fates:
        lines[one.fate] += 1
        characters[one.fate] += len(one.text)
        if one.fate != "kept":
            reasons[one.reason] += 1
    fate, reason = _fate(page, lines, reasons)
    return PageAccount(
        page=page.number, fate=fate, reason=reason, blocks=len(page.blocks), lines=dict(sorted(lines.items())),
        characters=dict(sorted(characters.items())), reasons=dict(sorted(reasons.items())),
    )  # fmt: skip


def _fate(page: Page, lines: Counter[str], reasons: Counter[str]) -> tuple[PageFate, str]:
    if page.failure is not None:
        return "failed", page.failure
    if lines["kept"]:
        return "kept", ""
    if not lines:
        return "set-aside", "empty"
    return "set-aside", ", ".join(reason for reason, _ in sorted(reasons.items(), key=lambda one: (-one[1], one[0])))
