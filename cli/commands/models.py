"""`lectern models` and `lectern evidence`: tuned models, and the pages behind what they say."""

from typing import Annotated, Any

import typer

from cli.command import command
from cli.session import Session
from cli.text import one_line, segment

PANEL = "Models"


def register(app: typer.Typer) -> None:
    command(app, "models", panel=PANEL)(models)
    command(app, "evidence", panel=PANEL)(evidence)


def models(
    session: Session, model: Annotated[str | None, typer.Argument(help="Show this one: an id or a name.")] = None
) -> None:
    """List the tuned models with how they score against their base, or show one."""
    from cli.render import table

    found = [session.api.get(f"/v1/tuned-models/{segment(model)}")] if model else list(session.api.items("/v1/tuned-models"))
    if session.as_json:
        session.emit(found[0] if model else found)
        return
    rows = [
        (each["id"], each["name"], each["base"], each["dataset"], f"{each['evaluation']['base']['loss']:.4f}",
         f"{each['evaluation']['tuned']['loss']:.4f}", each["created_at"][:19])
        for each in found
    ]  # fmt: skip
    session.console.print(table(["model", "name", "base", "dataset", "base loss#", "tuned loss#", "made"], rows))
    for each in found:
        if note := forgotten_note(each):
            session.say(f"{each['id']} {note}")


def forgotten_note(found: dict[str, Any]) -> str:
    """What must be known of a model that was trained on documents which had to go."""
    saw = found.get("saw_forgotten") or ()
    return f"saw forgotten documents: {', '.join(one[:12] for one in saw)}" if saw else ""


def evidence(
    session: Session,
    model: Annotated[str, typer.Argument(help="A tuned model's id or name.")],
    text: Annotated[str, typer.Argument(help="What was asked or answered.")],
    limit: Annotated[int, typer.Option(min=1, max=50, help="At most so many chunks.")] = 5,
) -> None:
    """Show the pages that a model was trained on which fit a text best."""
    answer = session.api.get(f"/v1/tuned-models/{segment(model)}/evidence", text=text, limit=limit)
    if session.as_json:
        session.emit(answer)
        return
    from cli.render import table

    session.console.print(
        table(["file", "page", "score#", "passage*"], [evidence_row(each) for each in evidence_items(answer)])
    )


def evidence_items(answer: Any) -> list[dict[str, Any]]:
    items = answer.get("items", []) if isinstance(answer, dict) else answer
    return [dict(item) for item in items]


def evidence_row(item: dict[str, Any]) -> tuple[str, str, str, str]:
    """File, pages, score, passage."""
    pages = item.get("pages") or sorted({span["page"] for span in item.get("spans", ())})
    score = item.get("score")
    shown = f"{score:.2f}" if isinstance(score, float | int) else ""
    return (
        one_line(item.get("filename", item.get("document", "")), 40),
        ", ".join(map(str, pages)),
        shown,
        one_line(item.get("text", ""), 240),
    )
