"""Text that is meant to do something to whoever reads it: hidden characters, and sentences that give orders to a model."""

import re
from collections.abc import Iterable

from shared.contracts.documents import CleaningParameters

HIDDEN, TURNED, INSTRUCTIONS = "hidden-characters", "turned-text", "instructions"

MOST_HIDDEN = 3
"""A soft hyphen or a mark of direction is nothing; more of them in a text hide something."""

_TURNS = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
_UNSEEN = re.compile(r"[\u200b\u2060-\u2064\ufeff\u180e\u034f\U000e0000-\U000e007f]")
_MAY_INSTRUCT = (
    "ignor", "disregard", "forget", "overrid", "bypass", " prompt", "you are now", "pretend", "developer mode", "<|im_",
    "[inst]", "[/inst]", "<<sys>>", "vergiss", "vergessen", "oubli", "olvida",
)  # fmt: skip
_GAP = r"(?:\W{1,3}\w{1,15}){0,4}?\W{1,3}"
_INSTRUCTS = re.compile(
    rf"\b(?:ignore|disregard|forget|override|bypass){_GAP}(?:previous|prior|above|earlier|preceding|all|your|any){_GAP}"
    r"(?:instructions?|prompts?|rules?|guidelines?|directions|messages?|training)\b"
    rf"|\b(?:ignore|disregard|forget|override|bypass){_GAP}(?:instructions?|prompts?|rules?|guidelines?|directions)"
    r"\W{1,3}(?:above|so far|(?:that )?you (?:were|have been) given)\b"
    r"|\b(?:reveal|print|show|repeat|output)\W{1,3}(?:\w{1,15}\W{1,3}){0,3}?(?:system|hidden|initial) prompt"
    r"|\byou are now (?:a|an|in|the|dan)\b|\bpretend (?:to be|you are|that you)\b|\b(?:enter|enable) developer mode\b"
    r"|<\|im_(?:start|end)\|>|\[/?INST\]|<<SYS>>"
    rf"|\b(?:ignorieren?|vergiss|vergessen){_GAP}(?:vorherigen?|bisherigen?|alle){_GAP}(?:anweisungen|regeln)\b"
    rf"|\b(?:oublie[zr]?|ignore[zr]?|olvida|ignora){_GAP}(?:instructions|instrucciones|règles|reglas)"
    r"\W{1,3}(?:précédentes|antérieures|anteriores|previas)\b",
    re.IGNORECASE,
)


def marks(text: str) -> tuple[str, ...]:
    """What stands out in a text as it was read, before it is mended."""
    found = []
    if not text.isascii():
        if _TURNS.search(text) is not None:
            found.append(TURNED)
        if len(_UNSEEN.findall(text)) >= MOST_HIDDEN:
            found.append(HIDDEN)
    return tuple(found)


def flags_of(read: str, text: str, personal: Iterable[str], parameters: CleaningParameters) -> tuple[str, ...]:
    """The flags of a text that is kept: what it hid as it was read, orders it gives, and kinds of personal data it held."""
    flags = {*marks(read), *personal}
    if parameters.instructions == "flag" and gives_orders(text):
        flags.add(INSTRUCTIONS)
    return tuple(sorted(flags))


def gives_orders(text: str) -> bool:
    """Whether a text tells a model to leave its instructions, or holds the marks of a chat template."""
    lowered = text.lower()
    return any(sign in lowered for sign in _MAY_INSTRUCT) and _INSTRUCTS.search(text) is not None
