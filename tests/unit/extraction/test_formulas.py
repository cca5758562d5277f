"""Formulas: what fonts and places say becomes LaTeX; pages without formulas stay as they are."""

import pytest

from services.extraction.stages.formula_tree import formula_latex
from services.extraction.stages.formulas import with_formulas
from services.extraction.stages.latex_symbols import word_to_latex
from services.extraction.stages.words import Rule, Word


def sign(text: str, left: float, baseline: float = 100, size: float = 10, **more: object) -> Word:
    """A letter or sign of a math font, half an em wide a character."""
    width = 0.5 * size * len(text)
    given = {"math": True, "italic": text.isalpha(), "spaced": False, **more}
    return Word(text, left, baseline - 0.7 * size, left + width, baseline + 0.2 * size, baseline, size, **given)  # type: ignore[arg-type]


def plain(text: str, left: float, baseline: float = 100, size: float = 10, **more: object) -> Word:
    return sign(text, left, baseline, size, **{"math": False, "italic": False, "spaced": True, **more})  # type: ignore[arg-type]


def test_small_raised_and_lowered_letters_are_scripts() -> None:
    words = [sign("x", 0), sign("t", 5, 102, 7), sign("y", 12), sign("2", 17, 96, 7, italic=False)]

    assert formula_latex(words, []) == "x_{t}y^{2}"


def test_scripts_of_scripts_are_nested() -> None:
    words = [sign("e", 0), sign("−", 5, 96, 7), sign("x", 9, 96, 7), sign("2", 13, 93, 5)]

    assert formula_latex(words, []) == "e^{-x^{2}}"


def test_a_bar_with_something_above_and_below_is_a_fraction() -> None:
    words = [sign("a", 2, 93), sign("b", 2, 107), sign("=", 14), sign("c", 21)]

    assert formula_latex(words, [Rule(0, 97.5, 9, 97.5)]).replace(" ", "") == r"\frac{a}{b}=c"


def test_a_bar_that_begins_where_a_root_ends_is_its_own() -> None:
    words = [Word("√", 0, 84.5, 5, 101.5, 92, 10, math=True, spaced=False), sign("t", 6)]

    assert formula_latex(words, [Rule(5, 92, 12, 92)]) == r"\sqrt{t}"


def test_what_stands_above_and_below_a_sum_are_its_limits() -> None:
    operator = Word("∑", 0, 90, 14, 104, 91, 10, math=True, spaced=False)
    words = [operator, sign("n", 5, 87, 7), sign("i", 1, 113, 7), sign("=", 4, 113, 7), sign("1", 8, 113, 7), sign("x", 16)]

    assert formula_latex(words, []) == r"\sum_{i=1}^{n}x"


@pytest.mark.parametrize(
    ("text", "upright", "latex"),
    [("𝛼", False, r"\alpha"), ("ℝ", False, r"\mathbb{R}"), ("max", True, r"\max"), ("x", False, "x"), ("≤", True, r"\leq")],
)
def test_signs_have_their_names(text: str, upright: bool, latex: str) -> None:
    assert word_to_latex(text, upright, bold=False) == latex


def test_a_formula_in_a_line_stands_between_dollars_and_leaves_the_words_around_it() -> None:
    line = [plain("where", 0), sign("x", 28, spaced=True), plain("=", 36), plain("0.5", 44), plain("holds", 64)]

    assert [word.text for word in with_formulas(line, [])] == ["where", "$x = 0.5$", "holds"]


def test_the_comma_of_the_sentence_is_not_the_formulas() -> None:
    line = [plain("let", 0), sign("λ", 18, spaced=True), sign("≥", 26, spaced=True), plain("0,", 34), plain("so", 48)]

    assert [word.text for word in with_formulas(line, [])] == ["let", r"$\lambda \geq 0$,", "so"]


def test_a_formula_on_its_own_line_stands_between_two_dollars() -> None:
    words = [plain("The loss is", 0, 80), sign("L", 100), sign("=", 108), sign("a", 116), sign("+", 124), sign("b", 132)]

    assert [word.text for word in with_formulas(words, [])][-1] == "$$L=a+b$$"


def test_a_page_without_math_fonts_passes_unchanged() -> None:
    words = [plain("costs", 0), plain("$5", 30), plain("=", 44), plain("a", 52, italic=True)]

    assert with_formulas(words, []) is words


def test_dollars_of_the_text_are_escaped_where_dollars_mark_formulas() -> None:
    line = [plain("pay", 0), plain("$5", 20), plain("for", 36), sign("x", 56, spaced=True), sign("≤", 64), plain("2", 72)]

    assert next(word.text for word in with_formulas(line, []) if "5" in word.text) == r"\$5"


def test_bullets_of_math_fonts_are_no_formulas() -> None:
    line = [sign("•", 0, italic=False), plain("an item of a list", 12)]

    assert [word.text for word in with_formulas(line, [])] == ["•", "an item of a list"]
