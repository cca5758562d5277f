"""Texts whose truth is known: passages of the examples, good but odd text, and both damaged in the ways that garbage is.

Good text of the pool and of the test comes from different documents, so that no sentence is in both.
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from services.cleaning.stages.garbage import judge
from services.cleaning.stages.sentences import sentence_spans
from shared.contracts.documents import CleaningParameters
from shared.keys import text_mark

GARBAGE_SHARE = 0.25

_MARKUP = re.compile(r"[*_`]|\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Text:
    """A text, what it is made to be, whether it is garbage, and the rule that sets it aside, if any does."""

    text: str
    kind: str
    garbage: bool
    rule: str

    @property
    def mark(self) -> str:
        return text_mark(self.text)


def texts(sources: list[Path], count: int, seed: int) -> list[Text]:
    """About `count` different texts, a quarter of them garbage, of all kinds in turn."""
    lot = random.Random(seed)
    sentences = [sentence for path in sources for sentence in _sentences(path)]
    made: dict[str, Text] = {}
    for number in range(8 * count):
        garbage = lot.random() < GARBAGE_SHARE
        kinds = list(GARBAGE) if garbage else ["prose"] * 5 + list(ODD)
        kind = kinds[number % len(kinds)]
        maker = GARBAGE.get(kind) or ODD.get(kind) or _prose
        text = " ".join(maker(lot, sentences).split()) if kind not in LINED else maker(lot, sentences)
        verdict = judge("paragraph", text, CleaningParameters())
        made.setdefault(text_mark(text), Text(text, kind, garbage, verdict.reason if verdict else ""))
        if len(made) == count:
            break
    return list(made.values())


def _sentences(path: Path) -> list[str]:
    """Whole sentences of a source's paragraphs."""
    found = []
    for line in path.read_text(encoding="utf-8").split("\n\n"):
        paragraph = " ".join(_MARKUP.sub("", line).split())
        if len(paragraph.split()) > 12 and paragraph[0].isalpha() and not paragraph.startswith(("Figure:", "title:")):
            found += [paragraph[start:end] for start, end in sentence_spans(paragraph)]
    return [sentence for sentence in found if len(sentence.split()) > 4]


def _prose(lot: random.Random, sentences: list[str]) -> str:
    start = lot.randrange(len(sentences) - 4)
    return " ".join(sentences[start : start + lot.randint(1, 4)])


# ---- damage


def _misread(lot: random.Random, sentences: list[str]) -> str:
    """A scan misread: some characters for others of their looks, words run together or torn."""
    looks = {"e": "c", "m": "rn", "l": "1", "i": "!", "o": "0", "a": "@", "t": "f", "s": "5", "n": "ri", "h": "li", "u": "ii"}
    rate = lot.choice((0.12, 0.2, 0.35))
    said = []
    for char in _prose(lot, sentences):
        drawn = lot.random()
        if drawn < rate * 0.7:
            said.append(looks.get(char, char))
        elif drawn < rate:
            said.append(lot.choice(("", " ", "~", "^", "|", char.upper(), ".")))
        else:
            said.append(char)
    return "".join(said)


def _mojibake(lot: random.Random, sentences: list[str]) -> str:
    """UTF-8 read as Latin-1, once or twice."""
    accents = str.maketrans({"e": "é", "o": "ö", "a": "ä", "-": "–", "'": "’", "u": "ü", "i": "ï"})
    text = "".join(char.translate(accents) if lot.random() < 0.3 else char for char in _prose(lot, sentences))
    for _ in range(lot.choice((1, 2))):
        text = text.encode("utf-8").decode("latin-1")
    return "".join(char if char.isprintable() else "" for char in text)


def _shuffled(lot: random.Random, sentences: list[str]) -> str:
    """Lines of two columns read across."""
    left, right = _prose(lot, sentences).split(), _prose(lot, sentences).split()
    wide = lot.randint(2, 4)
    rows = range(0, max(len(left), len(right)), wide)
    return " ".join(" ".join(left[at : at + wide] + right[at : at + wide]) for at in rows)


