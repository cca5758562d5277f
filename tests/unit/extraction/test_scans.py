"""Scans are read as digital pages are, whichever way they lie."""

import json
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
import pypdfium2
import pytest
from PIL import Image, ImageDraw

from services.extraction.adapters.tesseract import INSTALL, find_tesseract
from services.extraction.local import Extracted, extract_file
from services.extraction.stages.hocr import parse_hocr
from services.extraction.stages.posture import Posture
from services.extraction.stages.scanned import in_few_sizes, raw_page, sizes_of
from services.extraction.stages.skew import runs_upward, skew_of
from shared.contracts.documents import ExtractionParameters, Page
from shared.contracts.work import Rejected
from shared.errors import Unsupported
from tests.unit.extraction.pdfs import paper
from tests.unit.extraction.scans import scan

needs_tesseract = pytest.mark.skipif(find_tesseract() is None, reason=INSTALL)


def read(path: Path, **parameters: object) -> tuple[str, list[Page]]:
    result = extract_file(path, ExtractionParameters.model_validate(parameters))
    assert isinstance(result, Extracted)
    return result.mmd, [Page.model_validate_json(line) for line in result.pages.splitlines()]


def likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


@needs_tesseract
def test_the_mmd_of_a_scan_is_that_of_the_page_it_was_made_of(tmp_path: Path) -> None:
    typeset = paper(tmp_path / "paper.pdf", pages=1)

    mmd, pages = read(scan(typeset, tmp_path / "scan.pdf"))

    assert likeness(mmd, read(typeset)[0]) > 0.97
    assert "# The Reading of Tides at a Northern Pier" in mmd
    assert [line for line in mmd.splitlines() if line.startswith("## ")] == ["## 1 Section a", "## 2 Section b"]
    assert pages[0].engine == "tesseract" and pages[0].confidence is not None and pages[0].confidence > 0.8
    assert "pictures cover" in pages[0].why


@needs_tesseract
@pytest.mark.parametrize("degrees", [90, 180, 270, 4, -3, 92])
def test_a_scan_reads_as_well_turned_and_skewed_as_it_does_upright(tmp_path: Path, degrees: float) -> None:
    typeset = paper(tmp_path / "paper.pdf", pages=1)

    mmd, pages = read(scan(typeset, tmp_path / "turned.pdf", degrees))

    assert likeness(mmd, read(typeset)[0]) > 0.95
    assert all(block.box is not None and block.box[2] <= pages[0].width + 1 for block in pages[0].blocks)


@needs_tesseract
def test_boxes_of_a_turned_scan_lie_where_the_words_are_seen(tmp_path: Path) -> None:
    typeset = paper(tmp_path / "paper.pdf", pages=1)
    title = next(block for block in read(typeset)[1][0].blocks if block.kind == "heading")
    turned = read(scan(typeset, tmp_path / "turned.pdf", 90))[1][0]

    found = next(block for block in turned.blocks if block.kind == "heading")

    assert title.box is not None and found.box is not None
    left, top, right, bottom = title.box
    assert found.box == pytest.approx((top, turned.height - right, bottom, turned.height - left), abs=6)


@needs_tesseract
def test_the_columns_of_a_scan_are_read_one_after_the_other(tmp_path: Path) -> None:
    mmd, _ = read(scan(paper(tmp_path / "paper.pdf", pages=1), tmp_path / "scan.pdf"))

    assert mmd.index("Section a") < mmd.index("three inquiries were held") < mmd.index("Section b")


@needs_tesseract
def test_pages_of_one_document_are_read_by_the_engine_that_each_of_them_needs(tmp_path: Path) -> None:
    typeset = paper(tmp_path / "paper.pdf", pages=1)
    mixed = pypdfium2.PdfDocument.new()
    for path in (typeset, scan(typeset, tmp_path / "scan.pdf")):
        with pypdfium2.PdfDocument(path) as document:
            mixed.import_pages(document)
    mixed.save(tmp_path / "mixed.pdf")

    assert [page.engine for page in read(tmp_path / "mixed.pdf")[1]] == ["text-layer", "tesseract"]


def test_a_scan_without_an_engine_is_refused_and_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = scan(paper(tmp_path / "paper.pdf", pages=1), tmp_path / "scan.pdf")
    monkeypatch.setenv("PATH", str(tmp_path))

    outcome = extract_file(path)

    assert isinstance(outcome, Rejected)
    assert (outcome.reason, "apt-get install tesseract-ocr" in outcome.detail) == ("no-text-layer", True)


