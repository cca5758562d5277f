"""How a function becomes a command: the options that every command has, one session, and one place for failures."""

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from cli.outcome import Exit, Failure
from cli.session import Session

_CONNECTION = "Connection"

JsonOption = Annotated[bool, typer.Option("--json", help="Answer in JSON on stdout, for programs.", rich_help_panel="Output")]
HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="The local home (else LECTERN_HOME, else ~/.lectern).", rich_help_panel=_CONNECTION),
]
ServerOption = Annotated[
    str | None,
    typer.Option(
        "--server", help="URL of the gateway (else LECTERN_SERVER, else the local home's).", rich_help_panel=_CONNECTION
    ),
]
KeyOption = Annotated[
    str | None,
    typer.Option("--key", help="API key (else LECTERN_KEY, else the local home's).", rich_help_panel=_CONNECTION),
]

LOCAL: dict[str, Any] = {"as_json": JsonOption, "home_option": HomeOption}
CLIENT: dict[str, Any] = {
    "as_json": JsonOption, "server_option": ServerOption, "key_option": KeyOption, "home_option": HomeOption,
}  # fmt: skip
_DEFAULTS: dict[str, Any] = {"as_json": False, "server_option": None, "key_option": None, "home_option": None}


def command(
    app: typer.Typer, name: str, *, options: dict[str, Any] = CLIENT, panel: str | None = None, **settings: Any
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function whose first parameter is the session; the other parameters are its own options."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        @wraps(function)
        def call(**given: Any) -> None:
            session = Session(**{option: given.pop(option) for option in options})
            raise typer.Exit(run(session, function, given))

        _reshape(call, function, options)
        app.command(name, rich_help_panel=panel, **settings)(call)
        return function

    return register


def run(session: Session, function: Callable[..., None], given: dict[str, Any]) -> int:
    """Run a command's function; returns the exit code. A failure is told; what is broken is not hidden."""
    try:
        function(session, **given)
    except Failure as failure:
        session.complain(failure)
        return int(failure.exit_code)
    except KeyboardInterrupt:
        session.complain(Failure("interrupted", Exit.INTERRUPTED, "interrupted"))
        return int(Exit.INTERRUPTED)
    except BrokenPipeError:
        return int(Exit.OK)
    finally:
        session.close()
    return int(Exit.OK)


def _reshape(call: Callable[..., None], function: Callable[..., None], options: dict[str, Any]) -> None:
    """Give `call` the parameters of `function`, less its session, and the shared options."""
    hints = get_type_hints(function, include_extras=True)
    own = list(inspect.signature(function).parameters.values())[1:]
    parameters = [each.replace(annotation=hints[each.name], kind=inspect.Parameter.KEYWORD_ONLY) for each in own]
    for option, annotation in options.items():
        parameters.append(
            inspect.Parameter(
                option, inspect.Parameter.KEYWORD_ONLY, default=_DEFAULTS[option], annotation=annotation
            )
        )  # fmt: skip
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {each.name: each.annotation for each in parameters}
    del call.__wrapped__  # type: ignore[attr-defined]