_SURNAMES = ["Marlowe", "Achterberg", "Lindqvist", "Okafor", "Tanaka", "Duarte", "Brandt", "Iyer", "Novak", "Haldane", "Sato"]
_JOURNALS = ["J. Mar. Res.", "Ocean Sci.", "Proc. Coast. Soc.", "Geophys. Lett.", "Tellus", "Deep-Sea Res.", "Ann. Hydrogr."]


def _references(lot: random.Random, sentences: list[str]) -> str:
    """Entries of a list of references."""
    entries = []
    for number in range(lot.randint(1, 4)):
        names = ", ".join(f"{lot.choice(_SURNAMES)}, {lot.choice('ABCDEFGH')}." for _ in range(lot.randint(1, 3)))
        title = " ".join(lot.choice(sentences).split()[: lot.randint(4, 9)]).rstrip(".,;")
        year, volume, page = lot.randint(1962, 2031), lot.randint(1, 90), lot.randint(1, 900)
        entries.append(
            f"[{number + lot.randint(1, 60)}] {names} ({year}). {title}. {lot.choice(_JOURNALS)} {volume}, {page}–{page + 9}."
        )
    return " ".join(entries)


def _contents(lot: random.Random, sentences: list[str]) -> str:
    """Lines of a table of contents; half of them without leaders."""
    leader = lot.choice((" . . . . . . ", " ........ ", " ", " "))
    lines = []
    page = lot.randint(1, 60)
    for number in range(lot.randint(3, 8)):
        page += lot.randint(1, 9)
        name = " ".join(lot.choice(sentences).split()[: lot.randint(2, 5)]).rstrip(".,;")
        lines.append(f"{lot.randint(1, 9)}.{number + 1} {name}{leader}{page}")
    return " ".join(lines)


_FOREIGN = [
    "Der Pegel am nördlichen Steg wird mittags abgelesen", "Die Flut steht höher als im vergangenen Winter",
    "Le marégraphe du quai nord est relevé chaque midi", "La marée monte plus haut que l'hiver dernier",
    "El mareógrafo del muelle norte se lee al mediodía", "La marea sube más que el invierno pasado",
    "Il mareografo del molo nord si legge a mezzogiorno", "De waterstand bij de steiger wordt elke middag afgelezen",
    "Wir haben den Nullpunkt im Frühjahr neu bestimmt", "Nous avons vérifié le zéro au printemps",
    "Los datos se corrigen por la temperatura del agua", "De gegevens worden voor de temperatuur verbeterd",
    "und die Korrektur beträgt drei Millimeter je Grad", "et la correction est de trois millimètres par degré",
    "y la corrección es de tres milímetros por grado", "en de correctie bedraagt drie millimeter per graad",
]  # fmt: skip


def _foreign(lot: random.Random, _: list[str]) -> str:
    return ". ".join(lot.sample(_FOREIGN, lot.randint(2, 4))) + f", {lot.randint(2, 60)}."


_STOCK = [
    "All rights reserved.", "No part of this publication may be reproduced without the written permission of the publisher.",
    "Downloaded from the library's server on {n} March.", "This page was left blank on purpose.",
    "Subscribe to our newsletter to receive offer {n}.", "By using this site you accept our cookies.",
    "For permissions contact the rights department, extension {n}.", "Printed in the Republic on recycled paper.",
    "Licensed to {n} users. Distribution is prohibited.", "See our privacy policy, section {n}, and terms of use.",
    "Share this article with a friend.", "Advertisement. Article continues below.", "Order now and save {n} per cent.",
]  # fmt: skip


def _stock(lot: random.Random, _: list[str]) -> str:
    return " ".join(lot.sample(_STOCK, lot.randint(2, 4))).format(n=lot.randint(2, 99))


def _noise(lot: random.Random, _: list[str]) -> str:
    return " ".join(
        "".join(lot.choice("~|^_=+*#<>/\\{}[]0123456789aeinrst.,;:") for _ in range(lot.randint(1, 7)))
        for _ in range(lot.randint(6, 40))
    )


