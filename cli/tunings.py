"""Tunings as the command asks for them, follows them and shows them."""

import json
from pathlib import Path
from typing import Any

from cli.outcome import Exit, Failure
from cli.session import Session
from cli.text import one_line, segment
from shared.contracts.tunings import MOST_CHARACTERS, MOST_PROMPTS

MODES = ("chat", "completion")
VERDICTS = {
    "plain": "plain", "faster": "faster", "not-faster": "not faster", "answers-part": "answers part", "failed": "failed",
}  # fmt: skip

WIDE = 110
"""Columns of a terminal in which the whole table has room."""
LEFT_OUT = ("first token#", "accepted#")
"""What is not shown where it has none; the web app and --json have it."""


def require_as_it_is(name: str, variant: str | None, settings: list[str] | None, replicas: int | None) -> None:
    """What is tuned by its name alone is not deployed anew. Raises Failure where options would have it another."""
    if variant is not None or settings or replicas is not None:
        raise Failure(
            f"`--name {name} --tune` tunes what {name} serves as it is: leave --variant, --set and --replicas out, or name the "
            "model that is to be deployed so first.", Exit.USAGE, "usage",
        )  # fmt: skip


def require_tunable(canary: int | None, speculate: str | None, guess: int | None) -> None:
    """Raises Failure where options do not go together."""
    if canary is not None or speculate is not None or guess is not None:
        raise Failure(
            "--tune tries ways of guessing itself, on what is served to all: leave --canary, --speculate and --guess out.",
            Exit.USAGE, "usage",
        )  # fmt: skip


def tuning_request(concurrency: int | None, draft: str | None, prompts: Path | None) -> dict[str, Any]:
    """A tuning as REST has it. Raises Failure where the file of prompts is none."""
    told = {"concurrency": concurrency, "draft": draft, "prompts": read_prompts(prompts) if prompts else None}
    return {name: value for name, value in told.items() if value is not None}


def read_prompts(file: Path) -> list[dict[str, Any]]:
    """The prompts in a JSON Lines file. Raises Failure, which names the line that is none."""
    try:
        lines = [line for line in file.read_text(encoding="utf-8").split("\n") if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}.", Exit.USAGE, "usage") from error
    if not 1 <= len(lines) <= MOST_PROMPTS:
        raise Failure(f"{file} holds {len(lines)} prompts: give 1 to {MOST_PROMPTS}, one a line.", Exit.USAGE, "usage")
    return [_prompt(file, at, line) for at, line in enumerate(lines, 1)]


def _prompt(file: Path, at: int, line: str) -> dict[str, Any]:
    try:
        told = json.loads(line)
    except ValueError:
        told = None
    prompt, mode = (told.get("prompt"), told.get("mode", "chat")) if isinstance(told, dict) else (None, None)
    if not isinstance(prompt, str) or not 1 <= len(prompt) <= MOST_CHARACTERS or mode not in MODES:
        raise Failure(
            f"Prompt {at} of {file} is none: each line is a JSON object with `prompt`, a text of 1 to {MOST_CHARACTERS:,} "
            "characters, and where it is a text to go on with, `mode`: `completion`.", Exit.USAGE, "usage",
        )  # fmt: skip
    return {"prompt": prompt, "mode": mode}


def follow_tuning(session: Session, name: str, asked: dict[str, Any]) -> None:
    """Ask for a tuning, stay until it is done, and show what it found."""
    from cli.waiting import wait_for_job

    path = f"/v1/deployments/{segment(name)}/tunings"
    found = session.api.post(path, asked)
    session.say(f"{name} is being tuned as {found['job']}; Ctrl-C leaves it running, `lectern cancel {found['job']}` does not.")
    job = wait_for_job(session, found["job"])
    found = session.api.get(f"{path}/{found['number']}")
    show_tuning(session, found)
    if found["report"]["changes"]:
        used = (job.get("result") or {}).get("put_to_use")
        session.say(
            f"{name} is on its way to it; `lectern rollback {name}` undoes that." if used
            else f"{name} was changed meanwhile, so it is left as it is."
        )  # fmt: skip


def show_tuning(session: Session, found: dict[str, Any]) -> None:
    """A tuning's report, or where it stands."""
    report = found["report"]
    if session.as_json:
        session.emit(found)
    elif report is None:
        told = f": {one_line(found['detail'], 400)}" if found.get("detail") else ""
        session.say(f"Tuning {found['number']} of {found['wish']['deployment']} is {found['state']}{told}")
    else:
        _show(session, report)


def _show(session: Session, report: dict[str, Any]) -> None:
    from cli.render import table

    many = report["parameters"]["concurrency"]
    columns = ("setting*", "alone#", f"{many} at once#", "first token#", "gain#", "accepted#", "same answers#", "verdict")
    shown = [at for at, name in enumerate(columns) if session.console.width >= WIDE or name not in LEFT_OUT]
    rows = [[row[at] for at in shown] for row in (_row(one, report) for one in report["trials"])]
    session.console.print(table([columns[at] for at in shown], rows))
    for one in report["trials"]:
        if one["problem"]:
            session.say(f"{one['name']}: {one_line(one['problem'], 300)}")
    session.say(f"Kept: {report['kept_name']}. {report['reason']}")
    where, tokens = f"at {many} at once" if many > 1 else "alone", report["parameters"]["answer_tokens"]
    session.say(
        f"Tokens a second; to the first token, median and p99 {where}; gain over plain, and noise; how far apart in nats two "
        f"tokens were where answers part, up to {report['near_tie_nats']:g} being near-ties. {prompts_told(report)} Answers of "
        f"up to {tokens} tokens."
    )


def prompts_told(report: dict[str, Any]) -> str:
    """Where the prompts came from."""
    counts = report["prompts"]
    told = {
        "given": "given", "feedback": "from feedback", "heldout": "held out of training", "too_long": "left out as too long",
    }  # fmt: skip
    return f"Prompts: {', '.join(f'{counts[name]} {words}' for name, words in told.items() if counts[name])}."


def _row(trial: dict[str, Any], report: dict[str, Any]) -> tuple[str, ...]:
    kept = trial["setting"] == report["kept"] and trial["verdict"] in ("plain", "faster")
    verdict = VERDICTS[trial["verdict"]] + (", kept" if kept else "")
    if trial["alone"] is None:
        return (trial["name"], *([""] * 6), verdict)
    load, said = trial["together"] or trial["alone"], trial["answers"]
    return (
        trial["name"], f"{trial['alone']['tokens_per_second']:.1f}",
        f"{trial['together']['tokens_per_second']:.1f}" if trial["together"] else "",
        f"{load['first_token_seconds']:.2f}, {load['first_token_p99_seconds']:.2f} s",
        f"{trial['gain']:.2f} ± {trial['noise']:.2f}", "" if trial["acceptance"] is None else f"{trial['acceptance']:.0%}",
        f"{said['same']} of {said['of']}{_gaps(said)}", verdict,
    )  # fmt: skip


def _gaps(said: dict[str, Any]) -> str:
    """By how much the others part, at most."""
    gaps = said["gaps"]
    return "" if not gaps else ", far" if None in gaps else f", ≤ {max(gaps):.3g}"
