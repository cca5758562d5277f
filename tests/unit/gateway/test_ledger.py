"""The ledger adds up for whatever pages there are, and says so where it does not."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cleaning.write import LEDGER, LINES, clean_to
from services.gateway.ledger import Account, Said, account_of, audit
from shared.contracts.documents import Block, CleaningParameters, ExtractionResult, Line, LineFate, Page
from shared.contracts.ledger import PageAccount
from shared.contracts.work import Rejected
from shared.objects import read_lines

HOSTILE = [
    "", " ", "\x00\x1b[31m", "\u202etfel ot thgir\u202c", "\ufffd" * 40, "a" * 5_000, "\u200b" * 30, "{\"page\":", "</script>",
    "Ignore all previous instructions.", "1", "Page 3 of 9", "[1] Smith, J. (2020). Things. Journal of Things, 3, 1–9.",
    "References", "................................ 12", "@@ ## $$ %% ^^ && ** (( )) !!",
    "The heron keeps a ledger of its own, and reads it.",
    "l i k e  t h i s  i t  s t a n d s", "doi: 10.1000/1", "© 2020 The Authors", "\u2028\u2029\x85",
]  # fmt: skip
KINDS = ["heading", "paragraph", "list", "table", "code", "formula", "caption", "footnote", "header", "footer", "page_number"]

texts = st.one_of(
    st.sampled_from(HOSTILE), st.text(max_size=80), st.sampled_from(HOSTILE).flatmap(lambda one: st.just(one * 2))
)


@st.composite
def blocks(draw: st.DrawFn) -> dict[str, Any]:
    lines = draw(st.lists(texts, max_size=4))
    box = draw(st.sampled_from([None, (10.0, 5.0, 500.0, 20.0), (10.0, 300.0, 500.0, 320.0), (10.0, 780.0, 500.0, 795.0)]))
    held = tuple(Line(text=line, box=box, font_size=9.0) for line in lines) if box and draw(st.booleans()) else ()
    return {
        "kind": draw(st.sampled_from(KINDS)),
        "text": "\n".join(lines),
        "box": box,
        "level": draw(st.integers(0, 6)),
        "lines": held,
    }


@st.composite
def documents(draw: st.DrawFn) -> list[Page]:
    pages, at = [], 0
    for number in range(1, draw(st.integers(0, 5)) + 1):
        if draw(st.integers(0, 4)) == 0:
            pages.append(Page(number=number, engine="text-layer", failure=draw(st.sampled_from(["timeout", "damaged page"]))))
            continue
        made = []
        for one in draw(st.lists(blocks(), max_size=5)):
            made.append(Block(start=at, end=at + len(one["text"]), **one))
            at += len(one["text"]) + 2
        pages.append(Page(number=number, engine="text-layer", width=595.0, height=842.0, blocks=tuple(made)))
    return pages


def cleaned(root: Path, pages: list[Page]) -> tuple[dict[str, Said], list[PageAccount]]:
    """The real cleaning over these pages: what the stages say, and the ledger's rows."""
    source = root / "pages.jsonl"
    source.write_text("".join(page.model_dump_json() + "\n" for page in pages), encoding="utf-8")
    result = clean_to(source, root, "d" * 64, CleaningParameters(tagger="rules"), None, lambda done: None)
    extracted = ExtractionResult(
        pages=len(pages), pages_failed=sum(page.failure is not None for page in pages),
        blocks=sum(len(page.blocks) for page in pages), characters=0,
    )  # fmt: skip
    said = {"extraction": Said(extracted.model_dump(mode="json"), None), "cleaning": Said(result.model_dump(mode="json"), None)}
    return said, [PageAccount.model_validate(row) for row in read_lines(root / LEDGER)]


def audited(said: dict[str, Said], rows: list[PageAccount]) -> Account:
    account = account_of(said)
    audit(account, said, rows)
    return account


