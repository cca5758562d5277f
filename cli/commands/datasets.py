"""`lectern dataset`: instruction datasets made of a collection's chunks."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cli.assignments import parse_assignments
from cli.command import command
from cli.session import Session
from cli.text import one_line, segment

app = typer.Typer(help="Datasets: instruction examples made of a collection's chunks; immutable.", no_args_is_help=True)


def register(main: typer.Typer) -> None:
    main.add_typer(app, name="dataset", rich_help_panel="Learning")


@command(app, "build")
def build(
    session: Session,
    name: Annotated[str, typer.Argument(help="What to call it.")],
    collection: Annotated[str, typer.Option("--collection", "-c", help="Whose documents: all that are done now.")] = "default",
    base: Annotated[str | None, typer.Option(help="The base model it is for; its tokenizer counts.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="A parameter, such as heldout_share=0.2; may be repeated.", metavar="NAME=VALUE"),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Stay until it is made.")] = False,
) -> None:
    """Make a dataset of all documents of a collection that are done. The same documents and settings are the same dataset."""
    from cli.waiting import wait_for_job

    body = {"name": name, "collection": collection, "base": base, "parameters": parse_assignments(settings or [])}
    found = session.api.post("/v1/datasets", {key: value for key, value in body.items() if value})
    if wait:
        wait_for_job(session, found["job"])
        found = session.api.get(f"/v1/datasets/{found['id']}")
    _show(session, found)
    if not wait:
        session.say(f"Watch it with `lectern watch {found['job']}`.")


@command(app, "list")
def list_(session: Session) -> None:
    """List the datasets, newest first."""
    from cli.render import state, table

    found = list(session.api.items("/v1/datasets"))
    if session.as_json:
        session.emit(found)
        return
    rows = [
        (each["id"], each["wish"]["name"], each["wish"].get("version", 1), each["wish"]["collection"],
         len(each["wish"]["inputs"]), *_counts(each), state(each["state"]))
        for each in found
    ]  # fmt: skip
    columns = ["dataset", "name", "version#", "collection", "documents#", "train#", "held-out#", "state"]
    session.console.print(table(columns, rows))


def _counts(dataset: dict[str, Any]) -> tuple[Any, Any]:
    result = _result(dataset)
    return result.get("train", ""), result.get("heldout", "")


def _result(dataset: dict[str, Any]) -> dict[str, Any]:
    return next((dict(stage["result"]) for stage in dataset["stages"] if stage["stage"] == "dataset"), {})


@command(app, "show")
def show(session: Session, dataset: Annotated[str, typer.Argument(help="The dataset's id.")]) -> None:
    """Show a dataset: what it is made of, and how many examples."""
    _show(session, session.api.get(f"/v1/datasets/{segment(dataset)}"))


@command(app, "download")
def download(
    session: Session,
    dataset: Annotated[str, typer.Argument(help="The dataset's id.")],
    split: Annotated[Literal["train", "heldout", "chunks", "duplicates"], typer.Option(help="Which part.")] = "train",
    format: Annotated[Literal["jsonl", "parquet"], typer.Option(help="In which format.")] = "jsonl",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write to this file instead of stdout.")] = None,
) -> None:
    """Download a dataset's examples, the chunks that they come from, or the duplicates that were left out."""
    from cli.downloading import to_file_or_stdout

    to_file_or_stdout(session, f"/v1/datasets/{segment(dataset)}/download", out, split=split, format=format)


@command(app, "card")
def card(
    session: Session,
    dataset: Annotated[str, typer.Argument(help="The dataset's id.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write to this file instead of stdout.")] = None,
) -> None:
    """Print a dataset's card: counts, licences, lengths, documents and samples, as Markdown."""
    from cli.downloading import to_file_or_stdout

    to_file_or_stdout(session, f"/v1/datasets/{segment(dataset)}/card", out)


@command(app, "preview")
def preview(
    session: Session,
    collection: Annotated[str, typer.Option("--collection", "-c", help="Whose documents.")] = "default",
    base: Annotated[str | None, typer.Option(help="The base model it would be for.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A parameter, as of `dataset build`.", metavar="NAME=VALUE")
    ] = None,
    documents: Annotated[int, typer.Option(min=1, max=20, help="How many documents are looked at.")] = 3,
    examples: Annotated[int, typer.Option(min=1, max=50, help="How many examples are shown.")] = 4,
) -> None:
    """Show a few examples as the model would see them, and how long they are, without making a dataset."""
    from cli.waiting import wait_for_job

    body = {
        "collection": collection, "base": base, "parameters": parse_assignments(settings or []), "documents": documents,
        "examples": examples,
    }  # fmt: skip
    found = session.api.post("/v1/datasets/preview", {key: value for key, value in body.items() if value})
    if found["state"] != "done":
        wait_for_job(session, found["job"])
        found = session.api.get(f"/v1/datasets/previews/{found['id']}")
    if session.as_json:
        session.emit(found)
        return
    from cli.previews import show_preview

    show_preview(session.console, found["preview"])


_COUNTED = ("recipes", "duplicates", "skipped")


def _show(session: Session, found: dict[str, Any]) -> None:
    if session.as_json:
        session.emit(found)
        return
    from cli.render import pairs, state

    wish, result = found["wish"], _result(found)
    facts = [
        (name, one_line(value, 200))
        for name, value in result.items()
        if name not in ("schema_version", "lengths", *_COUNTED) and value is not None
    ]
    session.console.print(pairs([
        ("dataset", found["id"]), ("name", wish["name"]), ("collection", wish["collection"]), ("base", wish["base"]),
        ("inputs", len(wish["inputs"])), ("state", state(found["state"])), ("reason", found.get("detail")),
        ("version", wish.get("version", 1)), *facts,
        *((name, _told(result.get(name))) for name in _COUNTED),
    ]))  # fmt: skip


def _told(counts: dict[str, int] | None) -> str | None:
    return ", ".join(f"{number} {what}" for what, number in (counts or {}).items()) or None
