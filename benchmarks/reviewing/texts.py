"""Texts whose truth is known, as many as a reviewer may want, a quarter of them garbage: passages of the examples, good but odd
text, and garbage of the kinds of the labelled set.

Good text of the pool and of the test comes from different documents, so that no sentence is in both.
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.garbage.damage import contents, interleaved, misread, reference, repeated, scanned, undecodable
from benchmarks.garbage.labelled import PEOPLE
from benchmarks.garbage.texts import FOREIGN, STOCK
from services.cleaning.stages.garbage import judge
from services.cleaning.stages.sentences import sentence_spans
from shared.contracts.documents import CleaningParameters
from shared.keys import text_mark

GARBAGE_SHARE = 0.25
WANTED = CleaningParameters(languages=("en",))

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
        verdict = judge("paragraph", text, WANTED)
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


# ---- damage, by the hands of the labelled set of garbage


def _misread(lot: random.Random, sentences: list[str]) -> str:
    return scanned(_prose(lot, sentences), lot.choice((0.05, 0.1, 0.2)), lot)


def _mojibake(lot: random.Random, _: list[str]) -> str:
    language = lot.choice(sorted(FOREIGN))
    text = " ".join(lot.sample(FOREIGN[language], 2))
    return misread(text, "cp1251" if language == "ru" else "cp1252", lot)


def _undecodable(lot: random.Random, sentences: list[str]) -> str:
    return undecodable(_prose(lot, sentences), lot)


def _shuffled(lot: random.Random, sentences: list[str]) -> str:
    return interleaved(_prose(lot, sentences), _prose(lot, sentences), lot.choice((3, 5, 7)))


def _references(lot: random.Random, _: list[str]) -> str:
    return " ".join(reference(lot, PEOPLE) for _ in range(lot.randint(1, 4)))


def _contents(lot: random.Random, sentences: list[str]) -> str:
    titles = [" ".join(one.split()[: lot.randint(2, 5)]).rstrip(".,;") for one in lot.sample(sentences, lot.randint(5, 9))]
    return contents(titles, lot.choice((". . . . . . . . ", "........ ", "")))


def _foreign(lot: random.Random, _: list[str]) -> str:
    return " ".join(lot.sample(FOREIGN[lot.choice(sorted(FOREIGN))], 2))


def _stock(lot: random.Random, _: list[str]) -> str:
    return " ".join(lot.sample(STOCK, lot.randint(1, 2)))


def _repeated(lot: random.Random, sentences: list[str]) -> str:
    return repeated(_prose(lot, sentences), lot)


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
    "OCR noise": _misread, "mojibake": _mojibake, "undecodable": _undecodable, "columns read across": _shuffled,
    "references": _references, "contents": _contents, "foreign": _foreign, "boilerplate": _stock, "repetition": _repeated,
    "symbols": _noise, "labels of figures": _labels,
}  # fmt: skip
ODD: dict[str, Callable[[random.Random, list[str]], str]] = {
    "formula": _formula, "code": _code, "table": _table, "poem": _poem, "terms": _terms,
}  # fmt: skip
LINED = ("code", "table", "poem")
