"""The files that cleaning writes, and that its result adds up to what is in them."""

import json
from pathlib import Path

from services.cleaning.write import GARBAGE, LINES, PIECES, clean_to
from shared.contracts.documents import CleaningParameters, LineFate
from tests.unit.cleaning.texts import PROSE, block, page


def test_lines_jsonl_holds_every_line_of_a_document_in_order(tmp_path: Path) -> None:
    pages = [page(block("The Journal", "header"), block(PROSE), block("Level in metres"), number=n) for n in (1, 2)]
    (tmp_path / "pages.jsonl").write_text("".join(one.model_dump_json() + "\n" for one in pages))

    result = clean_to(tmp_path / "pages.jsonl", tmp_path, "d", CleaningParameters(tagger="rules"), None, lambda done: None)

    lines = [LineFate.model_validate_json(line) for line in (tmp_path / LINES).read_text().splitlines()]
    assert [(one.page, one.block, one.line) for one in lines] == [(page, block, 0) for page in (1, 2) for block in (0, 1, 2)]
    assert result.lines == {"dropped": 2, "kept": 2, "set-aside": 2}
    assert result.lines_in == len(lines) == sum(result.lines.values())
    assert len((tmp_path / PIECES).read_text().splitlines()) == 2
    assert {json.loads(line)["reason"] for line in (tmp_path / GARBAGE).read_text().splitlines()} == {"fragment"}
