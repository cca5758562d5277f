"""`lectern cleaner`: taggers of lines, trained, measured and published. Each command is a process of the cleaning service."""

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.command import LOCAL, command
from cli.outcome import Exit, Failure
from cli.session import Session

app = typer.Typer(help="Taggers of lines: what tells text from headers, references, captions, tables ...", no_args_is_help=True)

KINDS = ("crf", "bilstm-crf", "encoder")
TaggerOption = Annotated[str, typer.Option("--tagger", help="rules, crf, or a directory that `train` made.")]


def register(main: typer.Typer) -> None:
    main.add_typer(app, name="cleaner", rich_help_panel="Operations")


@command(app, "train", options=LOCAL)
def train(
    session: Session,
    out: Annotated[Path, typer.Option("--out", "-o", help="A directory for the tagger.")],
    labels: Annotated[
        list[Path] | None, typer.Option("--from", help="Labelled pages (JSON Lines), as `lectern cleaner tag` writes them.")
    ] = None,
    generated: Annotated[
        int, typer.Option(min=0, help="Pages to invent as well, or alone: needs the source tree and its `dev` extra.")
    ] = 0,
    kind: Annotated[str, typer.Option(help="crf, bilstm-crf or encoder.")] = "crf",
    base: Annotated[Path | None, typer.Option(help="For an encoder: the directory of the one to fine-tune.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Times that each page is seen.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same tagger.")] = 0,
) -> None:
    """Train a tagger from people's labels, invented pages, or both; it is measured on documents that are held out."""
    if kind not in KINDS:
        raise Failure(f"There is no kind {kind!r}; there are {', '.join(KINDS)}.", Exit.USAGE, "usage")
    files = [str(_file(path)) for path in labels or []]
    if not files and not generated:
        raise Failure("Give --from LABELS.jsonl, --generated N, or both.", Exit.USAGE, "usage")
    options = ["--kind", kind, "--out", str(out), "--seed", str(seed)]
    options += ["--base", str(base)] if base is not None else []
    options += ["--epochs", str(epochs)] if epochs is not None else []
    with tempfile.TemporaryDirectory(prefix="lectern-labelled-") as scratch:
        if generated:
            files.append(str(_invented(generated, seed, Path(scratch) / "generated.jsonl")))
        made = _child(session, "services.cleaning.train_tagger", *files, *options)
    _tell(session, made, f"{kind} tagger in {out}: measured on {made['held_out']} documents, trained on {made['trained_on']}")


@command(app, "evaluate", options=LOCAL)
def evaluate(
    session: Session,
    labels: Annotated[Path, typer.Argument(help="Labelled pages.", metavar="LABELS.jsonl")],
    tagger: TaggerOption = "crf",
) -> None:
    """Precision, recall and F1 of a tagger, label by label, on labelled pages."""
    made = _child(session, "services.cleaning.evaluate_tagger", str(_file(labels)), "--tagger", tagger)
    _tell(session, made, f"{tagger} on {labels.name}")


@command(app, "tag", options=LOCAL)
def tag(
    session: Session,
    pages: Annotated[Path, typer.Argument(help="A page map, as `lectern extract DIR` writes it.", metavar="IN.pages.jsonl")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Write the labelled pages here.")],
    tagger: TaggerOption = "crf",
) -> None:
    """Label the lines of a page map, for people to correct: `labels` holds one label for each line of each block."""
    made = _child(session, "services.cleaning.tag_lines", str(_file(pages)), "--out", str(out), "--tagger", tagger)
    session.emit(made) if session.as_json else session.say(f"{made['pages']} pages in {out}")


@command(app, "labels")
def labels(
    session: Session,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write to this file instead of stdout.")] = None,
) -> None:
    """Export the pages whose lines people labelled in the web app or by the API, as `train --from` takes them."""
    from cli.downloading import to_file_or_stdout

    to_file_or_stdout(session, "/v1/line-labels", out)


@command(app, "publish", options=LOCAL)
def publish(
    session: Session,
    directory: Annotated[Path, typer.Argument(help="A directory that `train` made.")],
    name: Annotated[str, typer.Argument(help="What collections call it: cleaning.tagger=NAME.")],
) -> None:
    """Put a tagger into the object store, where every worker finds it: LECTERN_STORE_URL's, else the local home's."""
    made = _child(session, "services.cleaning.publish_tagger", str(directory), name)
    session.emit(made) if session.as_json else session.say(f"{made['name']} is published: set cleaning.tagger={made['name']}")


def _invented(pages: int, seed: int, target: Path) -> Path:
    from cli.launcher.plan import module, source_root

    if not (source_root() / "examples" / "labelled").is_dir():
        raise Failure("--generated needs the source tree, whose typesetter invents the pages.", Exit.USAGE, "usage")
    wanted = module("examples.labelled", "--count", str(pages), "--seed", str(seed), "--out", str(target))
    finished = subprocess.run(wanted, cwd=source_root(), capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        raise Failure(f"The pages could not be made: {finished.stderr.strip()[-300:]}", Exit.FAILED, "generated")
    return target


def _child(session: Session, name: str, *arguments: str) -> dict[str, Any]:
    """What a process of the cleaning service answers in the last line that it prints."""
    from cli.launcher.plan import module
    from cli.settings import inherited_environment

    environment = {"LECTERN_STORE_URL": f"file://{session.home.store}", **inherited_environment()}
    finished = subprocess.run(module(name, *arguments), env=environment, capture_output=True, text=True, check=False)
    try:
        answer: dict[str, Any] = json.loads(finished.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        raise Failure(f"It failed: {finished.stderr.strip()[-300:]}", Exit.FAILED, "failed") from None
    if finished.returncode != 0:
        raise Failure(str(answer["detail"]), Exit.FAILED, str(answer["code"]))
    return answer


def _tell(session: Session, made: dict[str, Any], headline: str) -> None:
    if session.as_json:
        session.emit(made)
        return
    session.say(f"{headline}; macro F1 {made['macro_f1']:.3f}")
    for label, score in made["labels"].items():
        figures = "  ".join(f"{name} {score[name]:.3f}" for name in ("precision", "recall", "f1"))
        session.say(f"  {label:15} {figures}  {score['support']} lines")


def _file(path: Path) -> Path:
    if not path.is_file():
        raise Failure(f"There is no file {path}.", Exit.USAGE, "usage")
    return path
