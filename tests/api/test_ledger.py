"""The ledger as the API tells it: sums, pages, lines, a whole collection, and a ledger that does not add up."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.cleaning.handlers import cleaning
from shared.contracts.documents import Block, ExtractionResult, Page
from shared.contracts.work import Rejected
from shared.stage import Handler, StageContext
from tests.api.conftest import PDF, Gateway, Workers

SHELF = "/v1/collections/papers"


class Readers(Workers):
    """Extraction makes the tests' own pages; cleaning is the real one."""

    pages: tuple[Page, ...] = ()

    def _handlers(self) -> dict[str, Handler]:
        return {**super()._handlers(), "cleaning": cleaning}

    def _extract(self, context: StageContext[Any]) -> ExtractionResult | Rejected:
        if self.refuse is not None:
            return self.refuse
        (context.out / "document.mmd").write_text("")
        (context.out / "pages.jsonl").write_text("".join(page.model_dump_json() + "\n" for page in self.pages))
        return ExtractionResult(
            pages=len(self.pages), pages_failed=sum(page.failure is not None for page in self.pages),
            blocks=sum(len(page.blocks) for page in self.pages), characters=1,
        )  # fmt: skip


def page(number: int, *texts: str, failure: str | None = None) -> Page:
    blocks, at = [], 0
    for row, text in enumerate(texts):
        box = (50.0, 200.0 + 30 * row, 500.0, 220.0 + 30 * row)
        blocks.append(Block(kind="paragraph", text=text, box=box, start=at, end=at + len(text)))
        at += len(text) + 2
    size = {} if failure else {"width": 595.0, "height": 842.0}
    return Page(number=number, engine="text-layer", blocks=tuple(blocks), failure=failure, **size)


GOOD = "The heron keeps a ledger of its own, and reads it every evening before the ferry leaves."


@pytest.fixture
def shelf(gateway: Gateway) -> Gateway:
    gateway.workers = Readers(gateway.workers.runner)
    gateway.workers.pages = (  # type: ignore[attr-defined]
        page(1, GOOD, "@@ ## $$ %% \x1b[31m ^^ && ** (( )) !!"), page(2, "@@ ## $$ %% ^^ && ** (( )) !!"),
        page(3, failure="The page took longer than 60 seconds."), page(4),
    )  # fmt: skip
    return gateway


def test_pages_in_are_kept_set_aside_or_failed(shelf: Gateway, client: httpx.Client) -> None:
    document = shelf.add()
    told = client.get(f"/v1/documents/{document[:12]}/ledger", params={"limit": 3}).json()
    pages = {name: told["pages"][name] for name in ("read", "kept", "set_aside", "failed", "pending")}
    assert pages == {"read": 4, "kept": 1, "set_aside": 2, "failed": 1, "pending": 0}
    assert (told["adds_up"], told["faults"], told["lines"]) == (True, [], {"kept": 1, "set-aside": 2})
    assert [row["fate"] for row in told["items"]] == ["kept", "set-aside", "failed"]
    assert told["items"][2]["reason"].startswith("The page took longer")
    rest = client.get(f"/v1/documents/{document}/ledger", params={"cursor": told["next_cursor"]}).json()
    assert [(row["page"], row["reason"]) for row in rest["items"]] == [(4, "empty")]
    assert rest["next_cursor"] is None


def test_a_page_is_told_of_line_by_line(shelf: Gateway, client: httpx.Client) -> None:
    document = shelf.add()
    first = client.get(f"/v1/documents/{document}/ledger/pages/1", params={"limit": 1}).json()
    assert (first["items"][0]["text"], first["items"][0]["fate"]) == (GOOD, "kept")
    second = client.get(f"/v1/documents/{document}/ledger/pages/1", params={"cursor": first["next_cursor"]}).json()
    assert (second["items"][0]["fate"], bool(second["items"][0]["reason"])) == ("set-aside", True)
    assert second["next_cursor"] is None
    assert client.get(f"/v1/documents/{document}/ledger/pages/9").status_code == 404
    assert client.get(f"/v1/documents/{document}/ledger/pages/0").status_code == 422


def test_a_collection_is_the_sum_of_its_documents(shelf: Gateway, client: httpx.Client) -> None:
    shelf.add(content=PDF + b"1")
    shelf.add(content=PDF + b"2")
    shelf.add(content=PDF + b"waiting", done=False)
    shelf.workers.refuse = Rejected(reason="encrypted", detail="It needs a password.")
    refused = shelf.add(content=PDF + b"3")
    told = client.get(f"{SHELF}/ledger").json()
    assert (told["documents"], told["refused"], told["adds_up"]) == (4, 1, True)
    assert [told["pages"][name] for name in ("read", "kept", "set_aside", "failed", "pending")] == [8, 2, 4, 2, 0]
    alone = client.get(f"/v1/documents/{refused}/ledger").json()
    assert (alone["refused"], alone["pages"]["read"], alone["items"]) == ("encrypted: It needs a password.", 0, [])


def test_after_a_change_of_settings_the_old_sums_are_not_told(shelf: Gateway, client: httpx.Client) -> None:
    document = shelf.add()
    shelf.await_job(client.patch(SHELF, json={"cleaning": {"min_words": 5}}))
    assert client.get(f"{SHELF}/ledger").json()["pages"]["pending"] == 3
    assert client.get(f"/v1/documents/{document}/ledger").json()["pages"] == {
        "schema_version": 1, "read": 4, "kept": 0, "set_aside": 0, "failed": 1, "pending": 3
    }  # fmt: skip


def test_a_document_on_two_shelves_is_asked_for_by_shelf(shelf: Gateway, client: httpx.Client) -> None:
    document = shelf.add()
    shelf.add("manuals")
    asked = client.get(f"/v1/documents/{document}/ledger")
    assert (asked.status_code, "papers" in asked.json()["detail"]) == (409, True)
    assert client.get(f"/v1/documents/{document}/ledger", params={"collection": "manuals"}).json()["collection"] == "manuals"


def test_a_ledger_that_does_not_add_up_says_so(shelf: Gateway, client: httpx.Client) -> None:
    document = shelf.add()
    root = Path(shelf.parts.settings.store_url.removeprefix("file://"))
    found = next(path for path in (root / "stages/cleaning").rglob("manifest.json"))
    manifest = json.loads(found.read_text())
    rows = shelf.store.read(manifest["files"]["ledger.jsonl"]["path"]).splitlines(keepends=True)
    (root / manifest["files"]["ledger.jsonl"]["path"]).write_bytes(b"".join(rows[:1] + rows[2:]))
    told = client.get(f"/v1/documents/{document}/ledger").json()
    assert told["adds_up"] is False
    assert "page 2 is missing, or out of its place" in told["faults"]
