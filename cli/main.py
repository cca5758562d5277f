"""`lectern`: the command's groups, put together. Each module is light to import; what is heavy comes when a command runs."""

from typing import Annotated

import typer

from cli.commands import (
    backups,
    chat,
    classifiers,
    cleaner,
    collections,
    datasets,
    demo,
    deployments,
    documents,
    exports,
    feedback,
    forgetting,
    jobs,
    keys,
    launch,
    ledger,
    models,
    preferences,
    recipes,
    review,
    runs,
    stages,
    trace,
    upload,
    workers,
)
from cli.outcome import MEANING

_CODES = "  \n".join(f"[bold]{int(code)}[/bold]  {meaning}" for code, meaning in MEANING.items())

app = typer.Typer(
    name="lectern",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Lectern turns PDFs into a model that has read them: extracted, cleaned, fine-tuned, served, traceable to the page.",
    epilog=f"Exit codes\n\n{_CODES}",
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError
        from importlib.metadata import version as installed

        try:
            typer.echo(installed("lectern"))
        except PackageNotFoundError:
            typer.echo("a source tree that is not installed")
        raise typer.Exit()


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and end.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """The options before any command."""


for group in (
    launch,
    demo,
    upload,
    documents,
    feedback,
    preferences,
    ledger,
    trace,
    forgetting,
    review,
    classifiers,
    collections,
    datasets,
    runs,
    recipes,
    models,
    exports,
    deployments,
    chat,
    cleaner,
    jobs,
    backups,
    workers,
    keys,
    stages,
):
    group.register(app)


if __name__ == "__main__":
    app()
