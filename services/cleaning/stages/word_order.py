"""Columns read across instead of down: words stand beside each other that no sentence sets side by side."""

import re
from functools import lru_cache
from itertools import pairwise

LANGUAGES = frozenset({"en"})
"""Pairs of words that do not meet are known for these."""

REACH = 30
LONGEST = 2 * REACH
"""Joints show in so many characters at the ends of a word: no longer word is remembered."""

_ARTICLES = "the|a|an|its|their|our|his|my|your|every"
_AUXILIARIES = "is|are|was|were|has|have|had|be|been|will|would|should|must|could"
_NEVER_BEHIND = rf"{_ARTICLES}|{_AUXILIARIES}|of|in|to|for|with|at|by|from|into|and|or|but|than|because"
_PREPOSITIONS = "of|for|with|at|from|into|between|during|among|against"
_NEVER_BEFORE = rf"{_AUXILIARIES}|of|and|but|than|because"
_NEVER_LAST = rf"{_ARTICLES}|of|with|from|into|and"
_JOINTS = (
    re.compile(rf"(?<![\w’'-])(?:{_ARTICLES})\s(?:{_NEVER_BEHIND})(?![\w’'.-])"),
    re.compile(rf"(?<![\w’'-])(?:{_PREPOSITIONS})\s(?:{_NEVER_BEFORE})(?![\w’'.-])"),
    re.compile(rf"(?<![\w’'-])(?:{_NEVER_LAST})\s?[.;,:)](?=\s|\Z)"),
    re.compile(
        r"[a-z]{2},?\s(?:The|It|We|This|These|In|If|When|There|They|But|For|On|At|As|To|An|He|Its|With|From)(?=\s[a-z])"
    ),
    re.compile(r"(?<![.\w])[a-z]{4,20}\.[)”\"]?\s(?=[a-z]{2,20}\s)"),
)
"""Where two lines met: `of was`, `the.`, a capital within a sentence, a small letter after its end."""


_SIDES = (
    (rf"(?<![\w’'-])(?:{_ARTICLES})\Z", rf"(?:{_NEVER_BEHIND})(?![\w’'.-])"),
    (rf"(?<![\w’'-])(?:{_PREPOSITIONS})\Z", rf"(?:{_NEVER_BEFORE})(?![\w’'.-])"),
    (rf"(?<![\w’'-])(?:{_NEVER_LAST})[.;,:)]\Z", ""),
    (rf"(?<![\w’'-])(?:{_NEVER_LAST})\Z", r"[.;,:)]\Z"),
    (r"[a-z]{2},?\Z", r"[A-Z]"),
    (r"(?<![.\w])[a-z]{4,20}\.[)”\"]?\Z", r"[a-z]"),
)
"""What the words before and behind a joint look like, each for itself: no joint without both, but not always one with both."""


def broken_joints(text: str) -> int:
    """How often the order of the words breaks in an English text. One kind of break alone is a habit of its writer."""
    sides = [_sides(word if len(word) <= LONGEST else word[:REACH] + word[-REACH:]) for word in (*text.split(), "")]
    kinds = 0
    for (before, _), (_, behind) in pairwise(sides):
        kinds |= before & behind
    if kinds.bit_count() < 2:
        return 0
    counts = [sum(1 for _ in kind.finditer(text)) for kind in _JOINTS]
    return sum(counts) if sum(map(bool, counts)) > 1 else 0


@lru_cache(maxsize=1 << 15)
def _sides(word: str) -> tuple[int, int]:
    """The kinds of joints, as bits, that a word may stand before, and behind."""
    before = sum(1 << kind for kind, (last, _) in enumerate(_SIDES) if re.search(last, word))
    return before, sum(1 << kind for kind, (_, first) in enumerate(_SIDES) if re.match(first, word))
