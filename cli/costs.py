"""What a change would cost, as a table: told before the work, and before a terminal is asked."""

from typing import Any

from cli.session import Session
from cli.text import count, duration


def show_cost(session: Session, cost: dict[str, Any] | None) -> None:
    if session.as_json:
        session.emit(cost)
        return
    if cost is None:
        return
    from cli.render import table

    session.say(f"Changed: {', '.join(cost['changed']) or 'nothing'}.")
    if not cost["documents"]:
        session.say("Nothing has to be done again.")
        return
    rows = [
        (one["stage"], one["documents"], one["standing"], one["pages"], _rate(one), duration(one["seconds"]), one["measured"])
        for one in cost["stages"]
    ]
    columns = ["stage", "documents#", "standing#", "pages#", "s a page#", "time#", "measured on#"]
    session.console.print(table(columns, rows))
    of_all = f"{count(cost['documents'], 'document')} of {cost['documents_in_all']}, {count(cost['pages'], 'page')}"
    session.say(f"To be done again: {of_all}; {_time(cost)}. {cost['basis']}")


def _rate(stage: dict[str, Any]) -> str:
    return "–" if stage["seconds_per_page"] is None else f"{stage['seconds_per_page']:.4f}"


def _time(cost: dict[str, Any]) -> str:
    return "time not known" if cost["seconds"] is None else f"about {duration(cost['seconds'])} of one worker"
