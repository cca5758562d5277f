"""Columns read across instead of down: words stand beside each other that no sentence sets side by side."""

import re

LANGUAGES = frozenset({"en"})
"""Pairs of words that do not meet are known for these."""

_ARTICLES = "the|a|an|its|their|our|his|my|your|every"
_AUXILIARIES = "is|are|was|were|has|have|had|be|been|will|would|should|must|could"
_JOINT = re.compile(
    rf"(?<![\w’'-])(?:{_ARTICLES})\s(?:{_ARTICLES}|{_AUXILIARIES}|of|in|to|for|with|at|by|from|into|and|or|but|than|because)"
    r"(?![\w’'.-])"
    rf"|(?<![\w’'-])(?:of|for|with|at|from|into|between|during|among|against)\s(?:{_AUXILIARIES}|of|and|but|than|because)"
    r"(?![\w’'.-])"
    rf"|(?<![\w’'-])(?:{_ARTICLES}|of|with|from|into|and|at|is|are|was|were)\s?[.;,:)](?=\s|\Z)"
    r"|[a-z]{2},?\s(?:The|It|We|This|These|In|If|When|There|They|But|For|On|At|As|To|An|He|Its|With|From)(?=\s[a-z])"
    r"|(?<![.\w])[a-z]{4,20}[.?!][)”\"]?\s(?=[a-z]{2,20}\s)"
)
"""Where two lines met: `of was`, `the.`, a capital within a sentence, a small letter after its end."""


def broken_joints(text: str) -> int:
    """How often the order of the words breaks in an English text."""
    return sum(1 for _ in _JOINT.finditer(text))
