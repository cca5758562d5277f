"""Uploads: streamed, a few at a time, each file with an outcome of its own."""

import hashlib
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from cli.api import Api
from cli.outcome import Exit, Failure
from cli.uploading import find_pdfs, upload_all
from tests.servers import free_port


class Gateway(BaseHTTPRequestHandler):
    """Takes what begins as a PDF does, and answers by its digest."""

    status = 202

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        name = parse_qs(urlsplit(self.path).query)["filename"][0]
        if Gateway.status != 202:
            self._answer(Gateway.status, {"code": "forbidden", "detail": "This needs the scope write."})
        elif not body.startswith(b"%PDF-"):
            self._answer(415, {"code": "not-a-pdf", "detail": f"{name} is not a PDF."})
        else:
            digest = hashlib.sha256(body).hexdigest()
            self._answer(202, {"id": digest, "filename": name, "job": f"document.{digest[:16]}", "state": "queued"})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        told = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def api() -> Iterator[Api]:
    Gateway.status = 202
    server = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    Thread(target=server.serve_forever, daemon=True).start()
    made = Api(f"http://127.0.0.1:{server.server_address[1]}", "lk-test")
    yield made
    made.close()
    server.shutdown()


def files(directory: Path, count: int) -> list[Path]:
    made = [directory / f"n° {number}?.pdf" for number in range(count)]
    for number, file in enumerate(made):
        file.write_bytes(b"%PDF-1.7 " + bytes([number]) * 700_000)
    return made


def test_every_file_arrives_as_it_is_and_every_byte_is_told(api: Api, tmp_path: Path) -> None:
    given, sent = files(tmp_path, 9), []
    outcomes = {outcome.file: outcome for outcome in upload_all(api, "shelf", given, sent.append)}
    for file in given:
        document = outcomes[file].document
        assert document is not None
        assert document["id"] == hashlib.sha256(file.read_bytes()).hexdigest()
        assert document["filename"] == file.name
    assert sum(sent) == sum(file.stat().st_size for file in given)


def test_a_refused_file_is_an_outcome_and_the_others_go_through(api: Api, tmp_path: Path) -> None:
    given = files(tmp_path, 3)
    given[1].write_text("just text")
    outcomes = {outcome.file: outcome for outcome in upload_all(api, "shelf", given, lambda _: None)}
    assert (outcomes[given[1]].code, outcomes[given[1]].document) == ("not-a-pdf", None)
    assert all(outcomes[file].document for file in (given[0], given[2]))


def test_a_file_that_cannot_be_read_is_an_outcome(api: Api, tmp_path: Path) -> None:
    given = [*files(tmp_path, 1), tmp_path / "gone.pdf"]
    outcomes = {outcome.file: outcome for outcome in upload_all(api, "shelf", given, lambda _: None)}
    assert outcomes[given[1]].code == "unreadable"
    assert outcomes[given[0]].document


def test_a_key_that_may_not_write_stops_everything(api: Api, tmp_path: Path) -> None:
    Gateway.status = 403
    with pytest.raises(Failure, match="scope write") as told:
        list(upload_all(api, "shelf", files(tmp_path, 3), lambda _: None))
    assert told.value.exit_code == Exit.DENIED


def test_a_server_that_is_not_there_stops_everything(tmp_path: Path) -> None:
    with pytest.raises(Failure) as told:
        list(upload_all(Api(f"http://127.0.0.1:{free_port()}", None), "shelf", files(tmp_path, 6), lambda _: None))
    assert told.value.exit_code == Exit.UNREACHABLE


def test_directories_give_their_pdfs_and_named_files_are_taken_whatever_they_are_called(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.PDF", "a.pdf", "notes.txt", "deep/c.pdf"):
        (tmp_path / name).write_text("x")
    notes = tmp_path / "notes.txt"
    found = [path.relative_to(tmp_path).as_posix() for path in find_pdfs([tmp_path, notes, tmp_path / "a.pdf"])]
    assert found == ["a.pdf", "b.PDF", "deep/c.pdf", "notes.txt"]


def test_nothing_to_upload_is_a_usage_failure(tmp_path: Path) -> None:
    for paths in ([tmp_path], [tmp_path / "gone.pdf"]):
        with pytest.raises(Failure) as told:
            find_pdfs(paths)
        assert told.value.exit_code == Exit.USAGE
