"""`lectern review`: say of texts whether they are garbage; a key each in the terminal, or by script."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cli.command import HomeOption, JsonOption, KeyOption, ServerOption, command, run
from cli.outcome import Exit, Failure
from cli.session import Session
from cli.text import count, one_line

app = typer.Typer(help="Review: say of texts whether they are garbage. Without a command: in the terminal, a key each.")

Collection = Annotated[str | None, typer.Option("--collection", "-c", help="Only texts of this collection.")]
MOST_AT_ONCE = 200


def register(main: typer.Typer) -> None:
    main.add_typer(app, name="review", rich_help_panel="Documents")


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    collection: Collection = None,
    as_json: JsonOption = False,
    server_option: ServerOption = None,
    key_option: KeyOption = None,
    home_option: HomeOption = None,
) -> None:
    """Without a command: show texts one by one and take a key for each."""
    if context.invoked_subcommand is None:
        session = Session(as_json, server_option, key_option, home_option)
        raise typer.Exit(run(session, sit, {"collection": collection}))


def sit(session: Session, collection: str | None) -> None:
    """A sitting, for as long as the reviewer likes."""
    from cli.reviewing import Sitting
    from cli.typed import typed_keys

    if session.as_json or not sys.stdin.isatty():
        raise Failure("Keys need a terminal; by script: `lectern review list`, `lectern review label`.", Exit.USAGE, "usage")
    with typed_keys() as key:
        labelled = Sitting(session.api, session.console, key, collection).run()
    session.say(f"{count(labelled, 'text')} labelled. `lectern review summary` tells where review stands.")


@command(app, "list")
def list_(
    session: Session,
    collection: Collection = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many texts.")] = 20,
) -> None:
    """List what should be labelled next: where a label teaches most, and a share drawn by lot."""
    from cli.render import table

    found = list(session.api.items("/v1/garbage", limit=limit, order="uncertainty", collection=collection))
    if session.as_json:
        session.emit(found)
        return
    rows = [
        (f"{each['document'][:12]}/{each['id']}", each["why"], each["decision"], each["reason"],
         "" if each["probability"] is None else f"{each['probability']:.2f}", each["page"], one_line(each["text"], 160))
        for each in found
    ]  # fmt: skip
    session.console.print(table(["text", "why", "stands", "reason", "garbage#", "page#", "text*"], rows))


@command(app, "label")
def label(
    session: Session,
    verdict: Annotated[Literal["garbage", "good", "withdrawn"], typer.Argument(help="What to say; `withdrawn` is undo.")],
    texts: Annotated[list[str] | None, typer.Argument(help="DOCUMENT/ITEM each, as `lectern review list` tells them.")] = None,
    file: Annotated[
        Path | None, typer.Option(help="Items as `lectern review list --json` tells them, filtered as you like; `-`: stdin.")
    ] = None,
) -> None:
    """Label texts by script: those named, or all of a file."""
    words = [_named(text, verdict) for text in texts or ()] + (_of_file(file, verdict) if file else [])
    if not words:
        raise Failure("There is nothing to label: name DOCUMENT/ITEM, or give --file.", Exit.USAGE, "usage")
    made: list[Any] = []
    for start in range(0, len(words), MOST_AT_ONCE):
        made += session.api.post("/v1/garbage/labels", {"labels": words[start : start + MOST_AT_ONCE]})["items"]
    session.emit(made) if session.as_json else session.say(f"{count(len(made), 'text')}: {verdict}.")


def _named(text: str, verdict: str) -> dict[str, str]:
    document, slash, item = text.partition("/")
    if not slash or not item:
        raise Failure(f"{text!r} is no DOCUMENT/ITEM.", Exit.USAGE, "usage")
    return {"document": document, "item": item, "verdict": verdict}


def _of_file(path: Path, verdict: str) -> list[dict[str, str]]:
    import json

    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
        return [{"document": str(one["document"]), "item": str(one["id"]), "verdict": verdict} for one in json.loads(text)]
    except (OSError, UnicodeError, ValueError, KeyError, TypeError) as error:
        raise Failure(f"{path} is no list of items as of `lectern review list --json`: {error}", Exit.USAGE) from error


@command(app, "summary")
def summary(session: Session) -> None:
    """Tell where review stands: labels, agreement, and the versions of the classifier beside the rules."""
    found = session.api.get("/v1/review")
    if session.as_json:
        session.emit(found)
        return
    from cli.render import pairs

    session.console.print(pairs([
        ("labels", found["labels"]), ("to the next version", found["to_next_version"]),
        ("texts", f"{found['kept']} kept, {found['set_aside']} set aside by rules"), ("decided by", found["decided_by"]),
        *((f"{one['reviewers'][0]} and {one['reviewers'][1]}", _agreed(one)) for one in found["agreement"]),
    ]))  # fmt: skip
    if found["versions"]:
        from cli.commands.classifiers import show

        show(session, found["versions"])


def _agreed(pair: dict[str, Any]) -> str:
    beyond = "" if pair["kappa"] is None else f", kappa {pair['kappa']:.2f}"
    return f"agree on {pair['agreement']:.0%} of {count(pair['texts'], 'text')}{beyond}"
