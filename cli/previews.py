"""A preview of a dataset on the terminal: what is learnt in colour, what is only read dim, and how long examples are."""

from typing import Any

from rich.console import Console
from rich.text import Text

from cli.text import count, one_line, plain

BAR = 40


def show_preview(console: Console, preview: dict[str, Any]) -> None:
    """Examples first, then lengths, then what was skipped."""
    for example in preview["examples"]:
        pages = ", ".join(str(page) for page in example["pages"]) or "unknown"
        head = f"{one_line(example['filename'], 60)}, page {pages} · {example['recipe']} · {count(example['tokens'], 'token')}"
        console.rule(Text(plain(head), style="dim"), align="left", style="dim")
        text = Text(plain(example["prompt"]), style="dim")
        text.append(plain(example["answer"]), style="green")
        text.append(plain(example["eos"]), style="bold cyan")
        console.print(text)
    console.rule(style="dim")
    looked = f"{preview['documents']} of {count(preview['of_documents'], 'document')}"
    recipes = ", ".join(f"{number} {name}" for name, number in preview["recipes"].items())
    console.print(Text(plain(f"{looked} looked at: {count(preview['made'], 'example')} ({recipes})")))
    skipped = ", ".join(f"{number} {reason}" for reason, number in preview["skipped"].items())
    if skipped:
        console.print(Text(plain(f"skipped: {skipped}"), style="dim"))
    _lengths(console, preview["lengths"])


def _lengths(console: Console, bins: list[dict[str, int]]) -> None:
    most = max((one["train"] for one in bins), default=1) or 1
    console.print(Text("tokens of prompt, answer and EOS:", style="dim"))
    for one in bins:
        bar = "█" * round(BAR * one["train"] / most)
        console.print(Text(f"{one['up_to']:>6} {one['train']:>6} {bar}"))