def _labels(lot: random.Random, sentences: list[str]) -> str:
    """The words of a figure's axes and legends."""
    words = [word.strip(".,;") for word in lot.choice(sentences).split()]
    marks = [f"{lot.randint(0, 400) / 10}" for _ in range(lot.randint(5, 12))]
    return " ".join([*marks[:4], *words[: lot.randint(2, 4)], *marks[4:], lot.choice(("mm", "kPa", "°C", "h"))])


# ---- good but odd


def _formula(lot: random.Random, _: list[str]) -> str:
    a, b, c = lot.sample("abcdhktuvwxyz", 3)
    return lot.choice((
        f"{a}_{{{b}}} = {lot.randint(1, 9)}.{lot.randint(0, 99):02d} + {lot.randint(2, 9)}({b}^2 - {c}) / ({c} - {a})",
        f"\\frac{{\\partial {a}}}{{\\partial {b}}} + {lot.randint(2, 9)} {c} \\nabla {a} = 0, \\quad {b} > {lot.randint(0, 9)}",
        f"\\sum_{{i=1}}^{{{lot.randint(3, 90)}}} ({a}_i - \\bar{{{a}}})^2 \\le {b} \\cdot {c}^{{{lot.randint(2, 5)}}}",
    ))  # fmt: skip


def _code(lot: random.Random, _: list[str]) -> str:
    name, other = lot.sample(["gauge", "tide", "level", "reading", "station", "echo", "offset", "winter"], 2)
    return lot.choice((
        f"def {name}({other}, limit={lot.randint(1, 99)}):\n    return [x for x in {other} if x.{name} > limit]",
        f"for {name} in {other}s:\n    total += {name}['{other}'] * {lot.randint(1, 9)}\nprint(total)",
        f"SELECT {name}, AVG({other}) FROM {name}s WHERE {other} > {lot.randint(1, 900)} GROUP BY {name};",
        f"{name} --{other} {lot.randint(1, 99)} --out /data/{name}.csv | sort -n | head -{lot.randint(2, 50)}",
    ))  # fmt: skip


def _table(lot: random.Random, sentences: list[str]) -> str:
    heads = [word.strip(".,;").lower() for word in lot.choice(sentences).split()[:3]]
    rows = [f"| {lot.choice(sentences).split()[0]} | {lot.randint(1, 99)} | {lot.randint(10, 999) / 10} |" for _ in range(4)]
    return "\n".join([f"| {' | '.join(heads)} |", *rows])


_LINES = [
    "The grey tide takes the stair by night", "and leaves a ring of salt", "I count the lamps along the quay",
    "the lamps the water bends", "No bell tonight; the gulls have gone", "to where the harbour ends",
    "O slow and patient, rising thing", "that has no face to keep", "my father read you, morning, noon",
    "and in his shallow sleep", "The pencil line upon the wall", "is higher than it was", "we do not ask the moon her terms",
    "nor she, who comes, her cause",
]  # fmt: skip


def _poem(lot: random.Random, _: list[str]) -> str:
    return "\n".join(lot.sample(_LINES, lot.randint(3, 6)))


def _terms(lot: random.Random, sentences: list[str]) -> str:
    """An entry of a glossary, or a figure with its unit: short, and worth keeping."""
    words = [word.strip(".,;") for word in lot.choice(sentences).split()]
    return lot.choice((
        f"{words[0].capitalize()}: {' '.join(words[1:8])}",
        f"{' '.join(words[:3])} {lot.randint(2, 90)} mm (±{lot.randint(1, 9)})",
        f"Station {lot.randint(1, 20)}, {' '.join(words[:4])}",
    ))  # fmt: skip


GARBAGE: dict[str, Callable[[random.Random, list[str]], str]] = {
    "OCR noise": _misread, "mojibake": _mojibake, "columns read across": _shuffled, "references": _references,
    "contents": _contents, "foreign": _foreign, "boilerplate": _stock, "symbols": _noise, "labels of figures": _labels,
}  # fmt: skip
ODD: dict[str, Callable[[random.Random, list[str]], str]] = {
    "formula": _formula, "code": _code, "table": _table, "poem": _poem, "terms": _terms,
}  # fmt: skip
LINED = ("code", "table", "poem")
