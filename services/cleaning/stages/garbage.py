"""Text that would teach a model nothing, told by rules: each has a reason, a score, and the threshold it passed."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from itertools import islice

from services.cleaning.stages import mojibake
from services.cleaning.stages.hostile import gives_orders
from services.cleaning.stages.languages import Language, code_of, language_of
from services.cleaning.stages.listings import leader_share, paged_share, reference_marks, stock_share
from services.cleaning.stages.noise import judged, noise_share
from services.cleaning.stages.repetition import DUPLICATE_SIZES, TOP_SIZES, duplicate_share, top_share
from services.cleaning.stages.word_order import LANGUAGES as ORDERED
from services.cleaning.stages.word_order import broken_joints
from shared.contracts.documents import BlockKind, CleaningParameters

MIN_WORDS_TO_REPEAT, MIN_WORDS_FOR_GOPHER = 20, 150
"""Gopher's limits are those of documents: a short note may say a name in each of its sentences."""

MIN_WORDS_TO_COMPARE = 8
MIN_JOINTS = 2
MOST_REMEMBERED = 500_000
"""Paragraphs that a document's memory holds: what comes after is compared with them and not remembered."""

LONGEST_JUDGED = 50_000
"""A longer block is judged by its beginning: it says enough, and time stays linear."""

