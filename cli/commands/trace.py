"""`lectern trace`: from an example or chunk to its pages, from a document or model to all that hangs together with it."""

from typing import Annotated, Any

import typer

from cli.command import command
from cli.session import Session
from cli.text import count, one_line, segment

PANEL = "Learning"


def register(app: typer.Typer) -> None:
    command(app, "trace", panel=PANEL)(trace)


def trace(
    session: Session,
    name: Annotated[
        str, typer.Argument(help="Id of an example, chunk or document, or a model.", metavar="EXAMPLE|CHUNK|DOCUMENT|MODEL")
    ],
    dataset: Annotated[str | None, typer.Option(help="Look for the example in this dataset alone.")] = None,
) -> None:
    """Show where something comes from, and what came of it: example, chunk, document, page and box, and back."""
    path = f"/v1/datasets/{segment(dataset)}/examples/{segment(name)}" if dataset else f"/v1/trace/{segment(name)}"
    found = session.api.get(path)
    if session.as_json:
        session.emit(found)
        return
    shown = {"example": _example, "chunk": _chunk, "model": _model}
    shown.get(found.get("kind", ""), _document)(session, found)


def _example(session: Session, found: dict[str, Any]) -> None:
    from cli.render import pairs

    example, chunk = found["example"], found["chunk"] or {}
    session.console.print(pairs([
        ("example", f"{example['id']} ({found['split']} of {found['dataset_name']}, {found['dataset']})"),
        ("recipe", example["recipe"]), ("asks", one_line(example["instruction"], 200)),
        ("answers", one_line(example["output"], 200)),
        ("chunk", f"{example['chunk']} ({one_line(' › '.join(chunk.get('section', ())), 100)})"),
        ("document", f"{example['document']}  {one_line(example['filename'], 60)}"),
        ("on the shelves", ", ".join(found["collections"]) or "none any more"),
        ("models", ", ".join(found["models"]) or "none"),
    ]))  # fmt: skip
    _places(session, found["places"])


def _chunk(session: Session, found: dict[str, Any]) -> None:
    from cli.render import pairs

    chunk = found["chunk"]
    session.console.print(pairs([
        ("chunk", f"{chunk['id']} of dataset {found['dataset']}"), ("text", one_line(chunk["text"], 400)),
        ("document", f"{chunk['document']}  {one_line(found['filename'], 60)}"),
        ("on the shelves", ", ".join(found["collections"]) or "none any more"),
        ("examples", ", ".join(found["examples"]) or "none"), ("models", ", ".join(found["models"]) or "none"),
    ]))  # fmt: skip
    _places(session, found["places"])


def _places(session: Session, places: list[dict[str, Any]]) -> None:
    from cli.render import table

    rows = [(one["page"], _box(one["box"]), _stands(one["stands"]), one_line(one["on_page"] or "", 160)) for one in places]
    session.console.print(table(["page#", "box", "stands there", "read there*"], rows))


def _box(box: list[float] | None) -> str:
    return "–" if box is None else ", ".join(f"{edge:.0f}" for edge in box)


def _stands(stands: bool | None) -> str:
    return "not known" if stands is None else "yes" if stands else "no"


def _model(session: Session, found: dict[str, Any]) -> None:
    from cli.render import pairs, table

    session.console.print(pairs([
        ("model", found["model"]), ("base", found["base"]), ("run", found["run"]),
        ("dataset", f"{found['dataset']} ({found['dataset_name']})"),
        ("came from", ", ".join(f"{one['model']} ({one['dataset_name']})" for one in found["ancestors"]) or None),
        ("others came from it", ", ".join(found["children"]) or None),
        ("deployments", ", ".join(found["deployments"]) or "none"),
        ("saw forgotten documents", ", ".join(one[:12] for one in found["saw_forgotten"]) or None),
    ]))  # fmt: skip
    taught = [(found["dataset_name"], found["documents"])]
    taught += [(one["dataset_name"], one["documents"]) for one in found["ancestors"]]
    rows = [(of, one[:12], one_line(name, 100)) for of, documents in taught for one, name in documents]
    session.console.print(table(["dataset", "document", "file*"], rows))


def _how(run: dict[str, Any]) -> str:
    how = "trained on it" if run["trained"] else "measured on it"
    return f"{how}, or started from {run['parent']}, which was" if run.get("parent") else how


def _document(session: Session, found: dict[str, Any]) -> None:
    from cli.render import pairs, table

    session.console.print(pairs([
        ("document", found["document"]), ("file", ", ".join(found["filenames"])),
        ("on the shelves", ", ".join(found["collections"])),
    ]))  # fmt: skip
    rows = [
        ("dataset", one["dataset"], one["name"], f"{count(one['train'], 'training example')}, {one['heldout']} held out")
        for one in found["datasets"]
    ]
    rows += [("run", one["run"], one["name"], _how(one)) for one in found["runs"]]
    rows += [("model", one["model"], "", "trained on it" if one["trained"] else "measured on it") for one in found["models"]]
    rows += [("export", one["export"], one["model"], one["variant"]) for one in found["exports"]]
    rows += [("deployment", one["deployment"], one["model"], one["state"]) for one in found["deployments"]]
    session.console.print(table(["used in", "id", "name", "how*"], rows))
