"""`lectern tune` and `lectern run`: training runs."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.assignments import merged, parse_assignments, read_mapping
from cli.command import command
from cli.commands.recipes import read_recipe, show_estimate
from cli.outcome import Exit, Failure
from cli.session import Session
from cli.text import duration, segment, size


class Method(StrEnum):
    """How a model is aligned: as the recipe's section has it."""

    DPO = "dpo"
    REWARD = "reward"
    GRPO = "grpo"
    RLOO = "rloo"


app = typer.Typer(help="Runs: trainings of a base model on a dataset.", no_args_is_help=True)


def register(main: typer.Typer) -> None:
    command(main, "tune", panel="Learning")(tune)
    main.add_typer(app, name="run", rich_help_panel="Learning")


def tune(
    session: Session,
    dataset: Annotated[str | None, typer.Argument(help="The dataset's id.")] = None,
    named: Annotated[str | None, typer.Option("--dataset", help="The same as the argument.", metavar="DATASET")] = None,
    parent: Annotated[
        str | None,
        typer.Option("--from", help="A tuned model to start from, by id or name; the base without it.", metavar="MODEL"),
    ] = None,
    align: Annotated[
        Method | None,
        typer.Option(
            help="Learn by this method instead of from the dataset's examples: dpo from preferences; reward makes a reward "
            "model of them; grpo and rloo learn from rewards, which the recipe names (alignment.rewards)."
        ),
    ] = None,
    preferences: Annotated[str | None, typer.Option(help="The preference set to learn from.", metavar="SET")] = None,
    name: Annotated[str, typer.Option(help="What to call the run and the model it makes.")] = "tuned",
    recipe: Annotated[Path | None, typer.Option(help="A YAML or JSON file of settings (the API's TrainingRecipe).")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting, such as learning_rate=2e-4; may be repeated.", metavar="NAME=VALUE"),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", "-w", help="Stay until it is trained and evaluated, showing the loss.")
    ] = False,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Only say what it would cost: memory by part, time, and whether it fits.")
    ] = False,
) -> None:
    """Tune a base model on a dataset (QLoRA), or with --from a tuned model further, and evaluate it against the base on
    held-out examples: the dataset's, and those of everything that model was tuned on before. With --align it learns which
    of two answers is preferred, or to tell which is."""
    from cli.waiting import wait_for_job

    wanted = _wanted(recipe, [*(settings or []), *([f"alignment.method={align.value}"] if align else [])])
    on = _dataset(dataset, named, parent is not None and _paired(wanted))
    asked = {"recipe": wanted, **_given(dataset=on, parent=parent, preferences=preferences)}
    if estimate:
        show_estimate(session, session.api.post("/v1/recipes/estimate", asked))
        return
    found = session.api.post("/v1/runs", {"name": name, **asked})
    if wait:
        wait_for_job(session, found["job"])
        found = session.api.get(f"/v1/runs/{found['id']}")
    _show(session, found)
    if not wait:
        session.say(f"Watch it with `lectern watch {found['job']}`.")


def _paired(wanted: dict[str, Any]) -> bool:
    """Whether it learns of pairs alone."""
    return "alignment" in wanted and (wanted["alignment"] or {}).get("method", Method.DPO) in (Method.DPO, Method.REWARD)


