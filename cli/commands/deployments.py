"""`lectern deploy`, `rollback`, `stop` and `deployments`: models that are served."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cli.assignments import parse_assignments
from cli.command import command
from cli.commands.models import forgotten_note
from cli.outcome import Exit, Failure
from cli.session import Session
from cli.text import one_line, segment
from cli.tunings import follow_tuning, require_as_it_is, require_tunable, show_tuning, tuning_request
from cli.waiting import wait_for_deployment
from shared.contracts.engines import MAX_REPLICAS, ServedVariant

PANEL = "Models"


def register(app: typer.Typer) -> None:
    command(app, "deploy", panel=PANEL)(deploy)
    command(app, "rollback", panel=PANEL)(rollback)
    command(app, "finish-canary", panel=PANEL)(finish_canary)
    command(app, "stop", panel=PANEL)(stop)
    command(app, "deployments", panel=PANEL)(deployments)
    command(app, "tunings", panel=PANEL)(tunings)


def deploy(
    session: Session,
    model: Annotated[str | None, typer.Argument(help="A tuned model's id or name; none with --base.")] = None,
    name: Annotated[str | None, typer.Option(help="The name to serve it under; the model's own without it.")] = None,
    base: Annotated[str | None, typer.Option(help="Serve this base model alone.")] = None,
    variant: Annotated[
        ServedVariant | None,
        typer.Option(help="adapter, as without it: on a shared base. Else an export: gguf-… on llama.cpp, others on vLLM."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="An argument of its engine, such as dtype=float32; may be repeated.", metavar="NAME=VALUE"),
    ] = None,
    replicas: Annotated[
        int | None, typer.Option(min=1, max=MAX_REPLICAS, help="Engines that answer for it, all alike; 1 without it.")
    ] = None,
    canary: Annotated[
        int | None, typer.Option(min=1, max=99, help="Serve it to so many requests in a hundred, beside what NAME serves.")
    ] = None,
    speculate: Annotated[
        Literal["ngram", "draft"] | None, typer.Option(help="Guess tokens: from the text so far, or by a draft model.")
    ] = None,
    draft: Annotated[str | None, typer.Option(help="The draft model: a published base with the same vocabulary.")] = None,
    guess: Annotated[int | None, typer.Option(min=1, max=16, help="Tokens guessed at once.")] = None,
    tune: Annotated[
        bool, typer.Option("--tune", help="Then try its settings on recorded prompts, and keep the fastest that loses nothing.")
    ] = False,
    concurrency: Annotated[
        int | None, typer.Option(min=1, max=64, help="With --tune: requests at once, beside one alone; 8 without it.")
    ] = None,
    prompts: Annotated[
        Path | None, typer.Option(help="With --tune: a JSON Lines file of prompts to ask, with `prompt` and maybe `mode`.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Stay until it answers.")] = False,
) -> None:
    """Serve a model under a name that OpenAI clients use as `model`.

    An export is served only if the gate kept it: make it with `lectern export`. Two deployments share an engine where they
    ask for the same base and the same arguments of it; else each has one of its own.

    With --tune and --name alone, what the name serves is tuned as it is. --draft is then a model to try, and nothing is waited
    for that Ctrl-C does not leave running.
    """
    if tune:
        require_tunable(canary, speculate, guess)
        asked = tuning_request(concurrency, draft, prompts)
        draft = None
        if model is None and base is None and name is not None:
            require_as_it_is(name, variant, settings, replicas)
            follow_tuning(session, name, asked)
            return
    elif concurrency is not None or prompts is not None:
        raise Failure("--concurrency and --prompts go with --tune.", Exit.USAGE, "usage")
    if (model is None) == (base is None):
        raise Failure("Name a tuned model, or a base model with --base.", Exit.USAGE, "usage")
    under = name or base or session.api.get(f"/v1/tuned-models/{segment(model or '')}")["name"]
    speculation = _speculation(speculate, draft, guess)
    wish = {"name": under, "model": model, "base": base, "canary_percent": canary, "speculation": speculation}
    form = {"replicas": replicas, "variant": variant, "engine_arguments": parse_assignments(settings or [])}
    found = session.api.post("/v1/deployments", {name: value for name, value in {**wish, **form}.items() if value is not None})
    if tune:
        wait_for_deployment(session, found["name"])
        follow_tuning(session, found["name"], asked)
    else:
        _follow(session, found, wait)


def _speculation(method: str | None, draft: str | None, guess: int | None) -> dict[str, Any] | None:
    """A wish's speculation, as REST has it. Raises Failure where options do not go together."""
    if draft is not None and method in (None, "draft"):
        told: dict[str, Any] = {"method": "draft", "model": draft}
    elif method == "ngram" and draft is None:
        told = {"method": "ngram"}
    elif method is None and guess is None:
        return None
    else:
        raise Failure("Guess with `--speculate ngram`, or with `--draft MODEL`; --guess goes with either.", Exit.USAGE, "usage")
    return told if guess is None else {**told, "tokens": guess}


