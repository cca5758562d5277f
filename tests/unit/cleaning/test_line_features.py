"""What a model sees of a line: the same each time, of bounded size, for any text whatever."""

import time

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.cleaning.stages.habits import Habits
from services.cleaning.stages.line_features import BUCKETS, FLAGS, MOST_WORDS, WIDTH, Features
from services.cleaning.stages.ruled_pages import ruled
from shared.contracts.documents import Block
from tests.unit.cleaning.test_page_lines import set_in_lines
from tests.unit.cleaning.texts import PROSE, block, page

FIRST_FLAG = 13 + 10


def seen(*blocks: Block, known: Habits | None = None) -> Features:
    given = known or Habits(body_size=10.0)
    (one,) = ruled([page(*blocks)], given, 0.12)
    return one.features(given)


def flags_of(text: str, *others: Block) -> set[str]:
    row = seen(block(text), *others).dense[0, FIRST_FLAG : FIRST_FLAG + len(FLAGS)]
    return {FLAGS[at] for at in np.flatnonzero(row)}


def test_lines_show_what_tells_them_apart() -> None:
    assert {"key", "year", "range", "publisher"} <= flags_of("[4] Sorley, I.: Gauges. Journal of Tides 3, pp. 4–19, 1871.")
    assert {"surname", "initials", "year in brackets"} <= flags_of("Fujita, M., & Krugman, P. (2000). Cities.")
    assert {"caption", "caption number"} <= flags_of("Figure 3: The float in its well.")
    assert {"page number", "alone"} <= flags_of("Page 3 of 12")
    assert {"equation number"} <= flags_of("h(t) = a exp(−t / T)  (12)")
    assert {"most cells", "cells"} <= flags_of("1.20 3.60 — 14 %")
    assert {"references"} <= flags_of("References")


def test_a_block_knows_the_captions_around_it_unless_text_stands_between() -> None:
    rows, prose = block("Ullen Weir 1.00"), set_in_lines(PROSE, PROSE[:60], PROSE[60:120], PROSE[120:])

    assert "under table caption" in {
        FLAGS[at] for at in np.flatnonzero(seen(block("Table 1. Depths", "caption"), rows).dense[1, 23 : 23 + len(FLAGS)])
    }
    assert "over figure caption" in flags_of("0.6", block("Figure 2. Levels", "caption"))
    assert "over figure caption" not in flags_of("0.6", prose, block("Figure 2. Levels", "caption"))


@given(st.lists(st.text(max_size=60), max_size=6), st.floats(0, 2000), st.floats(0, 40))
def test_any_page_has_rows_of_the_same_width_and_the_same_each_time(texts: list[str], top: float, size: float) -> None:
    blocks = [block(text, top=top) for text in texts]

    first, second = seen(*blocks, known=Habits(body_size=size)), seen(*blocks, known=Habits(body_size=size))

    assert first.dense.shape == (sum(text.count("\n") + 1 for text in texts if text), WIDTH)
    assert np.array_equal(first.dense, second.dense) and np.array_equal(first.words, second.words)
    assert np.isfinite(first.dense).all()
    assert all(0 <= bucket < BUCKETS for bucket in first.words)
    assert first.offsets[-1] == len(first.words) and (np.diff(first.offsets) <= MOST_WORDS + 1).all()


def test_a_line_of_ten_megabytes_costs_no_more_than_a_long_one() -> None:
    started = time.process_time()
    for unit in ("a", "a b ", "[1] ", "(A ", ". ", "1,", "$$", "@", "\u202e", "Fig. 1 "):
        found = seen(block(unit * (10_000_000 // len(unit))))
        assert len(found.words) <= MOST_WORDS + 1
    assert time.process_time() - started < 60
