"""Uploading many files: found, sent a few at a time, each with an outcome of its own."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from cli.api import Api, Json
from cli.outcome import Exit, Failure

AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file: the document it is now, or why it was refused."""

    file: Path
    document: Json | None = None
    code: str | None = None
    detail: str | None = None

    @property
    def json(self) -> Json:
        return {"file": str(self.file), "document": self.document, "code": self.code, "detail": self.detail}


def find_pdfs(paths: Iterable[Path]) -> list[Path]:
    """The files named, and in directories named all that end in .pdf, each once. Raises Failure where one is not there."""
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            found.update(dict.fromkeys(sorted(file for file in path.rglob("*") if _is_pdf(file))))
        elif path.exists():
            found[path] = None
        else:
            raise Failure(f"There is no file {path}.", Exit.USAGE, "usage")
    if not found:
        raise Failure(
            "There is no PDF in what was named; name files, or a directory with files ending in .pdf.", Exit.USAGE, "usage"
        )
    return list(found)


def _is_pdf(file: Path) -> bool:
    return file.suffix.lower() == ".pdf" and file.is_file()


def upload_all(api: Api, collection: str, files: list[Path], sent: Callable[[int], None]) -> Iterator[Outcome]:
    """Send files, a few at a time; yields outcomes as they come. A refused file is an outcome; a server that does not
    answer, or does not let the user in, is a Failure and stops the rest."""
    stop = Event()
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="upload") as pool:
        waiting = [pool.submit(_upload, api, collection, file, sent, stop) for file in files]
        try:
            for each in as_completed(waiting):
                outcome = each.result()
                if outcome is not None:
                    yield outcome
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)


def _upload(api: Api, collection: str, file: Path, sent: Callable[[int], None], stop: Event) -> Outcome | None:
    if stop.is_set():
        return None
    try:
        return Outcome(file, document=api.upload(collection, file, sent))
    except OSError as error:
        return Outcome(file, code="unreadable", detail=f"The file cannot be read: {error.strerror or error}.")
    except Failure as failure:
        if failure.code == "unreachable" or failure.exit_code == Exit.DENIED:
            raise
        return Outcome(file, code=failure.code, detail=failure.message)
