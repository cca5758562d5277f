"""`lectern export` and `lectern exports`: a tuned model in other forms, and how each compares with what was trained."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.command import command
from cli.outcome import Exit, Failure
from cli.session import Session
from cli.text import duration, one_line, segment, size
from shared.contracts.exports import Variant

PANEL = "Models"


def register(app: typer.Typer) -> None:
    command(app, "export", panel=PANEL)(export)
    command(app, "exports", panel=PANEL)(exports)


def export(
    session: Session,
    model: Annotated[str, typer.Argument(help="A tuned model's id, or its name for the newest version.")],
    variant: Annotated[
        Variant,
        typer.Option(
            help="merged: bf16 safetensors; gguf-…: a file for llama.cpp; awq, gptq: in 4 bits; int8, fp8: in 8 bits."
        ),
    ] = "merged",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Stay until it is made, then download it into this directory.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Stay until it is made and compared.")] = False,
) -> None:
    """Make a model that stands alone, for engines that take no adapters; kept only if it is the model that was trained.

    Exit code 1, with the figures, where it is not. The same export asked for again is the one that stands.
    """
    from cli.waiting import wait_for_job

    path = f"/v1/tuned-models/{segment(model)}/exports"
    found = session.api.post(path, {"variant": variant})
    if (wait or out is not None) and found["state"] != "done":
        wait_for_job(session, found["job"])
        found = session.api.get(f"{path}/{found['id']}")
    files = _download(session, f"{path}/{found['id']}", found, out) if out is not None else []
    if session.as_json:
        session.emit({**found, "downloaded": files} if files else found)
        return
    _show(session, found)
    if found["state"] != "done":
        session.say(f"Watch it with `lectern watch {found['job']}`.")


def _download(session: Session, path: str, found: dict[str, Any], out: Path) -> list[str]:
    """Every file of an export, each whole or not at all. The names come from the server, so none may lead elsewhere."""
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for name in found["files"]:
        if Path(name).name != name or name in ("", ".", ".."):
            raise Failure(f"The server names a file that is no name: {one_line(name)}.", Exit.FAILED, "bad-answer")
        part = out / f"{name}.part"
        try:
            with part.open("wb") as file:
                session.api.download(f"{path}/download", file.write, file=name)
            part.replace(out / name)
        finally:
            part.unlink(missing_ok=True)
        written.append(str(out / name))
    return written


def exports(session: Session, model: Annotated[str, typer.Argument(help="A tuned model's id or name.")]) -> None:
    """List a model's exports with their figures, refused ones among them."""
    from cli.render import state, table

    found = list(session.api.items(f"/v1/tuned-models/{segment(model)}/exports"))
    if session.as_json:
        session.emit(found)
        return
    rows = [(each["id"], each["wish"]["parameters"]["variant"], *_row(each), state(each["state"])) for each in found]
    columns = ["export", "variant", "size#", "of bf16#", "perplexity#", "trained#", "KL prefill#", "KL decoding#", "agrees#"]
    session.console.print(table([*columns, "state"], rows))


def result_of(found: dict[str, Any]) -> dict[str, Any]:
    """What the export's stage said: a result, or a refusal with its figures."""
    return next((dict(each["result"]) for each in found["stages"] if each["stage"] == "export"), {})


def _row(found: dict[str, Any]) -> tuple[str, ...]:
    result = result_of(found)
    compared = result.get("comparison") or result.get("figures") or {}
    sizes = (size(result["weights_bytes"]), _share(result)) if "variant" in result else ("", "")
    names = ("perplexity", "reference_perplexity", "prefill_divergence", "decoding_divergence", "decoding_agreement")
    return (*sizes, *(f"{compared[name]:.4g}" if name in compared else "" for name in names))


def _share(result: dict[str, Any]) -> str:
    return f"{result['weights_bytes'] / result['bf16_bytes']:.0%}"


def _show(session: Session, found: dict[str, Any]) -> None:
    from cli.render import pairs, state

    result = result_of(found)
    session.console.print(pairs([
        ("export", found["id"]), ("model", found["wish"]["model"]), ("variant", found["wish"]["parameters"]["variant"]),
        ("state", state(found["state"])), ("reason", found.get("detail")), *_figures(result),
        ("files", ", ".join(f"{name} ({size(bytes_)})" for name, bytes_ in found["files"].items()) or None),
        ("saw forgotten documents", ", ".join(one[:12] for one in found["saw_forgotten"]) or None),
    ]))  # fmt: skip


def _figures(result: dict[str, Any]) -> list[tuple[str, str]]:
    if "comparison" not in result:
        return []
    compared, limits = result["comparison"], result["limits"]
    return [
        ("size", f"{size(result['weights_bytes'])}, {_share(result)} of bf16"),
        ("perplexity", f"{compared['reference_perplexity']:.3f} (trained) → {compared['perplexity']:.3f}, "
         f"at most × {limits['perplexity_ratio']:g}"),
        ("divergence", f"{compared['prefill_divergence']:.4f} nats over prefill, {compared['decoding_divergence']:.4f} while "
         f"decoding, at most {limits['divergence']:g}"),
        ("token agreement", f"{compared['decoding_agreement']:.3f} while decoding, at least {limits['agreement']:g}"),
        ("took", f"{duration(result['made_seconds'])}, and {duration(result['compared_seconds'])} to compare"),
    ]  # fmt: skip
