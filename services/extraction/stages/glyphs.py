"""What a parser says of a page, before anything is made of it: words with their boxes and fonts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Word:
    """Characters without a space between them. Points, origin at the page's top left.

    `spaced`: a space stands before it. `starts_line`: the parser began a new line with it.
    `hyphenated`: it ends in a hyphen that breaks a word at the end of a line.
    """

    text: str
    left: float
    top: float
    right: float
    bottom: float
    baseline: float
    size: float
    bold: bool = False
    mono: bool = False
    spaced: bool = True
    starts_line: bool = False
    hyphenated: bool = False


@dataclass(frozen=True, slots=True)
class RawPage:
    """A page as the parser gives it, words in the order of its content stream."""

    number: int
    width: float
    height: float
    words: tuple[Word, ...]
