"""Documents for the tests, typeset on the spot: small, each different, and always the same bytes."""

import random
from pathlib import Path

from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate

SUBJECTS = (
    "The tide gauge",
    "A junior observer",
    "The northern pier",
    "Every logbook",
    "The chart room",
    "A brass sounding lead",
)
VERBS = ("records", "replaces", "follows", "explains", "outlasts", "depends on")
OBJECTS = ("the evening reading", "an older instrument", "the harbour survey", "a careful correction", "the spring calibration")
ENDS = (
    "before the ferry leaves",
    "whenever the wind turns north",
    "as the manual of 1931 requires",
    "without any further notice",
)


def paragraph(chance: random.Random, sentences: int) -> str:
    """Sentences that mean little and are all different."""
    lines = []
    for _ in range(sentences):
        number = chance.randrange(10_000)
        lines.append(
            f"{chance.choice(SUBJECTS)} numbered {number} {chance.choice(VERBS)} {chance.choice(OBJECTS)} "
            f"{chance.choice(ENDS)}."
        )
    return " ".join(lines)


def typeset(path: Path, seed: int, pages: int = 2) -> Path:
    """A report of headed sections, a page each."""
    chance = random.Random(seed)
    styles = getSampleStyleSheet()
    story = []
    for page in range(pages):
        story.append(Paragraph(f"Section {page + 1} of report {seed}", styles["Heading1"]))
        story += [Paragraph(paragraph(chance, 5), styles["BodyText"]) for _ in range(4)]
        story.append(PageBreak())
    SimpleDocTemplate(str(path), pagesize=A4, title=f"Report {seed}", invariant=1).build(story)
    return path


def shelf(directory: Path, count: int, pages: int = 2) -> list[Path]:
    """So many different documents in a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    return [typeset(directory / f"report-{seed:03d}.pdf", seed, pages) for seed in range(count)]
