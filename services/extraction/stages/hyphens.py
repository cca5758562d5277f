"""Words torn by a hyphen at the end of a line, made whole again; compounds keep their hyphen."""

import re
from collections.abc import Iterable, Sequence

LONGEST_WORD, LONGEST_ADDRESS = 64, 300
HYPHENS = "-\u00ad\u2010"

_WORDS = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_LAST = re.compile(r"([^\W\d_]+)[-\u00ad\u2010]\Z")
_ADDRESS = re.compile(r"(?:https?:|www\.|doi\.org)\S*\Z")
_FIRST = re.compile(r"[^\W\d_]+")


PREFIXES = frozenset(
    {
        "under", "over", "inter", "super", "trans", "hyper", "through", "some", "every", "with", "when", "where",
        "there", "here", "after", "other", "never", "fore", "mono", "multi", "counter", "circum", "extra", "infra",
        "intra", "macro", "micro", "photo", "proto", "pseudo", "semi", "tele", "ultra", "auto", "thermo", "electro",
        "hydro",
    }
)  # fmt: skip
"""Beginnings that look like words of their own, and at the end of a line are nearly always a torn word."""


FIRST_PARTS = frozenset(
    {"cross", "ever", "full", "half", "high", "large", "long", "low", "near", "open", "real", "self", "short", "small", "well"}
)
"""What compounds often begin with, and torn words seldom: the hyphen stays before a whole word."""

SECOND_PARTS = frozenset(
    {
        "agnostic", "assisted", "aware", "based", "bound", "built", "capable", "centered", "centred", "centric", "class",
        "compatible", "controlled", "defined", "dependent", "derived", "dimensional", "directed", "driven", "efficient",
        "enabled", "equipped", "facing", "first", "free", "friendly", "funded", "generated", "grade", "grained", "growing",
        "guided", "independent", "intensive", "known", "language", "led", "length", "level", "like", "limited", "linear",
        "lived", "looking", "made", "minded", "needed", "neutral", "order", "oriented", "owned", "paced", "paid", "party",
        "performance", "printed", "purpose", "quality", "rate", "ready", "related", "resolution", "rich", "running",
        "scale", "sensitive", "shaped", "shot", "sided", "sized", "source", "speaking", "specific", "stage", "standing",
        "state", "step", "style", "supported", "taught", "term", "threaded", "tier", "time", "trained", "turn", "type",
        "valued", "wide", "world", "written", "year",
    }
)  # fmt: skip
"""What compounds often end in, and torn words seldom."""


def vocabulary(texts: Iterable[str]) -> frozenset[str]:
    """Words and hyphenated compounds as they stand inside lines, in lower case. The words at a line's ends may be torn."""
    return frozenset(word.lower() for text in texts for word in _WORDS.findall(_inner(text)))


def _inner(text: str) -> str:
    return text.partition(" ")[2].rpartition(" ")[0]


def joined(above: str, below: str, words: frozenset[str]) -> str:
    """Two lines as one run of text."""
    torn, rest = _LAST.search(above[-LONGEST_WORD:]), _FIRST.match(below)
    if torn is None or rest is None:
        return above + below if _runs_on(above, below) else f"{above} {below}"
    if above[-1] != "\u00ad" and _keeps_hyphen(torn.group(1), rest.group(), words):
        return above[:-1] + "-" + below
    return above[:-1] + below


def _runs_on(above: str, below: str) -> bool:
    """Whether no space is between two lines: after a hyphen next to a digit, and inside an address."""
    if above[-1:] in HYPHENS and above[-2:-1].isalnum():
        return below[:1].isalnum()
    if above[-1:] == "–" and above[-2:-1].isdigit():
        return below[:1].isdigit()
    return _ADDRESS.search(above[-LONGEST_ADDRESS:]) is not None and (above[-1] in "/_=?&#%~:" or below[:1] in "/_=?&#%~.")


def joined_lines(lines: Sequence[str], words: frozenset[str]) -> str:
    """Lines of a cell as one text, torn words mended."""
    text = lines[0]
    for line in lines[1:]:
        text = joined(text, line, words)
    return text


def _keeps_hyphen(left: str, right: str, words: frozenset[str]) -> bool:
    """What the document writes elsewhere decides; then how compounds are made. A word torn in two is the usual case."""
    if right[0].isupper():
        return True
    left, right = left.lower(), right.lower()
    if left + right in words:
        return False
    if f"{left}-{right}" in words or right in SECOND_PARTS:
        return True
    if left in FIRST_PARTS and (right in words or len(right) >= 6):
        return True
    return min(len(left), len(right)) >= 4 and left not in PREFIXES and left in words and right in words
