"""What a demonstration prints between its steps and at its end."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from cli.commands.models import evidence_row
from cli.demo.facts import Facts, Probes
from cli.render import STYLES, pairs, reasons, state, table
from cli.sparkline import sparkline
from cli.talk import Answer
from cli.text import count, duration, one_line, plain


def documents(console: Console, facts: Facts) -> None:
    rows = [
        (
            one_line(each.filename, 40),
            state(each.state),
            each.pages or "",
            each.chunks or "",
            each.garbage_items or "",
            each.code or "",
        )
        for each in facts.documents
    ]
    console.print(table(["document", "state", "pages#", "chunks#", "garbage#", "reason"], rows))
    reasons(console, [(each.filename, each.code, each.detail) for each in facts.documents if each.code])
    console.print()


def garbage(console: Console, facts: Facts) -> None:
    found = facts.garbage
    console.print(f"{count(facts.chunks, 'chunk')} kept, {count(found.total(), 'item')} set aside as garbage", markup=False)
    if found:
        console.print(Padding(table(["why", "items#"], found.most_common()), (0, 0, 0, 2)))


def work(console: Console, spent: Mapping[str, float]) -> None:
    told = ", ".join(f"{stage} {duration(seconds)}" for stage, seconds in spent.items())
    console.print(f"Workers' time: {told}", style="dim", markup=False)


def dataset(console: Console, identity: str, result: Mapping[str, Any]) -> None:
    skipped = ", ".join(f"{number} {reason}" for reason, number in (result.get("skipped") or {}).items())
    console.print(
        f"✓ {identity}: {result['train']} examples to train on, {result['heldout']} held out (split by {result['split']})"
        + (f"; skipped {skipped}" if skipped else ""),
        markup=False, soft_wrap=True,
    )  # fmt: skip


def run(console: Console, facts: Facts) -> None:
    training, scores = facts.training, facts.evaluation
    console.print(sparkline([point["loss"] for point in facts.curve]))
    console.print(
        f"✓ {training['steps']} steps in {duration(training['seconds'])} at {training['tokens_per_second']:.0f} tokens/s "
        f"({training['precision']} on {training['device']}); "
        f"training loss {training['first_loss']:.3f} → {training['last_loss']:.3f}",
        markup=False, soft_wrap=True,
    )  # fmt: skip
    better = scores["tuned"]["loss"] < scores["base"]["loss"]
    line = Text(
        f"{'✓' if better else '✗'} held-out loss {scores['base']['loss']:.4f} (base) → {scores['tuned']['loss']:.4f} (tuned), "
    )
    line.append(f"perplexity {scores['base']['perplexity']:.2f} → {scores['tuned']['perplexity']:.2f}")
    line.stylize(STYLES["done"] if better else STYLES["failed"])
    console.print(line, soft_wrap=True)


def quote(console: Console, text: str) -> None:
    console.print(Padding(Text(plain(text), style="italic"), (0, 4, 0, 2)))


def ending(console: Console, answer: Answer) -> None:
    how = "stopped by itself" if answer.finish_reason == "stop" else f"ended by {answer.finish_reason}"
    told = f"({how}: finish_reason {answer.finish_reason}, {answer.tokens} tokens, {answer.tokens_per_second:.0f} a second)"
    console.print(told, style="dim", markup=False)


def evidence(console: Console, facts: Facts) -> None:
    source = facts.source
    pages = sorted({span["page"] for span in source.get("spans", ())})
    where = f"{source['filename']}, page {', '.join(map(str, pages))}" if pages else source["filename"]
    console.print()
    console.print(f"In the document ({where}):", style="dim", markup=False)
    quote(console, one_line(source["output"], 400))
    console.print(table(["the pages behind it", "page", "score#", "passage*"], [evidence_row(item) for item in facts.evidence]))


def probes(console: Console, found: Probes) -> None:
    rows = [
        (
            _end(probe.answer),
            probe.answer.tokens,
            one_line(probe.given or probe.instruction, 34),
            one_line(probe.answer.text, 140),
        )
        for probe in found.items
    ]
    console.print(table(["end", "tokens#", "prompt", "answer*"], rows))
    told = f"{found.stopped} of {len(found.items)} stopped by themselves; {found.tokens_per_second:.0f} tokens a second in all"
    console.print(told, markup=False)


def _end(answer: Answer) -> Text:
    return Text(plain(answer.finish_reason or "none"), style=STYLES["done" if answer.finish_reason == "stop" else "failed"])


def summary(console: Console, facts: Facts, total_seconds: float) -> None:
    """The closing table."""
    scores, training, asked = facts.evaluation, facts.training, facts.probes
    better = scores["tuned"]["loss"] < scores["base"]["loss"]
    colour = STYLES["done"] if better else STYLES["failed"]
    rows: list[tuple[str, Any]] = [
        ("pages", facts.pages),
        ("documents", f"{facts.done} done, {facts.failed} failed"),
        ("chunks", facts.chunks),
        ("garbage", count(facts.garbage.total(), "item")),
        ("examples", f"{facts.dataset['train']} to train on, {facts.dataset['heldout']} held out"),
        ("held-out loss", Text(f"{scores['base']['loss']:.4f} → {scores['tuned']['loss']:.4f}", style=colour)),
        ("perplexity", Text(f"{scores['base']['perplexity']:.2f} → {scores['tuned']['perplexity']:.2f}", style=colour)),
        ("training", f"{training['steps']} steps, {training['tokens_per_second']:.0f} tokens/s"),
    ]
    if asked is not None:
        alone = facts.replies[-1].answer.tokens_per_second
        rows += [
            ("stopped by itself", f"{asked.stopped} of {len(asked.items)} prompts ({asked.split})"),
            ("serving", f"{alone:.0f} tokens/s alone, {asked.tokens_per_second:.0f} with {len(asked.items)} at once"),
        ]
    console.print(pairs(rows, title="In all"))
    console.print()
    console.print(
        pairs(
            [*((name, duration(seconds)) for name, seconds in facts.seconds.items()), ("whole", duration(total_seconds))],
            title="Time",
        )
    )
