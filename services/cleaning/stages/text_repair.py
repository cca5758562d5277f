"""Mends text as PDFs give it: ligatures, torn words, and characters that no reader sees (and that can hide instructions)."""

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass

LIGATURES = str.maketrans(
    {"\ufb00": "ff", "\ufb01": "fi", "\ufb02": "fl", "\ufb03": "ffi", "\ufb04": "ffl", "\ufb05": "st", "\ufb06": "st"}
)
SPACES = str.maketrans(dict.fromkeys((160, *range(8192, 8203), 8239, 8287, 12288, 9), " "))

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff\ud800-\udfff]")
_INVISIBLE = re.compile(
    r"[\u200b\u2060-\u2064\ufeff\u180e\u00ad\u034f\U000e0000-\U000e007f]"
    r"|(?<![\u0590-\U0001faff])[\u200c\u200d]|[\u200c\u200d](?![\u0590-\U0001faff])"
)
_BIDI = re.compile(r"[\u200e\u200f\u202a-\u202e\u2066-\u2069\u061c]")
_TORN = re.compile(r"(?<=[^\W\d_])[-\u2010]\n[ ]*(?=[a-zà-ÿ])")
_SOFT_TORN = re.compile(r"\u00ad\s*\n\s*")
_BLANKS = re.compile(r" *\n\s*| {2,}")


@dataclass(frozen=True, slots=True)
class Repaired:
    """Mended text, and how many characters of the original are not in it, by kind."""

    text: str
    removed: Counter[str]


def repair(text: str, *, keep_lines: bool = False) -> Repaired:
    """Compatibility characters other than ligatures stay: NFKC would turn x² into x2."""
    if text.isprintable() and "\u034f" not in text:
        return _spaced(text, keep_lines)
    removed: Counter[str] = Counter()
    text = _cut(_SOFT_TORN, "", text, "hyphen", removed)
    text = _cut(_CONTROL, "", text, "control", removed)
    if not text.isascii():
        text = _cut(_BIDI, "", text, "bidi", removed)
        text = _cut(_INVISIBLE, "", text, "invisible", removed)
    text = text.translate(SPACES)
    if not keep_lines:
        text = _cut(_TORN, "", text, "hyphen", removed)
        text = _cut(_BLANKS, " ", text, "whitespace", removed)
    stripped = text.strip() if not keep_lines else text.strip("\n")
    removed["whitespace"] += len(text) - len(stripped)
    return Repaired(unicodedata.normalize("NFC", stripped.translate(LIGATURES)), +removed)


def _spaced(text: str, keep_spaces: bool) -> Repaired:
    """As `repair`, of one line of characters that are seen, and spaces: most of the text there is, and quickly told."""
    shorter = text
    if not keep_spaces:
        shorter = (_BLANKS.sub(" ", text) if "  " in text else text).strip(" ")
    removed = Counter({"whitespace": len(text) - len(shorter)}) if len(shorter) < len(text) else Counter[str]()
    if not shorter.isascii():
        shorter = unicodedata.normalize("NFC", shorter.translate(LIGATURES))
    return Repaired(shorter, removed)


def _cut(pattern: re.Pattern[str], by: str, text: str, kind: str, removed: Counter[str]) -> str:
    shorter = pattern.sub(by, text)
    removed[kind] += len(text) - len(shorter)
    return shorter
