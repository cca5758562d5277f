"""`lectern models`, `lectern evidence`, `lectern forgetting` and `lectern promote`: tuned models, the pages behind what they
say, what they forgot, and which version a name means."""

from typing import Annotated, Any

import typer

from cli.command import command
from cli.commands.runs import stage_result
from cli.session import Session
from cli.text import one_line, segment

PANEL = "Models"


def register(app: typer.Typer) -> None:
    command(app, "models", panel=PANEL)(models)
    command(app, "evidence", panel=PANEL)(evidence)
    command(app, "forgetting", panel=PANEL)(forgetting)
    command(app, "promote", panel=PANEL)(promote)


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
        (each["id"], each["name"], each.get("parent") or each["base"], each["dataset"],
         f"{each['evaluation']['base']['loss']:.4f}", f"{each['evaluation']['tuned']['loss']:.4f}",
         "yes" if each.get("promoted") else "", each["created_at"][:19])
        for each in found
    ]  # fmt: skip
    session.console.print(table(["model", "name", "from", "dataset", "base loss#", "tuned loss#", "promoted", "made"], rows))
    for each in found:
        if note := forgotten_note(each):
            session.say(f"{each['id']} {note}")
    if model:
        _say_choice(session, found[0]["run"])


def _say_choice(session: Session, run: str) -> None:
    """Which weights the run ended with and why, where there was a choice."""
    from cli.render import table

    choice = stage_result(session.api.get(f"/v1/runs/{segment(run)}"), "training").get("choice")
    if not choice:
        return
    session.say(f"chosen: {choice['reason']}")
    rows = [
        (each["name"], ", ".join(map(str, each["steps"])), f"{each['score']:.4f}",
         ", ".join(f"{name} {loss:.4f}" for name, loss in each["losses"].items()),
         f"{each['lost']:.1%}" if each["lost"] else "")
        for each in choice["candidates"]
    ]  # fmt: skip
    session.console.print(table(["weights", "of steps", "score#", "held-out losses*", "lost by rank#"], rows))


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


def forgetting(session: Session, model: Annotated[str, typer.Argument(help="A tuned model's id or name.")]) -> None:
    """Show what a model forgot: it, earlier versions and the base on every held-out set it was measured on."""
    report = session.api.get(f"/v1/tuned-models/{segment(model)}/forgetting")
    if session.as_json:
        session.emit(report)
        return
    from cli.render import table

    columns = ["set", "version", "loss#", "", "perplexity#", "F1#", "stop#", "rise#", ""]
    session.console.print(table(columns, forgetting_rows(report)))
    worse = [one for one in report["changes"] if one["worse"]]
    session.say(
        f"{report['model']} is worse beyond noise on {len(worse)} of {len(report['changes'])} held-out sets."
        if worse
        else f"{report['model']} forgot nothing beyond noise, on {len(report['changes'])} held-out sets."
    )


def forgetting_rows(report: dict[str, Any]) -> list[tuple[Any, ...]]:
    """A row for each version on each set it was measured on."""
    from rich.text import Text

    rows: list[tuple[Any, ...]] = []
    for at, column in enumerate(report["sets"]):
        for version in report["versions"]:
            cell = version["cells"][at]
            if (score := cell["score"]) is None:
                continue
            loss, rise = score["loss"], cell["rise"]
            rows.append(
                (one_line(column["name"], 30), version["version"], f"{loss['value']:.3f}",
                 f"{loss['low']:.3f} to {loss['high']:.3f}", f"{score['perplexity']['value']:.2f}", _value(score["f1"]),
                 _value(score["stops"]), "" if rise is None else f"{rise:+.3f}",
                 Text("worse", style="red") if cell["worse"] else "")
            )  # fmt: skip
    return rows


def _value(measured: dict[str, float] | None) -> str:
    return f"{measured['value']:.2f}" if measured else "–"


def promote(
    session: Session,
    model: Annotated[str, typer.Argument(help="A tuned model's id, or its name for the newest version.")],
    max_forgetting: Annotated[
        float | None, typer.Option(min=0, help="Greatest rise of loss on any held-out set, in nats (else the gateway's).")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Promote it whatever it forgot; needs --reason.")] = False,
    reason: Annotated[str, typer.Option(help="Kept with the promotion.")] = "",
) -> None:
    """Make a version the one that its name means in `lectern deploy`; refused where it forgot more than is allowed."""
    asked = {"max_forgetting": max_forgetting, "force": force, "reason": reason}
    made = session.api.post(f"/v1/tuned-models/{segment(model)}/promotion", asked)
    if session.as_json:
        session.emit(made)
        return
    session.say(f"{made['name']} means {made['model']} from now on{', by force' if made['forced'] else ''}.")
