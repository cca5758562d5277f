"""`lectern classifier`: versions of the garbage classifier, each measured beside the rules on labels it never saw."""

from typing import Annotated, Any, Literal

import typer

from cli.assignments import parse_assignments
from cli.command import command
from cli.session import Session
from cli.text import one_line, segment

app = typer.Typer(help="Classifiers: what is learned from reviewers' labels.", no_args_is_help=True)

COLUMNS = ["version", "made", "labels#", "rules F1#", "before F1#", "precision#", "recall#", "F1#", "ECE#", "decides"]


def register(main: typer.Typer) -> None:
    main.add_typer(app, name="classifier", rich_help_panel="Documents")


@command(app, "list")
def list_(session: Session) -> None:
    """List the latest versions, newest first, with how they compare on held-out labels."""
    if session.as_json:
        session.emit(list(session.api.items("/v1/classifiers")))
        return
    show(session, session.api.get("/v1/review")["versions"])


def show(session: Session, versions: list[dict[str, Any]]) -> None:
    """The figures in a table, and under it why each version decides or does not: sentences that no column has room for."""
    from cli.render import pairs, table

    session.console.print(table(COLUMNS, [version_row(one) for one in versions]))
    session.console.print(pairs([(one["id"], one_line(one["why"], 300)) for one in versions if one["why"]]))


def version_row(version: dict[str, Any]) -> tuple[Any, ...]:
    after = version["after"] or {}
    decides = "yes" if version["in_charge"] and version["adopted"] else "no" if version["after"] else version["state"]
    return (
        version["id"], version["created_at"][:19], version["labels"], _figure((version["rules"] or {}).get("f1")),
        _figure((version["before"] or {}).get("f1")), _figure(after.get("precision")), _figure(after.get("recall")),
        _figure(after.get("f1")), _figure(version["ece"]), decides,
    )  # fmt: skip


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


@command(app, "train")
def train(
    session: Session,
    kind: Annotated[
        Literal["tfidf", "encoder"], typer.Option(help="n-grams and logistic regression, or a published encoder, tuned.")
    ] = "tfidf",
    encoder: Annotated[str | None, typer.Option(help="The published base to tune, for an encoder.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="A parameter, such as confidence=0.9; may be repeated.", metavar="NAME=VALUE"),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Stay until it is trained and measured.")] = False,
) -> None:
    """Train a version on all labels there are. It decides in place of the rules once it beats them on held-out labels."""
    from cli.waiting import wait_for_job

    body = {"kind": kind, **({"encoder": encoder} if encoder else {}), **parse_assignments(settings or [])}
    found = session.api.post("/v1/classifiers", body)
    if wait:
        wait_for_job(session, found["job"])
        found = session.api.get(f"/v1/classifiers/{segment(found['id'])}")
    if session.as_json:
        session.emit(found)
        return
    results = [stage["result"] for stage in found["stages"] if stage["state"] == "done"]
    session.say(f"{found['id']}: {found['state']}. {results[0]['why'] if results else ''}".rstrip())
    if not wait and not results:
        session.say(f"Watch it with `lectern watch {found['job']}`.")