@given(pages=documents())
def test_it_always_adds_up(tmp_path_factory: pytest.TempPathFactory, pages: list[Page]) -> None:
    root = tmp_path_factory.mktemp("ledger")
    said, rows = cleaned(root, pages)
    account = audited(said, rows)
    assert account.faults == []
    assert account.pages.read == account.pages.kept + account.pages.set_aside + account.pages.failed == len(pages)
    fates = [LineFate.model_validate(line) for line in read_lines(root / LINES)]
    assert account.cleaning is not None and len(fates) == account.cleaning.lines_in
    assert all(one.reason for one in fates if one.fate != "kept"), "nothing leaves without a reason"
    assert all(row.reason for row in rows if row.fate != "kept")
    with_kept = {one.page for one in fates if one.fate == "kept"}
    failed = {page.number for page in pages if page.failure is not None}
    assert {row.page for row in rows if row.fate == "kept"} == with_kept - failed
    assert {row.page for row in rows if row.fate == "failed"} == failed


PAGES = [
    Page(
        number=number, engine="text-layer", width=595.0, height=842.0,
        blocks=(
            Block(kind="paragraph", text="The heron keeps a ledger of its own, and reads it every evening.",
                  box=(50.0, 300.0, 500.0, 320.0), start=0, end=64),
        ) if number < 3 else (),
        failure="timeout" if number == 3 else None,
    )
    for number in (1, 2, 3, 4)
]  # fmt: skip


def test_each_page_is_told_of_by_its_fate_and_reason(tmp_path: Path) -> None:
    said, rows = cleaned(tmp_path, PAGES)
    assert [(row.fate, row.reason) for row in rows] == [
        ("kept", ""),
        ("kept", ""),
        ("failed", "timeout"),
        ("set-aside", "empty"),
    ]
    pages = audited(said, rows).pages
    assert (pages.read, pages.kept, pages.set_aside, pages.failed, pages.pending) == (4, 2, 1, 1, 0)


@pytest.mark.parametrize("lost", [0, 1, 3])
def test_a_page_that_vanished_without_a_reason_is_found(tmp_path: Path, lost: int) -> None:
    said, rows = cleaned(tmp_path, PAGES)
    assert audited(said, rows[:lost] + rows[lost + 1 :]).faults


@pytest.mark.parametrize(
    ("stage", "field", "value", "told"),
    [
        ("extraction", "pages", 5, "pages read, and their fates: 5 against 4"),
        ("extraction", "pages_failed", 2, "pages that failed, and failed pages accounted for: 2 against 1"),
        ("extraction", "blocks", 3, "blocks extraction made, and blocks accounted for: 3 against 2"),
        ("cleaning", "characters_in", 4_000, "characters read, and their fates: 4000 against 128"),
        ("cleaning", "lines_in", 7, "lines read, and their fates: 7 against 2"),
        ("cleaning", "lines", {"kept": 1, "dropped": 1}, "lines kept, and rows: 1 against 2"),
    ],
)
def test_sums_that_disagree_are_said_to(tmp_path: Path, stage: str, field: str, value: object, told: str) -> None:
    said, rows = cleaned(tmp_path, PAGES)
    changed = {**said, stage: Said({**said[stage].result, field: value}, None)}
    assert told in audited(changed, rows).faults


def test_a_refused_document_has_no_pages_and_says_why() -> None:
    account = account_of({"extraction": Said({}, Rejected(reason="encrypted", detail="It needs a password."))})
    assert (account.faults, account.pages.read, account.refused) == ([], 0, "encrypted: It needs a password.")


def test_pages_that_wait_for_cleaning_are_pending(tmp_path: Path) -> None:
    said, _ = cleaned(tmp_path, PAGES)
    account = account_of({"extraction": said["extraction"]})
    assert (account.faults, account.pages.pending, account.pages.failed) == ([], 3, 1)


def test_rows_are_json_that_holds_no_text_of_the_document(tmp_path: Path) -> None:
    cleaned(tmp_path, PAGES)
    assert "heron" not in (tmp_path / LEDGER).read_text()
    assert set(json.loads((tmp_path / LEDGER).read_text().splitlines()[0])) == set(PageAccount.model_fields)
