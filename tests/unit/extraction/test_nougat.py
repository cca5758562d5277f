"""Nougat by a tiny model of its classes: loading, batches, loops, and what becomes of pages that it fails at."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from services.extraction.adapters.isolated import IsolatedExtractor
from services.extraction.adapters.nougat import Nougat
from services.extraction.adapters.transcription import Transcript
from services.extraction.stages.repetition import TAIL, exact_loop, is_looping, loop_start
from services.extraction.stages.transcript import blocks_of
from shared.contracts.documents import ExtractionParameters, ExtractionResult, Page
from shared.errors import Unsupported
from tests.unit.extraction.pdfs import paper
from tests.unit.extraction.tiny_nougat import taught

SAID = "# Tides\n\nThe well\n\n\\[h=a\\cos t\\]"
OTHER = "A pier"
LOOP = "ab " * 50


@pytest.fixture(scope="module")
def lessons(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, str]:
    folder = tmp_path_factory.mktemp("pictures")
    return {picture(folder / f"{index}.png", index): text for index, text in enumerate((SAID, OTHER, LOOP))}


@pytest.fixture(scope="module")
def weights(lessons: dict[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return taught(tmp_path_factory.mktemp("weights"), lessons)


def picture(path: Path, kind: int) -> Path:
    image = Image.new("L", (80, 80), 255)
    draw = ImageDraw.Draw(image)
    draw.rectangle([(4, 4, 76, 20), (4, 50, 30, 76), (40, 10, 60, 70)][kind], fill=0)
    image.save(path, "PNG")
    return path


def quiet(done: int, total: int) -> None:
    assert done <= total


def test_weights_are_safetensors_and_a_batch_keeps_its_order(weights: Path, lessons: dict[Path, str]) -> None:
    said, other, _ = lessons

    read = Nougat(str(weights), batch_size=2).read([other, said, other])

    assert list(weights.glob("*.safetensors")) and not list(weights.glob("*.bin"))
    assert [one.text for one in read] == [OTHER, SAID, OTHER]
    assert all(one.fault is None and one.confidence > 0.8 for one in read)


def test_a_page_that_loops_is_given_up_and_holds_up_no_other(weights: Path, lessons: dict[Path, str]) -> None:
    said, _, loop = lessons

    looped, sound = Nougat(str(weights), batch_size=2).read([loop, said])

    assert looped.fault == "Nougat repeats itself on it" and sound.fault is None
    assert len(looped.text) < len(LOOP)


def test_weights_that_are_not_there_are_an_error_that_names_the_setting(tmp_path: Path, lessons: dict[Path, str]) -> None:
    with pytest.raises(Unsupported, match="LECTERN_NOUGAT_WEIGHTS"):
        Nougat(str(tmp_path)).read(list(lessons))


class Reciter:
    """Reads the first page of a document, and fails at the others."""

    def read(self, pictures: list[Path]) -> list[Transcript]:
        assert all(Image.open(path).size > (700, 1000) for path in pictures)
        return [
            Transcript(SAID, 0.9) if path.stem == "picture-1" else Transcript("x", 0.1, "Nougat repeats itself on it")
            for path in pictures
        ]


def test_pages_that_nougat_fails_at_are_read_by_the_next_engine(tmp_path: Path) -> None:
    extractor = IsolatedExtractor(model=Reciter())  # type: ignore[arg-type]

    outcome = extractor.extract(paper(tmp_path / "paper.pdf", pages=2), tmp_path, ExtractionParameters(engine="nougat"), quiet)

    pages = [Page.model_validate_json(line) for line in (tmp_path / "pages.jsonl").read_text().splitlines()]
    assert isinstance(outcome, ExtractionResult) and outcome.title == "Tides"
    assert [page.engine for page in pages] == ["nougat", "text-layer"]
    assert pages[1].why == "Nougat repeats itself on it; the text layer is sound"
    assert (tmp_path / "document.mmd").read_text().startswith(SAID)
    assert "2 Section" not in (tmp_path / "document.mmd").read_text() and "Section c" in (tmp_path / "document.mmd").read_text()


def test_a_sound_text_layer_without_formulas_does_not_go_to_nougat(tmp_path: Path) -> None:
    extractor = IsolatedExtractor(model=Reciter())  # type: ignore[arg-type]

    extractor.extract(paper(tmp_path / "paper.pdf", pages=1), tmp_path, ExtractionParameters(), quiet)

    assert Page.model_validate_json((tmp_path / "pages.jsonl").read_text().splitlines()[0]).engine == "text-layer"


def signal(lively: int, calm: int) -> list[float]:
    luck = np.random.default_rng(3)
    return [*(18 + 6 * luck.standard_normal(lively)), *(20 + 0.3 * luck.standard_normal(calm))]


def test_a_signal_that_calms_down_to_the_end_is_a_loop() -> None:
    assert is_looping(signal(300, TAIL + 40)) and not is_looping(signal(600, 0))
    start = loop_start(signal(300, TAIL + 80))
    assert start is not None and 270 <= start <= 310


def test_a_calm_end_that_is_short_is_none() -> None:
    assert loop_start(signal(600, TAIL // 2)) is None
    assert loop_start(signal(0, 60)) is None


def test_what_is_said_over_and_over_is_a_loop_however_short_the_page() -> None:
    assert exact_loop([*range(30), *([5, 6, 7] * 30)]) == 33
    assert exact_loop([*range(200)]) is None
    assert exact_loop([9] * 20) is None


def test_mmd_of_a_page_becomes_blocks() -> None:
    table = "\\begin{table}\n\\begin{tabular}{ll}\na & b\n\n\\end{tabular}\n\\end{table}\nTable 1: Levels."
    text = f"## 2 Method\n\nWe read\nthe *gauge*.\n\n* one\n* two\n\n\\[x^2\\]\n\n{table}\n\n```\na  b\n```"

    assert [(one.kind, one.level, one.text.split("\n")[0]) for one in blocks_of(text)] == [
        ("heading", 2, "2 Method"), ("paragraph", 0, "We read the *gauge*."), ("list", 0, "* one"), ("list", 0, "* two"),
        ("formula", 0, "\\[x^2\\]"), ("table", 0, "\\begin{table}"), ("caption", 0, "Table 1: Levels."), ("code", 0, "a  b"),
    ]  # fmt: skip