def _given(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def _dataset(argument: str | None, option: str | None, known: bool) -> str | None:
    """`known`: the server can do without, since it knows the dataset of the model that pairs are to be learned on."""
    found = {one for one in (argument, option) if one}
    if known and not found:
        return None
    if len(found) != 1:
        told = "Name one dataset, as an argument or with --dataset; `lectern dataset list` shows them."
        raise Failure(told, Exit.USAGE, "usage")
    return found.pop()


def _wanted(recipe: Path | None, settings: list[str] | None) -> dict[str, Any]:
    """What the file and the assignments say, and nothing they do not: a base that is left out is the dataset's. Raises
    Failure where it is no recipe, before the server is asked."""
    read_recipe(recipe, settings)
    return merged(read_mapping(recipe) if recipe else {}, parse_assignments(settings or []))


@command(app, "list")
def list_(session: Session) -> None:
    """List the runs, newest first."""
    from cli.render import state, table

    found = list(session.api.items("/v1/runs"))
    if session.as_json:
        session.emit(found)
        return
    rows = [(each["id"], each["wish"]["name"], each["wish"]["dataset"], *_losses(each), state(each["state"])) for each in found]
    session.console.print(table(["run", "name", "dataset", "base loss#", "tuned loss#", "state"], rows))


@command(app, "show")
def show(session: Session, run: Annotated[str, typer.Argument(help="The run's id.")]) -> None:
    """Show a run: its recipe, its training, its evaluation."""
    _show(session, session.api.get(f"/v1/runs/{segment(run)}"))


@command(app, "cancel")
def cancel(session: Session, run: Annotated[str, typer.Argument(help="The run's id.")]) -> None:
    """Call a run off; its worker stops at the next step."""
    found = session.api.get(f"/v1/runs/{segment(run)}")
    answer = session.api.delete(f"/v1/jobs/{segment(found['job'])}")
    session.emit(answer) if session.as_json else session.say(f"Run {run} is being called off.")


@command(app, "curve")
def curve(session: Session, run: Annotated[str, typer.Argument(help="The run's id.")]) -> None:
    """Print a run's training curve: a table, or JSON."""
    from cli.render import table

    points = curve_points(session.api.get(f"/v1/runs/{segment(run)}/curve"))
    if session.as_json:
        session.emit(points)
        return
    rows = [
        (each["step"], f"{each['loss']:.4f}", f"{each['learning_rate']:.2e}", each["tokens"], duration(each["seconds"]))
        for each in points
    ]
    session.console.print(table(["step#", "loss#", "learning rate#", "tokens#", "time#"], rows))


def curve_points(answer: Any) -> list[dict[str, Any]]:
    """The points in the server's answer, whether a bare list or a page of one."""
    points = answer.get("items", answer.get("points")) if isinstance(answer, dict) else answer
    return [dict(point) for point in points or []]


def stage_result(found: dict[str, Any], stage: str) -> dict[str, Any]:
    """What a stage said of itself, empty where it is not done."""
    return next((dict(each["result"]) for each in found["stages"] if each["stage"] == stage and each["state"] == "done"), {})


def _losses(run: dict[str, Any]) -> tuple[str, str]:
    scores = stage_result(run, "evaluation")
    return tuple(f"{scores[side]['loss']:.4f}" if scores else "" for side in ("base", "tuned"))  # type: ignore[return-value]


def _show(session: Session, found: dict[str, Any]) -> None:
    if session.as_json:
        session.emit(found)
        return
    from cli.render import pairs, state

    wish = found["wish"]
    session.console.print(pairs([
        ("run", found["id"]), ("name", wish["name"]), ("dataset", wish["dataset"]), ("preferences", wish.get("preferences")),
        ("scored by", (wish.get("reward") or {}).get("name")), ("from", (wish.get("parent") or {}).get("model")),
        ("recipe", ", ".join(_settings(wish["recipe"]))), ("state", state(found["state"])), ("reason", found.get("detail")),
        *_training(found), *_evaluation(found),
    ]))  # fmt: skip


def _settings(recipe: dict[str, Any], within: str = "") -> list[str]:
    """`name=value` of all that is set, as `--set` takes it."""
    told: list[str] = []
    for name, value in recipe.items():
        if isinstance(value, dict):
            told += _settings(value, f"{within}{name}.")
        elif name != "schema_version" and value is not None:
            told.append(f"{within}{name}={value}")
    return told


def _training(run: dict[str, Any]) -> list[tuple[str, str]]:
    result = stage_result(run, "training")
    if not result:
        return []
    return [
        ("training", f"{result['steps']} steps in {duration(result['seconds'])}, {result['tokens_per_second']:.0f} tokens/s"),
        ("training loss", f"{result['first_loss']:.4f} → {result['last_loss']:.4f}"),
        ("precision", f"{result['precision']} on {result['device']}, {result['trainable_parameters']:,} parameters trained"),
        ("memory", f"{size(result['peak_memory_bytes'])} at the most"),
        *_aligned(result.get("alignment")),
        *_reinforced(result.get("ppo") or result.get("groups")),
        ("attention", f"{result.get('attention') or 'unknown'}, packing {result.get('packing') or 'none'}"),
        *([("replayed", _replayed(result["replayed"]))] if result.get("replayed") else []),
        *([("chosen", result["choice"]["reason"])] if result.get("choice") else []),
    ]


def _replayed(counts: dict[str, int]) -> str:
    told = ", ".join(f"{count} of {dataset}" for dataset, count in counts.items())
    return f"{sum(counts.values())} earlier examples: {told}"


def _aligned(found: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Of pairs that were not trained on: how often the preferred answer has the higher reward, implied or given."""
    if not found:
        return []
    told = f"{found['method']}, {found['pairs']} pairs"
    if found["heldout_accuracy"] is None:
        return [("alignment", f"{told}; none held out")]
    held = f"{found['heldout_accuracy']:.1%} of {found['heldout_pairs']} held-out pairs, margin {found['heldout_margin']:.3f}"
    return [("alignment", told), ("reward" if found["method"] == "reward" else "implied reward", f"right on {held}")]


def _reinforced(found: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Reward and divergence; where it was warned of, what that means."""
    if not found:
        return []
    told = f"{found['first_reward']:.3f} → {found['last_reward']:.3f}"
    kept = f"{found['divergence']:.2f} nats an answer, at {found['kl_coefficient']:.3g} a nat at the end"
    warned = f"the reward rose while divergence ran away, at {len(found['warned_at'])} steps: read what the model says"
    return [("reward", told), ("KL to the reference", kept), *([("warning", warned)] if found["warned_at"] else [])]


def _evaluation(run: dict[str, Any]) -> list[tuple[str, str]]:
    scores = stage_result(run, "evaluation")
    if not scores:
        return []
    base, tuned = scores["base"], scores["tuned"]
    return [
        ("held-out loss", f"{base['loss']:.4f} (base) → {tuned['loss']:.4f} (tuned), {tuned['examples']} examples"),
        ("perplexity", f"{base['perplexity']:.2f} (base) → {tuned['perplexity']:.2f} (tuned)"),
    ]
