"""Text that would teach a model nothing, told by rules: each has a reason, a score, and the threshold it passed."""

import re
from collections import Counter
from dataclasses import dataclass

from shared.contracts.documents import BlockKind, CleaningParameters

REPEATED_WORDS = 5
MIN_WORDS_FOR_REPETITION = 20

_LEADERS = re.compile(r"(?:\.\s?){4,}|…{2,}|(?:·\s?){4,}|_{6,}")
_DAMAGED = re.compile(r"[\ufffd\ue000-\uf8ff\U000f0000-\U0010fffd]|\(cid:\d+\)")
_TERMINAL = re.compile(r"[.!?:;…][\"'”’)\]]*\Z")
_PROSE: frozenset[BlockKind] = frozenset({"paragraph", "list", "caption", "footnote", "citation", "boilerplate"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a text is garbage: `score` lies beyond `threshold`."""

    reason: str
    score: float
    threshold: float


def judge(kind: BlockKind, text: str, parameters: CleaningParameters) -> Verdict | None:
    """The first rule that a text breaks, or None."""
    visible = [c for c in text if not c.isspace() and c != "|"]
    if not visible:
        return Verdict("too-short", 0.0, float(max(1, parameters.min_words)))
    damaged = sum(len(found) for found in _DAMAGED.findall(text)) / len(visible)
    if damaged > parameters.max_replacement_ratio:
        return _verdict("encoding-damage", damaged, parameters.max_replacement_ratio)
    if kind in _PROSE:
        return _judge_prose(kind, text, visible, parameters)
    if kind in ("table", "formula"):
        return _symbol_noise(visible, parameters)
    return None


def _judge_prose(kind: BlockKind, text: str, visible: list[str], parameters: CleaningParameters) -> Verdict | None:
    leaders = sum(len(found) for found in _LEADERS.findall(text)) / len(text)
    if leaders > parameters.max_leader_ratio:
        return _verdict("table-of-contents", leaders, parameters.max_leader_ratio)
    words = re.findall(r"[^\W\d_]+(?:[’'-][^\W\d_]+)*", text)
    spoken = sum(any(c.isalpha() for c in word) for word in text.split())
    if spoken < parameters.min_words:
        return _verdict("too-short", spoken, parameters.min_words)
    if kind == "paragraph" and spoken < parameters.min_fragment_words and not _TERMINAL.search(text):
        return _verdict("fragment", spoken, parameters.min_fragment_words)
    if (noise := _symbol_noise(visible, parameters)) is not None:
        return noise
    spaced = sum(len(word) == 1 and word not in "aAIàéyoeu" for word in words) / len(words)
    if len(words) >= 5 and spaced > parameters.max_spaced_ratio:
        return _verdict("spaced-letters", spaced, parameters.max_spaced_ratio)
    repeated = repeated_share(text.casefold().split())
    return _verdict("repetition", repeated, parameters.max_repeat_ratio) if repeated > parameters.max_repeat_ratio else None


def _symbol_noise(visible: list[str], parameters: CleaningParameters) -> Verdict | None:
    letters = sum(c.isalpha() for c in visible) / len(visible)
    return _verdict("symbol-noise", letters, parameters.min_alpha_ratio) if letters < parameters.min_alpha_ratio else None


def repeated_share(words: list[str]) -> float:
    """Share of words inside a run of five that was said before in the same text (after Gopher, Rae et al. 2021, A1.1)."""
    if len(words) < MIN_WORDS_FOR_REPETITION:
        return 0.0
    runs = [tuple(words[i : i + REPEATED_WORDS]) for i in range(len(words) - REPEATED_WORDS + 1)]
    seen: Counter[tuple[str, ...]] = Counter()
    covered: set[int] = set()
    for start, run in enumerate(runs):
        if seen[run]:
            covered.update(range(start, start + REPEATED_WORDS))
        seen[run] += 1
    return len(covered) / len(words)


def _verdict(reason: str, score: float, threshold: float) -> Verdict:
    return Verdict(reason, round(float(score), 4), float(threshold))
