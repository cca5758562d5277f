"""Lines of a result by the page they speak of: found once a file, and only they are read afterwards."""

import json
from pathlib import Path
from typing import Any

from services.gateway.leaves import Leaves, of_page, of_spans
from shared.contracts.work import File
from shared.objects import ObjectStore


def put(store: ObjectStore, path: str, lines: list[dict[str, Any]]) -> File:
    content = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
    store.create(path, content)
    return File(path=path, size_bytes=len(content), sha256="")


def test_a_page_gets_its_lines_in_order_and_no_others(store: ObjectStore) -> None:
    lines = [{"page": 1 + at % 3, "text": f"Zeile {at} ü\u2028" + "x" * at} for at in range(90)]
    file = put(store, "a.jsonl", lines)
    leaves = Leaves(store, 4)
    for page in (1, 2, 3):
        found = [json.loads(line) for line in leaves.lines(file, page, of_page)]
        assert found == [line for line in lines if line["page"] == page]
    assert leaves.lines(file, 4, of_page) == []
    assert len(leaves.lines(file, 1, of_page, most=5)) == 5


def test_a_chunk_belongs_to_every_page_that_it_spans(store: ObjectStore) -> None:
    file = put(store, "c.jsonl", [{"id": 1, "spans": [{"page": 1}, {"page": 2}, {"page": 2}]}, {"id": 2, "spans": []}])
    leaves = Leaves(store, 4)
    assert [json.loads(line)["id"] for page in (1, 2, 3) for line in leaves.lines(file, page, of_spans)] == [1, 1]


def test_only_so_many_files_are_known_by_place(store: ObjectStore, tmp_path: Path) -> None:
    leaves = Leaves(store, 2)
    files = [put(store, f"{at}.jsonl", [{"page": 1}]) for at in range(3)]
    for file in files:
        leaves.lines(file, 1, of_page)
    assert len(leaves._places) == 2
    assert leaves.lines(files[0], 1, of_page) == [b'{"page": 1}']
