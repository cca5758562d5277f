"""What every command shares: where the server is, who asks, and how answers are given."""

import json
import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.home import DEFAULT_SERVER, Home
from cli.outcome import Failure

if TYPE_CHECKING:
    from rich.console import Console

    from cli.api import Api

PIPE_COLUMNS = 120
"""Width of tables where no terminal says how wide it is."""


@dataclass
class Session:
    """One call of the command. Nothing is read or connected before it is needed."""

    as_json: bool = False
    server_option: str | None = None
    key_option: str | None = None
    home_option: Path | None = None
    _opened: list["Api"] = field(default_factory=list)

    @cached_property
    def settings(self) -> Any:
        from cli.settings import CliSettings

        return CliSettings()

    @cached_property
    def home(self) -> Home:
        return Home.at(self.home_option or self.settings.home)

    @cached_property
    def server(self) -> str:
        """The gateway's URL: the option, the environment, the local home's, the default."""
        found = self.server_option or self.settings.server or self.home.server() or DEFAULT_SERVER
        return found.rstrip("/")

    @cached_property
    def key(self) -> str | None:
        """The API key. The local home's key is shown to the local home's server alone."""
        if self.key_option:
            return self.key_option
        if self.settings.key is not None:
            return str(self.settings.key.get_secret_value())
        local = (self.home.server() or DEFAULT_SERVER).rstrip("/")
        return self.home.key() if self.server == local else None

    @cached_property
    def api(self) -> "Api":
        from cli.api import Api

        api = Api(self.server, self.key)
        self._opened.append(api)
        return api

    @cached_property
    def console(self) -> "Console":
        """Where people read. Under --json it is the error stream, so that stdout holds JSON alone."""
        from rich.console import Console

        console = Console(stderr=self.as_json, highlight=False)
        return console if console.is_terminal else Console(stderr=self.as_json, highlight=False, width=PIPE_COLUMNS)

    def emit(self, value: Any) -> None:
        """Print a value as JSON on stdout."""
        sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None) + "\n")
        sys.stdout.flush()

    def emit_line(self, value: Any) -> None:
        """Print a value as one line of JSON Lines."""
        sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
        sys.stdout.flush()

    def say(self, text: str) -> None:
        """A sentence for people; silent under --json. Square brackets in it mean nothing."""
        if self.as_json:
            return
        if sys.stdout.isatty():
            self.console.print(text, markup=False, soft_wrap=True)
        else:
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()

    def complain(self, failure: Failure) -> None:
        """Tell why the command fails, on the error stream."""
        if self.as_json:
            told = {"code": failure.code, "message": failure.message, "exit": int(failure.exit_code)}
            sys.stderr.write(json.dumps({"error": told}, ensure_ascii=False) + "\n")
        else:
            sys.stderr.write(f"lectern: {failure.message}\n")

    def close(self) -> None:
        for api in self._opened:
            api.close()
