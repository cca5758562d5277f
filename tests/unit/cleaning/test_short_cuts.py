"""First looks that spare the long one never change what it would say."""

from ftfy.badness import badness
from hypothesis import given, settings
from hypothesis import strategies as st

from services.cleaning.stages import noise, word_order
from services.cleaning.stages.languages import code_of, language_of
from services.cleaning.stages.mojibake import damage
from services.cleaning.stages.references import is_reference_title
from services.cleaning.stages.text_repair import repair
from tests.unit.cleaning.texts import PROSE

WORDS = st.sampled_from(
    [
        "the",
        "(the",
        "of",
        "was",
        "the.",
        "its",
        ",",
        ".",
        "The",
        "It",
        "they",
        "moved.",
        "moved.)",
        "and;",
        "a-b",
        "’s",
        "in",
        "x" * 70,
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(WORDS, max_size=12), st.sampled_from([" ", "\n", "  "]))
def test_joints_are_counted_as_the_patterns_alone_count_them(words: list[str], gap: str) -> None:
    text = gap.join(words)
    counts = [sum(1 for _ in kind.finditer(text)) for kind in word_order._JOINTS]

    assert word_order.broken_joints(text) == (sum(counts) if sum(map(bool, counts)) > 1 else 0)


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("aZ 0.,(–—‘’“”•…"), max_size=60))
def test_typographic_marks_alone_are_no_damage_to_ftfy_either(text: str) -> None:
    assert damage(text) == badness(text) == 0


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("ab Á\ufb01é\u0301-"), max_size=40))
def test_a_line_of_visible_characters_is_mended_like_any_text(text: str) -> None:
    """A zero-width space at the end takes the long way, and is all that this adds."""
    short, long = repair(text), repair("\u200b" + text)

    assert short.text == long.text
    assert short.removed.total() == long.removed.total() - 1


def test_the_language_of_english_prose_is_what_the_model_says() -> None:
    assert code_of(PROSE) == language_of(PROSE).code == "en"
    german = "Die Messungen wurden an jedem Morgen des Jahres von derselben Person am Ufer des Sees gemacht und notiert."
    assert code_of(german) == language_of(german).code == "de"


def test_sequences_of_letters_count_the_words_they_are_in() -> None:
    triples, pairs = noise._sequences("en")
    weights = {word: weight for word, weight in noise._words("en").items() if word.isalpha()}

    assert triples["^^q"] == sum(weight for word, weight in weights.items() if word.startswith("q"))
    assert pairs["qu"] == sum(weight * word.count("qu") for word, weight in weights.items())


def test_no_heading_of_more_words_than_a_reference_title_is_one() -> None:
    assert is_reference_title("IV. References  and notes:")
    assert not is_reference_title("References and notes of the expedition")
