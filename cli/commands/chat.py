"""`lectern chat`: talk with a served model in the terminal."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.command import command
from cli.outcome import Exit, Failure
from cli.session import Session
from cli.text import plain

if TYPE_CHECKING:
    from cli.talk import Answer

HELP = "/new begins anew · /evidence shows the pages behind the last answer · /quit or Ctrl-D ends"


def register(app: typer.Typer) -> None:
    command(app, "chat", panel="Models")(chat)


def chat(
    session: Session,
    model: Annotated[str | None, typer.Argument(help="A deployment; without one, the only one that is ready.")] = None,
    message: Annotated[
        str | None, typer.Option("--message", "-m", help="Ask this one thing and end; `-` reads it from stdin.")
    ] = None,
    compare_base: Annotated[bool, typer.Option("--compare-base", help="Ask the base model the same, first.")] = False,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest answer, in tokens.")] = 256,
    temperature: Annotated[float, typer.Option(min=0, max=2, help="0: always the likeliest token.")] = 0.0,
) -> None:
    """Talk with a served model; answers stream. In a terminal a conversation, with -m or from a pipe one question."""
    from cli.deployed import base_of, choose

    deployment = choose(session.api, model)
    asked = [base_of(deployment)] * compare_base + [deployment["name"]]
    talk = Talk(session, deployment, asked, max_tokens, temperature)
    if message is None and sys.stdin.isatty() and not session.as_json:
        talk.converse()
        return
    text = sys.stdin.read().strip() if message in (None, "-") else message
    if not text:
        raise Failure("There is nothing to ask; give a message with -m.", Exit.USAGE, "usage")
    answers = talk.ask(text)
    if session.as_json:
        session.emit({"message": text, "answers": [_told(name, answer) for name, answer in answers.items()]})


def _told(name: str, answer: "Answer") -> dict[str, Any]:
    return {
        "model": name, "version": answer.version, "text": answer.text, "finish_reason": answer.finish_reason,
        "tokens": answer.tokens, "tokens_per_second": round(answer.tokens_per_second, 2),
    }  # fmt: skip


class Talk:
    """One conversation, with one model or with two side by side; each hears its own answers only."""

    def __init__(
        self, session: Session, deployment: dict[str, Any], asked: list[str], max_tokens: int, temperature: float
    ) -> None:
        self._session = session
        self._deployment = deployment
        self._asked = asked
        self._max_tokens = max_tokens
        self._temperature = temperature
        self._history: dict[str, list[dict[str, str]]] = {name: [] for name in asked}
        self._last = ""
        self._version: str | None = None

    def ask(self, text: str) -> dict[str, "Answer"]:
        """Ask every model, one after the other, streaming their answers."""
        from cli.talk import ask, assistant, user

        answers = {}
        for name in self._asked:
            self._begin(name)
            messages = [*self._history[name], user(text)]
            answer = ask(
                self._session.api, name, messages, self._say, max_tokens=self._max_tokens, temperature=self._temperature
            )  # fmt: skip
            self._history[name] = [*messages, assistant(answer.text)]
            self._end(answer)
            answers[name] = answer
            self._last, self._version = answer.text, answer.version
        return answers

    def _begin(self, name: str) -> None:
        if len(self._asked) > 1:
            self._session.say(f"[{name}]")

    def _say(self, piece: str) -> None:
        if not self._session.as_json:
            sys.stdout.write(plain(piece))
            sys.stdout.flush()

    def _end(self, answer: "Answer") -> None:
        if self._session.as_json:
            return
        sys.stdout.write("\n")
        if self._session.console.is_terminal:
            how = "stopped by itself" if answer.finish_reason == "stop" else f"ended by {answer.finish_reason}"
            self._session.console.print(
                f"({answer.tokens} tokens, {answer.tokens_per_second:.0f} a second, {how})", style="dim", markup=False
            )

    def converse(self) -> None:
        """Ask what is typed until the end of input, remembering lines between calls."""
        from cli.history import remembered_lines

        self._session.say(f"Talking with {' and '.join(self._asked)}. {HELP}")
        with remembered_lines(self._session.home.root / "history"):
            while (line := _typed()) is not None:
                if line in ("/quit", "/exit"):
                    return
                if line:
                    self._obey(line)

    def _obey(self, line: str) -> None:
        if line == "/new":
            self._history = {name: [] for name in self._asked}
        elif line == "/evidence":
            self._evidence()
        elif line.startswith("/"):
            self._session.say(HELP)
        else:
            try:
                self.ask(line)
            except KeyboardInterrupt:
                self._session.say("\n(interrupted)")
            except Failure as failure:
                self._session.complain(failure)

    def _evidence(self) -> None:
        from cli.commands.models import evidence
        from cli.deployed import base_of

        model = self._version or self._deployment["wish"]["model"]
        if model in (None, base_of(self._deployment)):
            self._session.say("The base model was taught by no pages of yours.")
        elif self._last:
            evidence(self._session, model, self._last[:2000], 3)


def _typed() -> str | None:
    try:
        return input("> ").strip()
    except EOFError:
        sys.stdout.write("\n")
        return None
    except KeyboardInterrupt:
        sys.stdout.write("\n")
        return ""
