"""Damage of real kinds, done to sound paragraphs by a seeded hand."""

import random

CONFUSED = {
    "e": ("c", "o"), "h": ("b", "li"), "t": ("l", "f"), "i": ("l", "1", "j"), "l": ("1", "I", "i"), "o": ("0", "c"),
    "m": ("rn", "nn"), "n": ("ri", "u"), "a": ("o", "s"), "s": ("5", "a"), "r": ("i", "t"), "c": ("e", "("),
    "d": ("cl", "ol"), "w": ("vv", "w."), "u": ("ii", "n"), "g": ("q", "9"), "y": ("v",), "b": ("6", "h"), "f": ("t", "l"),
    "k": ("lc", "h"), "p": ("n", "o"), "v": ("y", "r"), " ": ("", " . ", " "),
}  # fmt: skip
"""What OCR takes letters for, and the spaces it loses and finds."""


def scanned(text: str, rate: float, hand: random.Random) -> str:
    """A text in which OCR took so many of a hundred characters for others."""
    return "".join(hand.choice(CONFUSED.get(c, ("~", ".", ""))) if hand.random() < rate else c for c in text)


def misread(text: str, table: str, hand: random.Random | None = None) -> str:
    """UTF-8 read by another table; with a hand, some of its bytes are lost, so that it cannot be mended."""
    bytes_ = text.encode()
    if hand is not None:
        bytes_ = bytes(b for b in bytes_ if b < 0x80 or hand.random() > 0.25)
    return bytes_.decode(table, errors="ignore")


def undecodable(text: str, hand: random.Random) -> str:
    """A font without a table of characters: letters come as replacement or private characters."""
    return "".join(hand.choice(("\ufffd", "\ue012", "(cid:77)")) if c.isalpha() and hand.random() < 0.15 else c for c in text)


def interleaved(left: str, right: str, words: int) -> str:
    """Two columns read across: lines of so many words in turn."""
    columns = [_lines(left, words), _lines(right, words)]
    return " ".join(line for pair in zip(*columns, strict=False) for line in pair)


def _lines(text: str, words: int) -> list[str]:
    tokens = text.split()
    return [" ".join(tokens[at : at + words]) for at in range(0, len(tokens), words)]


def repeated(text: str, hand: random.Random) -> str:
    """A text of which one run of words comes again and again."""
    tokens = text.split()
    size = hand.randint(5, 12)
    at = hand.randrange(max(1, len(tokens) - size))
    return " ".join([*tokens[:at], *(tokens[at : at + size] * hand.randint(4, 12)), *tokens[at + size : at + 2 * size]])


def contents(headings: list[str], leaders: str) -> str:
    """A table of contents of headings, with dot leaders or without."""
    page, entries = 1, []
    for number, heading in enumerate(headings, 1):
        entries.append(f"{number} {heading.strip('# ')} {leaders}{page}")
        page += 1 + len(heading) % 5
    return " ".join(entries)


def reference(hand: random.Random, people: list[str]) -> str:
    """An entry of a list of references, in one of four styles."""
    a, b, c = hand.sample(people, 3)
    x, y, z = (hand.choice("ABCDEFGHJKLMPRSTVW") for _ in range(3))
    year, volume, page = hand.randint(1931, 2030), hand.randint(1, 60), hand.randint(1, 400)
    title = hand.choice(
        ("Slow tides of northern bays", "On wells and floats", "A note on the drift of gauges", "Ice and its record")
    )
    venue = hand.choice(("Journal of Marine Instruments", "J. Phys. Oceanogr.", "Proc. Skerrow Mar. Soc.", "Coastal Letters"))
    return hand.choice(
        (
            f"{a}, {x}., {b}, {y}., & {c}, {z}. ({year}). {title}. {venue}, {volume}({y and 2}), {page}–{page + 14}.",
            f"[{volume}] {x}. {a}, {y}. {b}, and {z}. {c}, “{title},” {venue}, vol. {volume}, pp. {page}–{page + 9}, {year}.",
            f"{a} {x}, {b} {y}. {title}. {venue} {year}; {volume}: {page}-{page + 7}. doi: 10.1000/{page}{volume}.",
            f"{a}, {x}. {title}. In Proceedings of Gauges {year}, Eds. {y}. {b} and {z}. {c}, {page}–{page + 5}.",
        )
    )