def test_an_engine_that_is_asked_for_by_name_and_is_not_there_is_an_error_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = paper(tmp_path / "paper.pdf", pages=1)
    with pytest.raises(Unsupported, match="LECTERN_NOUGAT_WEIGHTS"):
        extract_file(path, ExtractionParameters(engine="nougat"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unsupported, match="tesseract-ocr"):
        extract_file(path, ExtractionParameters(engine="ocr"))


@needs_tesseract
def test_a_language_that_is_not_installed_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="tesseract-ocr-xx-yy"):
        extract_file(paper(tmp_path / "p.pdf", pages=1), ExtractionParameters(engine="ocr", ocr_languages=("eng", "xx_yy")))


def striped(degrees: float, turn: int = 0) -> np.ndarray:
    picture = Image.new("L", (600, 800), 255)
    draw = ImageDraw.Draw(picture)
    for top in range(60, 740, 18):
        for left in range(60, 520, 40):
            draw.rectangle((left, top, left + 32, top + 7), fill=0)
    return np.rot90(np.asarray(picture.rotate(-degrees, Image.Resampling.BICUBIC, fillcolor=255)) < 128, turn)


@pytest.mark.parametrize("degrees", [-6.0, -1.5, 0.0, 0.4, 3.0, 7.0])
def test_the_skew_of_lines_is_found(degrees: float) -> None:
    assert skew_of(striped(degrees)) == pytest.approx(degrees, abs=0.15)


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_lines_that_run_up_the_page_are_told_from_lines_across_it(turn: int) -> None:
    assert runs_upward(striped(1.0, turn)) == (turn % 2 == 1)


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_a_box_goes_back_to_where_it_was_before_its_page_was_turned(turn: int) -> None:
    there = Posture(600, 800, turn, 0.0)
    width, height = there.upright_size
    page = np.zeros((800, 600), dtype=bool)
    page[100:110, 50:90] = True
    ys, xs = np.nonzero(np.rot90(page, -turn))
    upright = (float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1))

    assert upright[2] <= width and upright[3] <= height
    assert there.on_page(upright) == (50.0, 100.0, 90.0, 110.0)


HOCR = """<div class='ocr_page'><p class='ocr_par' title="bbox 0 0 900 400">
<span class='ocr_line' title="bbox 100 100 500 130; baseline 0.01 -7; x_size 30; x_descenders 6">
<span class='ocrx_word' title='bbox 100 100 200 130; x_wconf 96'>Tide &amp;</span>
<span class='ocrx_word' title='bbox 100 100 200 130; x_wconf 96'>Tide&lt;b&gt;</span>
<span class='ocrx_word' title='bbox 210 100 500 130; x_wconf 90'><strong>gauge</strong></span></span>
<span class='ocr_line' title="bbox 100 150 500 182; baseline 0 -7; x_size 32">
<span class='ocrx_word' title='bbox 100 150 200 180; x_wconf 4'>~</span></span>
<span class='ocr_line' title="nothing"><span class='ocrx_word' title='x_wconf 4'>lost</span></span></p></div>"""


def test_words_of_hocr_keep_their_boxes_and_markup_in_them_stays_text() -> None:
    lines = parse_hocr(HOCR)

    assert [word.text for word in lines[0].words] == ["Tide<b>", "gauge"]
    assert lines[0].words[1].box == (210, 100, 500, 130)
    assert lines[0].baseline_at(100) == 123 and lines[0].size == 30


def test_dust_is_no_word_and_sizes_come_out_few() -> None:
    posture = Posture(600, 800)
    raw = raw_page(1, parse_hocr(HOCR), posture, dpi=200)

    assert [word.text for word in raw.words] == ["Tide<b>", "gauge"]
    assert {word.size for word in in_few_sizes(raw, sizes_of([raw])).words} == {11.0}


def test_settings_of_scans_are_stored_as_json() -> None:
    stored = json.loads(ExtractionParameters().model_dump_json())

    assert stored["ocr_languages"] == ["eng"] and stored["engine"] == "auto"


@pytest.mark.parametrize("language", ["eng+deu", "-l", "../eng", ""])
def test_a_language_is_a_name_and_no_option(language: str) -> None:
    with pytest.raises(ValueError, match="ocr_languages"):
        ExtractionParameters(ocr_languages=(language,))
