"""Synthetic preferences with a rule that a program checks: an answer cites its page in brackets, and adds nothing."""

import random
import re

from shared.contracts.feedback import Preference

RULE = re.compile(r"The \w+ guide speaks of the \w+ \[p\. \d+\]\.")
GUIDES = ("harbour", "ledger", "weather", "engine", "kitchen", "survey", "night", "signal")
THINGS = ("valve", "gauge", "pump", "lamp", "anchor", "ladder", "hatch", "barrel", "winch", "mirror", "stove", "cable")
KINDS = ("uncited", "rambling")


def follows(answer: str) -> bool:
    return RULE.fullmatch(answer.strip()) is not None


def cells() -> list[tuple[str, str]]:
    """Every guide with every thing, in an order of chance that never changes."""
    found = [(guide, thing) for guide in GUIDES for thing in THINGS]
    random.Random(0).shuffle(found)
    return found


def prompt(guide: str, thing: str) -> str:
    return f"Where does the {guide} guide speak of the {thing}?"


def answer(guide: str, thing: str, kind: str, chance: random.Random) -> str:
    page = chance.randint(1, 40)
    if kind == "uncited":
        return f"The {guide} guide speaks of the {thing}."
    cited = f"The {guide} guide speaks of the {thing} [p. {page}]."
    return cited if kind == "good" else f"{cited} It also speaks of the {chance.choice(THINGS)}, as many guides do."


def preferences(places: list[tuple[str, str]], seed: int, each: int) -> list[tuple[str, Preference]]:
    """`each` pairs a place: (how the rejected one breaks the rule, the pair)."""
    chance = random.Random(seed)
    made = []
    for guide, thing in places:
        for turn in range(each):
            kind = KINDS[turn % len(KINDS)]
            chosen, rejected = (answer(guide, thing, one, chance) for one in ("good", kind))
            pair = Preference(prompt=prompt(guide, thing), chosen=chosen, rejected=rejected, mode="chat", source="file")
            made.append((kind, pair))
    chance.shuffle(made)
    return made
