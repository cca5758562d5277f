"""A shelf while it is worked on."""

from typing import Any

from cli.shelf import Shelf


def document(name: str, state: str = "queued", stage: str = "extraction", **more: Any) -> dict[str, Any]:
    return {"id": name * 8, "job": f"job.{name}", "filename": f"{name}.pdf", "state": state, "stage": stage, **more}


def event(name: str, kind: str, **data: Any) -> dict[str, Any]:
    return {"job": f"job.{name}", "kind": kind, "data": data}


def test_a_document_is_followed_from_stage_to_stage() -> None:
    shelf = Shelf()
    shelf.load([document("a")])
    shelf.apply(event("a", "stage", stage="extraction", state="running", attempt=1))
    shelf.apply(event("a", "progress", stage="extraction", done=2, total=8, unit="page", fields={}))
    assert (shelf.rows["job.a"].done, shelf.rows["job.a"].total) == (2, 8)
    assert [row.filename for row in shelf.at("extraction")] == ["a.pdf"]
    shelf.apply(event("a", "stage", stage="extraction", state="done"))
    assert (shelf.passed("extraction"), shelf.passed("cleaning")) == (1, 0)
    shelf.apply(event("a", "stage", stage="chunking", state="running", attempt=1))
    shelf.apply(event("a", "finished", state="done", code=None, detail=None))
    assert shelf.finished
    assert [shelf.passed(stage) for stage in ("extraction", "cleaning", "chunking", "screening")] == [1, 1, 1, 1]


def test_a_refused_document_keeps_its_reason() -> None:
    shelf = Shelf()
    shelf.load([document("a")])
    row = shelf.apply(event("a", "finished", state="failed", code="encrypted", detail="Remove the password."))
    assert row is not None
    assert (row.state, row.code, row.detail) == ("failed", "encrypted", "Remove the password.")


def test_each_finished_document_is_told_once_even_where_old_events_come_again() -> None:
    shelf = Shelf()
    assert [row.filename for row in shelf.load([document("a", "done"), document("b")])] == ["a.pdf"]
    shelf.apply(event("a", "queued", stage="extraction"))
    assert shelf.load([document("a", "done"), document("b", "done")])[0].filename == "b.pdf"
    assert shelf.load([document("a", "done"), document("b", "done")]) == []


def test_events_of_other_jobs_are_nobodys() -> None:
    shelf = Shelf()
    shelf.load([document("a")])
    assert shelf.apply(event("z", "finished", state="done")) is None
    assert not shelf.finished
