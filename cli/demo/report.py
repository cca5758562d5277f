"""The report: one HTML file that holds all it shows, in the reader's own light or dark. What documents and models said is
escaped and shown as text."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cli.demo.curve import loss_svg
from cli.demo.facts import Facts
from cli.text import count, duration, plain


def write_report(facts: Facts, file: Path, total_seconds: float) -> None:
    """Write the report, whole or not at all."""
    part = file.with_name(file.name + ".part")
    part.write_text(render(facts, total_seconds), encoding="utf-8")
    part.replace(file)


def render(facts: Facts, total_seconds: float) -> str:
    environment = Environment(
        loader=PackageLoader("cli.demo", "."), autoescape=True, finalize=_shown, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(count=count, duration=duration, number=number)
    curve = loss_svg([point["step"] for point in facts.curve], [point["loss"] for point in facts.curve])
    return environment.get_template("report.html").render(
        facts=facts,
        curve=Markup(curve),  # noqa: S704  (numbers of our own formatting)
        times=_times(facts),
        total_seconds=total_seconds,
        garbage=facts.garbage.most_common(),
    )


def number(value: float, digits: int = 0) -> str:
    """`12 345` or `1.23`, with thin spaces between thousands."""
    return f"{value:,.{digits}f}".replace(",", "\u202f")


def _shown(value: Any) -> Any:
    """Text without control characters; escaping comes after."""
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _times(facts: Facts) -> list[dict[str, Any]]:
    """The steps with the share of the whole that each took, in percent."""
    total = sum(facts.seconds.values()) or 1.0
    return [
        {"name": name, "seconds": seconds, "share": round(100 * seconds / total, 2)} for name, seconds in facts.seconds.items()
    ]
