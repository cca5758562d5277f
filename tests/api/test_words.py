"""What people say of lines and of answers: written down, listed, exported, rebuilt, and gone with the document."""

import json
from pathlib import Path

import httpx
import pytest

from services.cleaning.handlers import handlers as cleaning_handlers
from services.cleaning.labelled import flat_labels, read_labelled
from services.extraction.handlers import handlers as extraction_handlers
from services.gateway.pairs import preferences
from shared.catalog.database import migrate, open_database
from shared.catalog.protocol import Slice
from shared.catalog.sql import SqlCatalog
from shared.contracts.feedback import Feedback
from shared.contracts.line_labels import LineWord
from shared.reindex import reindex
from tests.api.conftest import Gateway

PAPER = Path(__file__).parents[2] / "examples" / "pdf" / "data-policy.pdf"
FIRST = {"page": 1, "block": 0, "line": 0}


@pytest.fixture
def read(gateway: Gateway) -> str:
    """A document whose lines were truly read and labelled."""
    gateway.workers.own = {**extraction_handlers(), **cleaning_handlers()}
    return gateway.add(content=PAPER.read_bytes(), filename="data-policy.pdf")


def said(client: httpx.Client, document: str, label: str | None, **place: int) -> httpx.Response:
    asked = {"labels": [FIRST | place | {"label": label}]}
    return client.post(f"/v1/documents/{document}/line-labels", json=asked)


def rebuilt(gateway: Gateway, tmp_path: Path) -> SqlCatalog:
    url = f"sqlite:///{tmp_path}/again.db"
    migrate(url)
    catalog = SqlCatalog(open_database(url))
    reindex(gateway.store, catalog)
    return catalog


def test_labels_of_lines_are_exported_as_taggers_learn_from_them(
    gateway: Gateway, client: httpx.Client, read: str, tmp_path: Path
) -> None:
    answer = said(client, read, "header")
    assert answer.status_code == 201, answer.text
    word = LineWord.model_validate(answer.json()["items"][0]["word"])
    assert (word.document, word.label, word.page, word.text != "") == (read, "header", 1, True)
    assert client.get(f"/v1/documents/{read}/line-labels").json()["items"] == answer.json()["items"]
    (tmp_path / "labels.jsonl").write_bytes(client.get("/v1/line-labels").content)
    pages = list(read_labelled(tmp_path / "labels.jsonl"))
    assert [(one.document, one.page.number) for one in pages] == [(read, 1)]
    assert [one for one in flat_labels(pages[0]) if one is not None] == ["header"]
    assert pages[0].labels[0][0] == "header"


def test_a_later_word_counts_and_one_that_is_taken_back_does_not(gateway: Gateway, client: httpx.Client, read: str) -> None:
    for label in ("header", "citation"):
        said(client, read, label)
    page = json.loads(client.get("/v1/line-labels").content)
    assert page["labels"][0][0] == "citation"
    said(client, read, None)
    assert client.get("/v1/line-labels").content == b""


def test_where_reviewers_do_not_agree_a_line_is_null(gateway: Gateway, read: str) -> None:
    with gateway.reviewer("one", "write") as one, gateway.reviewer("two", "write") as two:
        said(one, read, "header")
        said(two, read, "footer")
        said(two, read, "footer", line=0, block=1)
        page = json.loads(one.get("/v1/line-labels").content)
    assert (page["labels"][0][0], page["labels"][1][0]) == (None, "footer")


def test_a_line_that_is_not_there_is_refused_and_nothing_is_kept(client: httpx.Client, read: str) -> None:
    asked = {"labels": [FIRST | {"label": "header"}, {"page": 1, "block": 9_999, "line": 0, "label": "header"}]}
    answer = client.post(f"/v1/documents/{read}/line-labels", json=asked)
    assert answer.status_code == 404
    assert "no line 0 in block 9999" in answer.json()["detail"]
    assert client.get(f"/v1/documents/{read}/line-labels").json()["items"] == []


def test_a_correction_is_preferred_to_what_it_corrects_and_a_good_answer_to_a_bad_one(client: httpx.Client) -> None:
    asked = {"prompt": "When is the gauge read?", "mode": "chat"}
    for told in (
        {"model": "m", "answer": "At dawn.", "rating": "up"},
        {"model": "base", "answer": "It depends.", "rating": "down"},
        {"model": "base", "answer": "Never.", "rating": "down", "correction": "At dawn, each day."},
    ):
        answer = client.post("/v1/feedback", json=asked | told)
        assert answer.status_code == 201, answer.text
    pairs = [json.loads(line) for line in client.get("/v1/feedback/pairs").content.splitlines()]
    assert {(one["chosen"], one["rejected"], one["source"]) for one in pairs} == {
        ("At dawn.", "It depends.", "ratings"),
        ("At dawn.", "Never.", "ratings"),
        ("At dawn, each day.", "Never.", "correction"),
    }
    client.post("/v1/feedback", json=asked | {"model": "m", "answer": "At dawn.", "rating": "none"})
    left = [json.loads(line)["source"] for line in client.get("/v1/feedback/pairs").content.splitlines()]
    assert left == ["correction"]
    assert len(client.get("/v1/feedback").json()["items"]) == 3
    assert [one["model"] for one in client.get("/v1/feedback", params={"model": "m"}).json()["items"]] == ["m"]


def test_ratings_of_different_people_make_no_pair() -> None:
    words = [
        Feedback(id=who, model="m", prompt="p", answer=rating, mode="chat", rating=rating, reviewer=who, at="2026")
        for who, rating in (("a", "up"), ("b", "down"))
    ]
    assert list(preferences(words)) == []


def test_reading_alone_lets_nobody_say_anything(gateway: Gateway, read: str) -> None:
    with gateway.client("read") as reader:
        assert said(reader, read, "header").status_code == 403
        body = {"model": "m", "prompt": "p", "answer": "a", "rating": "up"}
        assert reader.post("/v1/feedback", json=body).status_code == 403


def test_words_are_rebuilt_from_the_store_and_gone_with_the_document(
    gateway: Gateway, client: httpx.Client, read: str, tmp_path: Path
) -> None:
    said(client, read, "header")
    body = {"model": "m", "prompt": "p", "answer": "a", "rating": "up"}
    client.post("/v1/feedback", json=body | {"evidence": [read]})
    kept = client.post("/v1/feedback", json=body | {"prompt": "other"}).json()["id"]
    again = rebuilt(gateway, tmp_path)
    assert again.line_worded() == gateway.catalog.line_worded() != []
    assert again.all_feedback(Slice(9)) == gateway.catalog.all_feedback(Slice(9))
    answer = client.post(f"/v1/documents/{read}/forget", json={"confirm": read})
    assert gateway.await_job(answer).state == "done"
    receipt = client.get(f"/v1/forgotten/{read}").json()["receipt"]
    assert (receipt["removed"]["line-labels"], receipt["removed"]["feedback"]) == (1, 1)
    assert gateway.catalog.line_worded() == []
    assert [one.id for one in gateway.catalog.all_feedback(Slice(9))] == [kept]
    assert list(gateway.store.list("feedback")) == [f"feedback/{kept}/00000001.json"]
    refused = client.post("/v1/feedback", json=body | {"evidence": [read]})
    assert refused.status_code in (409, 410), refused.text
