"""What a parser says of a page's text: words, each with its box, its font and where it stands in its line."""

from typing import NamedTuple


class Word(NamedTuple):
    """Characters of one font without a space between them. Points, origin at the page's top left.

    `spaced`: a space stands before it. `starts_line`: the parser began a new line with it. `hyphenated`: it ends in a
    hyphen that breaks a word at the end of a line. `math`: its font is one for formulas. `turn`: degrees by which its
    line is turned clockwise, a multiple of 90. A tuple, since a page has thousands and most of the time goes here.
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
    italic: bool = False
    math: bool = False
    turn: int = 0


class Rule(NamedTuple):
    """A straight line drawn on a page, or the edge of a box: horizontal where `top == bottom`, else vertical."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def horizontal(self) -> bool:
        return self.top == self.bottom
