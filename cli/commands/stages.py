"""`lectern extract`, `clean` and `chunk`: single stages on a file or a folder, without a server, for scripts."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from cli.command import LOCAL, command
from cli.outcome import Exit, Failure
from cli.session import Session
from cli.text import count, one_line, plain

PANEL = "Single stages, without a server"


def register(app: typer.Typer) -> None:
    command(app, "extract", options=LOCAL, panel=PANEL)(extract)
    command(app, "clean", options=LOCAL, panel=PANEL)(clean)
    command(app, "chunk", options=LOCAL, panel=PANEL)(chunk)


def extract(
    session: Session,
    source: Annotated[Path, typer.Argument(help="A PDF, or a directory of them.", metavar="IN.pdf|DIR")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write here: a file for a PDF, a directory for a directory.")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Documents at once, for a directory.")] = 1,
    text: Annotated[bool, typer.Option("--text", help="Plain text only, several times as fast.")] = False,
) -> None:
    """Turn a PDF into MMD (markdown with LaTeX) on stdout, or a directory of PDFs into a directory of MMD.

    With --json, one PDF is answered as {mmd, pages}, a directory as an outcome a file. Exit code 1 if any was refused.
    """
    from cli import local

    if source.is_dir():
        if out is None:
            raise Failure("A directory needs --out DIR to write to.", Exit.USAGE, "usage")
        _extract_folder(session, source, out, jobs, text)
        return
    _require_file(source)
    if text:
        _plain_text(session, source, out)
        return
    found = local.extract(source)
    if session.as_json:
        session.emit({"file": str(source), "mmd": found.mmd, "pages": found.pages, "result": found.result})
    elif out is not None:
        out.write_text(found.mmd, encoding="utf-8")
    else:
        _write(found.mmd)


def _plain_text(session: Session, source: Path, out: Path | None) -> None:
    from cli import local

    found = local.text(source)
    if session.as_json:
        session.emit({"file": str(source), "text": found})
    elif out is not None:
        out.write_text(found, encoding="utf-8")
    else:
        _write(found)


def _extract_folder(session: Session, source: Path, out: Path, jobs: int, text: bool) -> None:
    from cli import local

    total = sum(path.suffix.lower() == ".pdf" for path in source.iterdir())
    outcomes = []
    with _bar(session, total) as advance:
        for outcome in local.extract_folder(source, out, jobs, text):
            outcomes.append(outcome)
            advance()
            reason = (
                f"✗ {outcome.reason}: {one_line(outcome.detail, 200)}"
                if outcome.reason
                else f"✓ {count(outcome.pages or 0, 'page')}"
            )
            session.say(f"{one_line(outcome.file.name, 48):48} {reason}")
    if session.as_json:
        session.emit([outcome.json for outcome in outcomes])
    refused = sum(outcome.reason is not None for outcome in outcomes)
    if refused or not outcomes:
        raise Failure(
            f"{refused} of {count(len(outcomes), 'document')} refused." if outcomes else f"There is no PDF in {source}.",
            Exit.FAILED,
            "refused",
        )


@contextmanager
def _bar(session: Session, total: int) -> Iterator[Callable[[], None]]:
    """How far a folder is, in a terminal: what it gives is to be called once a file."""
    if session.as_json or not sys.stdout.isatty():
        yield lambda: None
        return
    from rich.progress import Progress

    with Progress(console=session.console, transient=True) as progress:
        bar = progress.add_task("extracting", total=total)
        yield lambda: progress.advance(bar)


def clean(
    session: Session,
    source: Annotated[Path, typer.Argument(help="An MMD file; `-` reads stdin.", metavar="IN.mmd|-")],
    garbage: Annotated[Path | None, typer.Option(help="Write what was set aside here (JSON Lines).")] = None,
) -> None:
    """Clean MMD: drop what repeats in margins, set garbage aside, heal hyphens and ligatures. Clean MMD on stdout.

    A page map beside it (IN.pages.jsonl, as `lectern extract DIR` writes it) tells margins from text.
    """
    from cli import local

    found = local.clean(*_given(source))
    if garbage is not None:
        lines = (json.dumps(item, ensure_ascii=False) + "\n" for item in found.garbage)
        garbage.write_text("".join(lines), encoding="utf-8")
    if session.as_json:
        session.emit(
            {
                "mmd": found.mmd, "garbage": found.garbage, "dropped": found.dropped,
                "personal": found.personal, "flags": found.flags,
            }
        )  # fmt: skip
    else:
        _write(found.mmd)


def chunk(
    session: Session,
    source: Annotated[Path, typer.Argument(help="An MMD file; `-` reads stdin.", metavar="IN.mmd|-")],
    max_tokens: Annotated[int, typer.Option(min=32, help="Token budget of a chunk.")] = 256,
    overlap: Annotated[int, typer.Option(min=0, max=8, help="Sentences that a chunk shares with the one before.")] = 1,
    tokenizer: Annotated[Path | None, typer.Option(help="A tokenizer.json; without it, that of the home's base model.")] = None,
) -> None:
    """Clean MMD and cut it into chunks of whole sentences, within a token budget. JSON Lines on stdout."""
    from cli import local

    for line in local.chunk(*_given(source), max_tokens, overlap, local.tokenizer_file(session.home, tokenizer)):
        session.emit_line(line)


def _require_file(source: Path) -> None:
    if not source.is_file():
        raise Failure(f"There is no file {source}.", Exit.USAGE, "usage")


def _given(source: Path) -> tuple[Path | None, str]:
    """The file named, or the text on stdin."""
    if str(source) == "-":
        return None, sys.stdin.buffer.read().decode("utf-8", errors="replace")
    _require_file(source)
    return source, ""


def _write(text: str) -> None:
    """To a terminal without what could steer it; to a pipe as it is."""
    sys.stdout.write(plain(text) if sys.stdout.isatty() else text)
    sys.stdout.flush()
