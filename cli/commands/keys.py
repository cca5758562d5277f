"""`lectern key`: API keys."""

from typing import Annotated

import typer

from cli.command import command
from cli.outcome import Exit, Failure
from cli.session import Session
from cli.text import segment

app = typer.Typer(help="API keys: each with scopes of its own; only a hash is kept.", no_args_is_help=True)
SCOPES = ("read", "write", "admin")


def register(main: typer.Typer) -> None:
    main.add_typer(app, name="key", rich_help_panel="Operations")


@command(app, "create")
def create(
    session: Session,
    name: Annotated[str, typer.Argument(help="What to call it: whose it is, or what for.")],
    scopes: Annotated[
        list[str] | None, typer.Option("--scope", help="read, write or admin; may be repeated. Without any: read.")
    ] = None,
    requests_per_minute: Annotated[
        int | None, typer.Option(min=1, help="How many chats and completions it may ask in a minute. Without: any number.")
    ] = None,
    tokens_per_day: Annotated[
        int | None, typer.Option(min=1, help="How many tokens, of prompts and answers, it may use in a day (UTC).")
    ] = None,
) -> None:
    """Make an API key. Its secret is shown once, on stdout, and kept nowhere."""
    wanted = list(dict.fromkeys(scopes or ["read"]))
    unknown = [scope for scope in wanted if scope not in SCOPES]
    if unknown:
        raise Failure(f"There is no scope {unknown[0]!r}; there are {', '.join(SCOPES)}.", Exit.USAGE, "usage")
    limits = {"requests_per_minute": requests_per_minute, "tokens_per_day": tokens_per_day}
    answer = session.api.post("/v1/keys", {"name": name, "scopes": wanted, **limits})
    if session.as_json:
        session.emit(answer)
        return
    secret = answer.get("secret") or answer.get("key")
    session.say(str(secret))
    if session.console.is_terminal:
        session.say("Keep it: it is not shown again.")


@command(app, "list")
def list_(session: Session) -> None:
    """List the API keys, without their secrets, and what each has asked of the models today."""
    from cli.render import table

    found = list(session.api.items("/v1/keys"))
    if session.as_json:
        session.emit(found)
        return
    rows = [
        (each["id"], each["name"], ", ".join(each["scopes"]), each["created_at"][:19],
         "revoked" if each["revoked_at"] else "valid", _used(each["today"]["tokens"], each["tokens_per_day"]),
         f"{each['today']['requests']:,}", _most(each["requests_per_minute"]))
        for each in found
    ]  # fmt: skip
    session.console.print(
        table(["key", "name*", "scopes", "made", "state", "tokens today", "requests today", "a minute"], rows)
    )


def _used(tokens: int, most: int | None) -> str:
    return f"{tokens:,} of {most:,}" if most else f"{tokens:,}"


def _most(number: int | None) -> str:
    return f"at most {number:,}" if number else "any"


@command(app, "revoke")
def revoke(session: Session, key: Annotated[str, typer.Argument(help="The key's id (see `lectern key list`).")]) -> None:
    """Make an API key worthless from now on."""
    answer = session.api.delete(f"/v1/keys/{segment(key)}")
    session.emit(answer) if session.as_json else session.say(f"Key {key} is revoked.")


@command(app, "audit")
def audit(session: Session, limit: Annotated[int, typer.Option(min=1, help="How many entries.")] = 50) -> None:
    """Show who changed what, newest first."""
    from itertools import islice

    from cli.render import table

    found = list(islice(session.api.items("/v1/keys/audit"), limit))
    if session.as_json:
        session.emit(found)
        return
    rows = [(each["at"][:19], each["name"], each["key"], each["method"], each["path"]) for each in found]
    session.console.print(table(["at", "name", "key", "method", "path*"], rows))
