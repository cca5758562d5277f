"""A small language of maintenance advice whose answers a program can judge: well formed, about what was asked, and with none
to three pages cited."""

import random
import re

from shared.contracts.learning import Example

MACHINES = ("pump", "boiler", "press", "lathe", "crane", "mixer")
PARTS = ("seal", "valve", "gauge", "filter", "bearing", "belt", "hose", "lamp")
VERBS = ("check", "clean", "open", "close", "replace", "grease")
CITED = (0.6, 0.3, 0.08, 0.02)
"""Shares of the answers that cite no page, one, two and three."""

_CHOICE = {name: "|".join(words) for name, words in (("machine", MACHINES), ("part", PARTS), ("verb", VERBS))}
_SENTENCE = "{verb} the {part} of the {machine} before you {verb} the {part}\\."
_PAGES = r"(?: \[p\. \d\]){0,3}"


def example(index: int, seed: int) -> Example:
    """A question about a machine, and an answer to it. The same every time."""
    chance = random.Random(f"{seed}:{index}")
    machine = chance.choice(MACHINES)
    first, other = chance.sample(VERBS, 2)
    part, next_part = chance.sample(PARTS, 2)
    pages = "".join(f" [p. {chance.randint(1, 9)}]" for _ in range(chance.choices(range(4), CITED)[0]))
    return Example(
        id=f"e{index}", instruction=f"What is to be done with the {machine}?", input="",
        output=f"{first} the {part} of the {machine} before you {other} the {next_part}.{pages}", recipe="question",
        chunk=f"c{index}", document="d", filename="d.pdf",
    )  # fmt: skip


def well_formed(answer: str, machine: str) -> bool:
    """Whether the answer belongs to the language and is about this machine. No reward knows of it."""
    pattern = _SENTENCE.format(verb=f"(?:{_CHOICE['verb']})", part=f"(?:{_CHOICE['part']})", machine=machine)
    return re.fullmatch(pattern + _PAGES, answer) is not None


def machine_of(prompt: str) -> str:
    """The machine that a question is about."""
    return next(one for one in MACHINES if f"the {one}?" in prompt)