_DAMAGED = re.compile(r"[\ufffd\ue000-\uf8ff\U000f0000-\U0010fffd]|\(cid:\d+\)")
_TERMINAL = re.compile(r"[.!?:;…。！？؟।][\"'”’)\]»]*\Z")
_MATHS = re.compile(r"\$[^$\n]{1,300}\$|\\\([^\n]{1,300}?\\\)")
_TAG = re.compile(r"</?(?:table|tr|td|th)[^<>]{0,60}>")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")
_LETTERS = re.compile(r"[^\W\d_]+")
_DIGITS = re.compile(r"\d+")
_PROSE: frozenset[BlockKind] = frozenset({"paragraph", "list", "caption", "footnote", "citation", "boilerplate"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a text is garbage: `score` lies beyond `threshold`."""

    reason: str
    score: float
    threshold: float


@dataclass(slots=True)
class Memory:
    """What was said in a document so far and how often, as short digests."""

    said: dict[bytes, int] = field(default_factory=dict)

    def told(self, text: str) -> int:
        """How often a paragraph was said, this time included."""
        digest = blake2b(text.casefold().encode("utf-8", "replace"), digest_size=8).digest()
        times = self.said.get(digest, 0) + 1
        if times > 1 or len(self.said) < MOST_REMEMBERED:
            self.said[digest] = times
        return times


@dataclass(frozen=True)
class Text:
    """A text as the rules look at it: each view of it is made once, when a rule asks for it."""

    kind: BlockKind
    text: str
    parameters: CleaningParameters

    @cached_property
    def tokens(self) -> list[str]:
        """What stands between spaces."""
        return self.text.split()

    @cached_property
    def plain(self) -> str:
        """The text without the formulas within its lines."""
        return _MATHS.sub(" ", self.text) if "$" in self.text or "\\(" in self.text else self.text

    @cached_property
    def spoken(self) -> int:
        """Tokens with a letter in them, as far as it matters; where words stand without spaces, one for two letters."""
        enough = max(self.parameters.min_words, self.parameters.min_fragment_words)
        spoken = sum(1 for _ in islice((token for token in self.tokens if _LETTERS.search(token)), enough))
        return spoken if self.text.isascii() else max(spoken, len(_UNSPACED.findall(self.text)) // 2)

    @cached_property
    def visible(self) -> int:
        """Characters, but for spaces and the rules of tables."""
        return sum(map(len, self.tokens)) - self.text.count("|")

    @cached_property
    def letters(self) -> int:
        return sum(map(len, _LETTERS.findall(self.text)))

    @cached_property
    def balance(self) -> tuple[float, float]:
        """Shares of letters and of digits among the visible characters, formulas left out where they leave anything."""
        text = self.plain if len(self.plain.split()) >= self.parameters.min_words else self.text
        visible = sum(map(len, text.split())) - text.count("|")
        if not visible:
            return 0.0, 0.0
        return sum(map(len, _LETTERS.findall(text))) / visible, sum(map(len, _DIGITS.findall(text))) / visible

    @cached_property
    def language(self) -> Language:
        return language_of(self.text)

    @cached_property
    def code(self) -> str:
        """The language's code, for those who need not know how sure it is."""
        return code_of(self.text)


def judge(kind: BlockKind, text: str, parameters: CleaningParameters, memory: Memory | None = None) -> Verdict | None:
    """The first rule that a text breaks, or None. `memory` is the document's own, for paragraphs that come again."""
    seen = Text(kind, text[:LONGEST_JUDGED], parameters)
    if not seen.visible:
        return Verdict("too-short", 0.0, float(max(1, parameters.min_words)))
    rules = _OF_ANY + (_OF_PROSE if kind in _PROSE else _OF_FIGURES if kind in ("table", "formula") else ())
    for rule in rules:
        if (verdict := rule(seen)) is not None:
            return verdict
    if memory is not None and kind in _PROSE and len(seen.tokens) >= MIN_WORDS_TO_COMPARE:
        return _above("repeated-paragraph", memory.told(text), parameters.max_paragraph_copies)
    return None


def _encoding(seen: Text) -> Verdict | None:
    if seen.text.isascii() and "(cid:" not in seen.text:
        return None
    damaged = sum(len(found) for found in _DAMAGED.findall(seen.text)) / seen.visible
    return _above("encoding-damage", damaged, seen.parameters.max_replacement_ratio)


def _mojibake(seen: Text) -> Verdict | None:
    return _above("mojibake", mojibake.damage(seen.text), seen.parameters.max_mojibake_ratio)


def _orders(seen: Text) -> Verdict | None:
    wanted = seen.parameters.instructions == "set-aside"
    return Verdict("instructions", 1.0, 0.0) if wanted and gives_orders(seen.text) else None


def _contents(seen: Text) -> Verdict | None:
    share = leader_share(seen.text)
    if (found := _above("table-of-contents", share, seen.parameters.max_leader_ratio)) is not None:
        return found
    return _above("table-of-contents", paged_share(seen.text), seen.parameters.max_paged_ratio)


def _short(seen: Text) -> Verdict | None:
    parameters = seen.parameters
    if seen.spoken < parameters.min_words:
        return _verdict("too-short", seen.spoken, parameters.min_words)
    if seen.kind == "paragraph" and seen.spoken < parameters.min_fragment_words and not _TERMINAL.search(seen.text):
        return _verdict("fragment", seen.spoken, parameters.min_fragment_words)
    return None


def _symbols(seen: Text) -> Verdict | None:
    return _below("symbol-noise", seen.balance[0], seen.parameters.min_alpha_ratio)


def _figures(seen: Text) -> Verdict | None:
    """Tables and formulas may have few letters, but not next to none."""
    text = _TAG.sub("", seen.text)
    visible = sum(map(len, text.split())) - text.count("|")
    letters = sum(map(len, _LETTERS.findall(text))) / visible if visible else 0.0
    return _below("symbol-noise", letters, seen.parameters.min_figure_alpha_ratio)


def _digits(seen: Text) -> Verdict | None:
    return _above("digits", seen.balance[1], seen.parameters.max_digit_ratio)


def _marks(seen: Text) -> Verdict | None:
    """Gopher's ratio of `#` and `…` to words (Rae et al. 2021, A1.1)."""
    marks = seen.text.count("#") + seen.text.count("…") + seen.text.count("...")
    return _above("marks", marks / len(seen.tokens), seen.parameters.max_mark_ratio) if marks > 1 else None


def _spaced(seen: Text) -> Verdict | None:
    words = seen.plain.split()
    if len(words) < 5:
        return None
    spaced = sum(len(word) == 1 and word.isalpha() and word not in "aAIàéyoeu" for word in words) / len(words)
    return _above("spaced-letters", spaced, seen.parameters.max_spaced_ratio)


def _repetition(seen: Text) -> Verdict | None:
    words = seen.text.casefold().split()
    if len(words) < MIN_WORDS_TO_REPEAT:
        return None
    parameters = seen.parameters
    if len(words) < MIN_WORDS_FOR_GOPHER:
        return _above("repetition", duplicate_share(words, DUPLICATE_SIZES[0]), parameters.max_repeat_ratio)
    for share, limit in _gopher(words, parameters):
        if share > limit:
            return _verdict("repetition", share, limit)
    return None


def _gopher(words: list[str], parameters: CleaningParameters) -> Iterator[tuple[float, float]]:
    """Shares with their limits. No run of five said twice means none of six or more; no frequent pair, no frequent triple."""
    pairs = top_share(words, TOP_SIZES[0])
    yield pairs, parameters.max_top_ngram_ratio[0]
    if pairs:
        yield from (
            (top_share(words, size), limit)
            for size, limit in zip(TOP_SIZES[1:], parameters.max_top_ngram_ratio[1:], strict=True)
        )
    fives = duplicate_share(words, DUPLICATE_SIZES[0])
    yield fives, parameters.max_duplicate_ngram_ratio[0]
    if fives > parameters.max_duplicate_ngram_ratio[-1]:
        yield from (
            (duplicate_share(words, size), limit)
            for size, limit in zip(DUPLICATE_SIZES[1:], parameters.max_duplicate_ngram_ratio[1:], strict=True)
        )


def _references(seen: Text) -> Verdict | None:
    if not seen.parameters.drop_references or seen.kind == "caption":
        return None
    marks = reference_marks(seen.text, len(seen.tokens))
    return _above("references", marks, seen.parameters.max_reference_ratio)


def _stock(seen: Text) -> Verdict | None:
    if not seen.parameters.drop_boilerplate:
        return None
    return _above("boilerplate", stock_share(seen.text), seen.parameters.max_boilerplate_ratio)


def _language(seen: Text) -> Verdict | None:
    """Only where languages are asked for, and the text is long enough to tell."""
    parameters = seen.parameters
    if not parameters.languages or seen.letters < parameters.min_language_letters:
        return None
    if seen.language.code in parameters.languages:
        return None
    return _above("language", seen.language.confidence, parameters.max_foreign_confidence)


def _noise(seen: Text) -> Verdict | None:
    if seen.code not in judged():
        return None
    return _above("ocr-noise", noise_share(seen.text, seen.code), seen.parameters.max_noise_ratio)


def _order(seen: Text) -> Verdict | None:
    if seen.code not in ORDERED or (joints := broken_joints(seen.text)) < MIN_JOINTS:
        return None
    return _above("shuffled-columns", joints / len(seen.tokens), seen.parameters.max_broken_joint_ratio)


Rule = Callable[[Text], Verdict | None]
_OF_ANY: tuple[Rule, ...] = (_encoding, _mojibake, _orders)
_OF_FIGURES: tuple[Rule, ...] = (_figures,)
_OF_PROSE: tuple[Rule, ...] = (
    _contents, _short, _symbols, _digits, _marks, _spaced, _repetition, _stock, _references, _language, _noise, _order,
)  # fmt: skip
"""Cheap and certain rules first: the first that a text breaks is its reason."""


def _above(reason: str, score: float, threshold: float) -> Verdict | None:
    return _verdict(reason, score, threshold) if score > threshold else None


def _below(reason: str, score: float, threshold: float) -> Verdict | None:
    return _verdict(reason, score, threshold) if score < threshold else None


def _verdict(reason: str, score: float, threshold: float) -> Verdict:
    return Verdict(reason, round(float(score), 4), float(threshold))
