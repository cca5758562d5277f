"""`lectern recipe`: recipes without a server: their schema, whether one is sound, and what it would cost on a known base."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.assignments import merged, parse_assignments, read_mapping
from cli.command import LOCAL, command
from cli.outcome import Exit, Failure
from cli.session import Session
from cli.text import duration, size

app = typer.Typer(help="Recipes: how a base model is tuned, in one file.", no_args_is_help=True)

RecipeFile = Annotated[Path | None, typer.Argument(help="A YAML or JSON recipe; the defaults without one.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="A setting, such as lora_r=8; may be repeated.", metavar="NAME=VALUE")
]


def register(main: typer.Typer) -> None:
    main.add_typer(app, name="recipe", rich_help_panel="Learning")


@command(app, "schema", options=LOCAL)
def schema(session: Session) -> None:
    """Print the JSON Schema of recipes: every field explained, with its default. Editors complete from it."""
    from shared.contracts.recipes import TrainingRecipe

    session.emit(TrainingRecipe.model_json_schema())


@command(app, "check", options=LOCAL)
def check(session: Session, file: RecipeFile = None, settings: SetOption = None) -> None:
    """Check a recipe as far as it can be without its base and dataset; exit code 2 where it is wrong.

    `lectern tune` checks the rest before anything is queued: base, dataset, layers, lengths.
    """
    recipe = read_recipe(file, settings)
    told = recipe.model_dump(mode="json", exclude={"schema_version"})
    if session.as_json:
        session.emit(told)
        return
    from cli.render import table

    fields = type(recipe).model_fields
    rows = [(name, json.dumps(value), "" if value == _default(fields[name]) else "set") for name, value in told.items()]
    session.console.print(table(["field", "value", ""], rows))


@command(app, "estimate", options=LOCAL)
def estimate(
    session: Session,
    file: RecipeFile = None,
    settings: SetOption = None,
    config: Annotated[Path | None, typer.Option(help="A base's config.json; CodeLlama-34B's shape without it.")] = None,
    memory: Annotated[
        list[float] | None, typer.Option("--memory", help="GB of a device to fit; may be repeated. 24, 48 and 80 without it.")
    ] = None,
) -> None:
    """Estimate memory by part from a base's config.json, and which GPUs it fits. Every example has max_tokens."""
    from shared.errors import LecternError
    from shared.tuning.checks import refuse_recipe
    from shared.tuning.estimate import CARDS, CODELLAMA_34B
    from shared.tuning.estimate import estimate as reckon

    shape = read_mapping(config) if config else dict(CODELLAMA_34B)
    recipe = read_recipe(file, [*([] if config else ["base=codellama-34b"]), *(settings or [])])
    if refused := refuse_recipe(recipe, shape):
        raise Failure(refused.detail, Exit.USAGE, refused.reason)
    cards = [(f"{one:g} GB GPU", int(one * 1e9)) for one in memory] if memory else CARDS
    try:
        found = reckon(recipe, shape, devices=cards)
    except (LecternError, KeyError) as error:
        raise Failure(f"{config} does not describe a model that can be estimated: {error}", Exit.USAGE, "usage") from error
    show_estimate(session, found.model_dump(mode="json"))


def read_recipe(file: Path | None, settings: list[str] | None) -> Any:
    """The recipe of a file and of assignments, which win. Raises Failure that names each field that is wrong."""
    from pydantic import ValidationError

    from shared.contracts.recipes import TrainingRecipe

    values = merged(read_mapping(file) if file else {}, parse_assignments(settings or []))
    try:
        return TrainingRecipe.model_validate_json(json.dumps(values))
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'recipe'}: {one['msg']}" for one in error.errors())
        raise Failure(
            f"The recipe is wrong: {told}. `lectern recipe schema` explains the fields.", Exit.USAGE, "bad-recipe"
        ) from error


def show_estimate(session: Session, found: dict[str, Any]) -> None:
    if session.as_json:
        session.emit(found)
        return
    from cli.render import pairs, table

    parts = {name: value for name, value in found["memory"].items() if name != "schema_version"}
    share = found["trainable_parameters"] / found["total_parameters"]
    session.console.print(pairs([
        ("base", found["base"]), ("parameters", f"{found['total_parameters']:,}, {share:.2%} of them trained"),
        ("largest pass", f"{found['batch_tokens']:,} tokens"), ("steps", found["steps"]),
        *((name.replace("_", " "), size(value)) for name, value in parts.items()), ("in all", size(found["total_bytes"])),
        ("time", duration(found["seconds"]) if found["seconds"] else "unknown"), ("reckoned from", found["seconds_basis"]),
    ]))  # fmt: skip
    rows = [
        (one["device"], size(one["memory_bytes"]), "fits" if one["fits"] else "does not fit", f"{one['share']:.0%}")
        for one in found["fits"]
    ]
    session.console.print(table(["device", "memory#", "", "used#"], rows))


def _default(field: Any) -> Any:
    return list(field.default) if isinstance(field.default, tuple) else field.default
