"""Text that came from documents, models and servers, made safe for a terminal and short enough for a table."""

import unicodedata
from urllib.parse import quote

_KEPT = {"\n", "\t"}
_UNITS = ("B", "KiB", "MiB", "GiB")


def plain(text: object) -> str:
    """Text whose control characters (escape sequences among them) and direction overrides are made visible as `\\ufffd`."""
    return "".join("\ufffd" if unicodedata.category(char) in ("Cc", "Cf") and _harmful(char) else char for char in str(text))


def _harmful(char: str) -> bool:
    return char not in _KEPT and char not in ("\u200c", "\u200d", "\u00ad")


def one_line(text: object, width: int = 100) -> str:
    """The text on one line of at most `width` characters."""
    joined = " ".join(plain(text).split())
    return joined if len(joined) <= width else joined[: width - 1].rstrip() + "…"


def size(count: float) -> str:
    """Bytes for people: `1.4 MiB`."""
    for unit in _UNITS[:-1]:
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} {_UNITS[-1]}"


def duration(seconds: float | None) -> str:
    """Seconds for people: `8.2 s`, `3 min 05 s`, `2 h 10 min`."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """`1 page`, `3 pages`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}".replace(",", " ")


def reach(done: int, total: int, unit: str) -> str:
    """How far something has come: `17 of 48 steps`."""
    return f"{done} of {count(total, plain(unit))}"


def segment(name: str) -> str:
    """A name as one segment of a URL's path."""
    return quote(name, safe="")