def rollback(
    session: Session,
    name: Annotated[str, typer.Argument(help="The deployment's name.")],
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Stay until it answers.")] = False,
) -> None:
    """Serve what was served under a name before; a second time undoes the first. A canary is called off."""
    _follow(session, session.api.post(f"/v1/deployments/{segment(name)}/rollback"), wait)


def finish_canary(
    session: Session,
    name: Annotated[str, typer.Argument(help="The deployment's name.")],
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Stay until it answers.")] = False,
) -> None:
    """Serve a deployment's canary to all who ask for it."""
    _follow(session, session.api.post(f"/v1/deployments/{segment(name)}/canary/finish"), wait)


def _follow(session: Session, found: dict[str, Any], wait: bool) -> None:
    """Tell of a deployment that was wished for, once it is ready where that is waited for."""
    name = found["name"]
    if wait:
        found = wait_for_deployment(session, name)
    if session.as_json:
        session.emit(found)
    else:
        session.say(
            f"{name} is ready. Ask it: `lectern chat {name}`." if wait else f"{name} is on its way; see `lectern deployments`."
        )


def canary_note(deployment: dict[str, Any]) -> str:
    """Who else answers under its name, and whether."""
    wish, seen = deployment["wish"]["canary"], deployment["canary"]
    if not wish or not seen:
        return ""
    told = f"{wish['percent']} in 100 get {wish['model'] or wish['base']}, which is {seen['state']}"
    return f"{told}: {seen['detail']}" if seen["detail"] else told


def guess_note(deployment: dict[str, Any]) -> str:
    """How its engine guesses, and how well."""
    how, seen = deployment["wish"]["speculation"], deployment["guessed"]
    if not how:
        return ""
    told = f"guesses by {how['model'] if how['method'] == 'draft' else 'n-grams'}"
    return f"{told}, {seen['acceptance']:.0%} of {seen['guessed']} tokens accepted" if seen and seen["guessed"] else told


def stop(session: Session, name: Annotated[str, typer.Argument(help="The deployment's name.")]) -> None:
    """Stop serving a deployment. The model stays."""
    answer = session.api.delete(f"/v1/deployments/{segment(name)}")
    session.emit(answer) if session.as_json else session.say(f"{name} is being stopped.")


def deployments(session: Session, name: Annotated[str | None, typer.Argument(help="Show this one.")] = None) -> None:
    """List what is served, or is to be."""
    from cli.render import state, table

    found: list[dict[str, Any]] = (
        [session.api.get(f"/v1/deployments/{segment(name)}")] if name else list(session.api.items("/v1/deployments"))
    )
    if session.as_json:
        session.emit(found[0] if name else found)
        return
    rows = [
        (each["name"], each["wish"]["model"] or "(base alone)", each["wish"]["base"], each["wish"]["variant"],
         f"{len(each['endpoints'])}/{each['wish']['replicas']}", state(each["state"]),
         one_line("; ".join(filter(None, (each["detail"], canary_note(each), guess_note(each), forgotten_note(each)))), 200))
        for each in found
    ]  # fmt: skip
    session.console.print(table(["deployment", "model", "base", "as", "replicas", "state", "note*"], rows))


def tunings(
    session: Session,
    name: Annotated[str, typer.Argument(help="The deployment's name.")],
    number: Annotated[int | None, typer.Argument(min=1, help="Which one; the latest without it.")] = None,
) -> None:
    """Show what a tuning of a deployment found: the settings tried, their speed, their answers, and the one that was kept."""
    show_tuning(session, session.api.get(f"/v1/deployments/{segment(name)}/tunings/{number or 'latest'}"))
