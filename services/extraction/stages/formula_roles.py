"""What each word of a page is to a formula, by its font and its signs."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from services.extraction.stages.latex_symbols import BIG, FUNCTIONS, GREEK, RELATIONS, is_alphanumeric
from services.extraction.stages.words import Word

Role = Literal["core", "near", "text"]
"""What a word is to a formula: proof of one, a part where one is near, or none."""

_FUNCTION = "|".join(sorted(FUNCTIONS, key=len, reverse=True))
_NEAR = re.compile(
    rf"(?:[\d=+\-−<>/|()\[\]{{}}:;,.!*·′…¯ˆ˜˙]+|(?<![A-Za-z])(?:{_FUNCTION})(?![A-Za-z]))+|[(\[]?[b-zA-HJ-Z][)\]]?"
)
_STRONG = frozenset("∑∏∫∮√∂∇∞±∓×÷⋅∘⊕⊗≤≥≠≈≡∼≃∝∈∉⊂⊆⊃⊇∪∩→←↔⇒⇔↦≪≫∀∃∅∧∨∥‖∣⟨⟩′∶⋆−<>=+⌊⌋⌈⌉|/()[]{},.:;")
_WEAK = frozenset("•∙·◦∗*†‡§¶©®–—■□▪●○✓✗✔♦")


@dataclass(slots=True)
class Place:
    """A word with its index in the page, and its role."""

    index: int
    word: Word
    role: Role


def role_of(word: Word) -> Role:
    text = word.text
    if all(sign in _WEAK for sign in text):
        return "text"
    if word.math:
        strong = any(sign.isalpha() or is_alphanumeric(sign) or sign in _STRONG or sign in BIG for sign in text)
        return "core" if strong else "near"
    if all(sign in GREEK for sign in text) or any(is_alphanumeric(sign) for sign in text):
        return "core"
    if _NEAR.fullmatch(text):
        return "near"
    return "text"


def promote(line: Sequence[Place], size: float) -> None:
    """A letter in the text's italics is a formula's where an operator or a script stands beside it."""
    for index, place in enumerate(line):
        word = place.word
        if place.role == "core" or not word.italic or len(word.text) > 2 or not word.text.isalpha():
            continue
        for other in (*line[index - 1 : index], *line[index + 1 : index + 2]):
            gap = max(other.word.left - word.right, word.left - other.word.right)
            script = other.word.size <= 0.85 * word.size and gap <= 0.15 * size and abs(other.word.baseline - word.baseline) > 1
            if gap <= 0.5 * size and (script or (other.role != "text" and other.word.text[0] in RELATIONS)):
                place.role = "core"
