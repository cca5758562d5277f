"""The tagger that comes with Lectern, and what may be loaded in its place."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from services.cleaning.adapters.line_models import ABOUT, BUNDLED, bundled_model, chain_model, save_chain_model
from services.cleaning.local import clean_mmd
from services.cleaning.stages.line_features import BUCKETS, LABELS, VERSION, WIDTH
from shared.contracts.documents import Block, CleaningParameters, Line, Page
from shared.errors import InvalidInput, NotFound
from tests.unit.cleaning.texts import PROSE


def line(text: str, top: float, size: float = 10.0, left: float = 72.0, right: float = 520.0) -> Line:
    return Line(text=text, box=(left, top, right, top + size * 1.2), font_size=size)


def set_block(kind: str, *lines: Line) -> Block:
    box = (lines[0].box[0], lines[0].box[1], lines[-1].box[2], lines[-1].box[3])
    return Block.model_validate(
        {"kind": kind, "text": " ".join(one.text for one in lines), "box": box, "start": 0, "end": 0, "lines": lines}
    )


def a_page() -> Page:
    """With a running line that extraction took for a paragraph, as it must on a document of one page."""
    half = len(PROSE) // 2
    blocks = (
        set_block("paragraph", line("Hadi, Lindqvist and Voss", 30, 8, 430, 520)),
        set_block("paragraph", *(line(PROSE[at : at + 80], 100 + at / 6) for at in range(0, 240, 80))),
        set_block("caption", line("Figure 2. Levels at Halden Quay in the spring of 2031.", 420, 8.5)),
        set_block("paragraph", *(line(PROSE[half : half + 80], 500 + 12 * at) for at in range(4))),
        set_block("page_number", line("212", 800, 8, 290, 305)),
    )
    return Page(number=2, width=595.0, height=842.0, engine="text-layer", blocks=blocks)


def test_a_running_line_that_rules_cannot_know_leaves_the_text_with_its_label_and_confidence() -> None:
    by_model, by_rules = (clean_mmd("", (a_page(),), CleaningParameters(tagger=name)) for name in (BUNDLED, "rules"))

    first = by_model.lines[0]
    assert by_rules.lines[0].label == "content"
    assert (first.label, first.fate, first.reason) == ("header", "dropped", "header")
    assert first.confidence is not None and 0.5 < first.confidence <= 1
    assert [one.label for one in by_model.lines if one.block == 2] == ["figure_caption"]
    assert all(one.confidence is None for one in by_rules.lines)


def test_a_text_without_places_is_left_to_the_rules() -> None:
    assert all(one.confidence is None for one in clean_mmd(f"# A title\n\n{PROSE}\n").lines)


def test_a_tagger_that_only_a_server_has_is_not_found_here() -> None:
    with pytest.raises(NotFound, match="no tagger that comes with Lectern"):
        bundled_model("our-own")


def test_weights_survive_their_file_in_half_precision(tmp_path: Path) -> None:
    names = {"words": (BUCKETS, 10), "dense.here": (WIDTH, 10), "dense.before": (WIDTH, 10), "dense.after": (WIDTH, 10)}
    shapes = {**names, "bias": (10,), "chain.moves": (10, 10), "chain.start": (10,), "chain.end": (10,)}
    luck = np.random.default_rng(0)
    weights = {name: luck.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}

    save_chain_model(weights, "crf", tmp_path / "model.safetensors", {"pages": 3})

    assert chain_model(tmp_path / "model.safetensors")


@pytest.mark.parametrize("about", [{}, {"features": 0}, {"features": VERSION, "labels": LABELS, "kind": "crf"}])
def test_what_is_no_tagger_of_this_version_is_refused(tmp_path: Path, about: dict[str, object]) -> None:
    save_file({"words": np.zeros((4, 4), np.float32)}, tmp_path / "model.safetensors", {ABOUT: json.dumps(about)})

    with pytest.raises(InvalidInput, match="train it again"):
        chain_model(tmp_path / "model.safetensors")


def test_a_file_that_is_no_safetensors_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"\x80\x04K\x01.")

    with pytest.raises(InvalidInput, match="cannot be read as a tagger"):
        chain_model(tmp_path / "model.safetensors")
