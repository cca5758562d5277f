"""The dataset stage over its world: templates of the base, pairs by a model, earlier datasets, and previews."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from services.cleaning.adapters.endpoint import open_endpoint
from services.cleaning.building import Datasets
from services.cleaning.handlers import handlers
from services.cleaning.settings import CleaningSettings
from shared import layout
from shared.contracts.datasets import DatasetPreview, PreviewResult
from shared.contracts.documents import ScreeningResult
from shared.contracts.learning import DatasetInput, DatasetParameters, DatasetResult, DatasetWish, Example
from shared.contracts.work import DatasetWork, PreviewWork, Rejected
from shared.errors import InvalidInput
from shared.ids import short
from shared.pipeline import dataset_key
from tests.unit.cleaning.desk import BASE, Desk
from tests.unit.cleaning.openai_server import openai_server
from tests.unit.cleaning.test_assembly import document

HANDLERS = handlers()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path)
    desk.put_base()
    return desk


def inputs(desk: Desk, names: str, seed: int = 0) -> tuple[DatasetInput, ...]:
    """Documents as screening left them."""
    made = []
    for number, name in enumerate(names):
        shelf = document(desk.root, name, seed + number)
        key = name * 64
        desk.put(f"{layout.stage('screening', key)}/chunks.jsonl", shelf.chunks.read_bytes())
        count = len(shelf.chunks.read_text().splitlines())
        result = ScreeningResult(chunks=count, tokens=9, garbage={}, title=f"Tides of {name}")
        (desk.root / f"screening-{key}.json").write_text(result.model_dump_json())
        made.append(DatasetInput(document=name * 8, filename=f"{name}.pdf", screening_key=key))
    return tuple(made)


def asked(desk: Desk, given: tuple[DatasetInput, ...], **told: Any) -> DatasetWork:
    parameters = DatasetParameters.model_validate({"max_example_tokens": 200, **told})
    key = dataset_key(BASE, parameters, given)
    wish = DatasetWish(
        key=key, name="tides", collection="c", base=BASE, parameters=parameters, inputs=given, created_at="2031-01-01"
    )
    desk.put(layout.dataset(short(key)), wish.model_dump_json().encode())
    return DatasetWork(job="job", trace="trace", dataset=key)


def read(desk: Desk, split: str) -> list[Example]:
    return [Example.model_validate_json(line) for line in (desk.out / f"{split}.jsonl").read_text().splitlines()]


def test_a_base_without_a_chat_template_refuses_a_dataset_in_it(desk: Desk) -> None:
    refused = desk.run("dataset", asked(desk, inputs(desk, "ab"), template="chat"), HANDLERS["dataset"])

    assert isinstance(refused, Rejected) and refused.reason == "no-chat-template"


def test_an_earlier_dataset_is_replayed_by_its_id(desk: Desk) -> None:
    first = asked(desk, inputs(desk, "abcd"))
    desk.run("dataset", first, HANDLERS["dataset"])
    replay = {"datasets": [short(first.dataset)], "share": 0.2}

    result = desk.run("dataset", asked(desk, inputs(desk, "efgh", seed=40), replay=replay), HANDLERS["dataset"])

    assert isinstance(result, DatasetResult) and result.replayed > 0
    assert {one.replayed_from for one in read(desk, "train")} == {"", short(first.dataset)}


def test_pairs_are_written_by_the_endpoint_that_the_wish_names(desk: Desk) -> None:
    def answer(body: dict[str, Any]) -> tuple[int, str]:
        if "You judge" in body["messages"][0]["content"]:
            return 200, '{"answerable": true, "correct": true}'
        passage = body["messages"][1]["content"].split("\n")[1]
        sentence = passage.split(". ")[0].rstrip(".") + "."
        return 200, json.dumps(
            {"pairs": [{"question": f"What is read with {passage.split()[3]} each day?", "answer": sentence}]}
        )

    with openai_server(answer) as told:
        made = Datasets(partial(open_endpoint, CleaningSettings()))
        qa = {"url": told.url, "model": "writer", "max_chunks": 6, "pairs_per_chunk": 1}
        work = asked(desk, inputs(desk, "abc"), recipes=["continuation", "qa"], qa=qa)
        result = desk.run("dataset", work, handlers(made)["dataset"])

    assert isinstance(result, DatasetResult)
    found = [one for one in (*read(desk, "train"), *read(desk, "heldout")) if one.recipe == "qa"]
    assert result.recipes["qa"] == len(found) > 0
    assert all(one.instruction.endswith("each day?") and one.spans for one in found)
    assert len(told.asked) <= 12


def test_a_worker_that_asks_no_models_says_so(desk: Desk) -> None:
    work = asked(desk, inputs(desk, "ab"), recipes=["qa"], qa={"model": "m"})

    with pytest.raises(InvalidInput, match="asks no models"):
        desk.run("dataset", work, HANDLERS["dataset"])


def test_a_preview_shows_each_recipe_as_the_model_will_see_it(desk: Desk) -> None:
    work = PreviewWork(
        job="job", trace="trace", base=BASE, parameters=DatasetParameters(max_example_tokens=200), inputs=inputs(desk, "ab"),
        of_documents=9, examples=4,
    )  # fmt: skip
    result = desk.run("preview", work, HANDLERS["preview"])
    shown = DatasetPreview.model_validate_json((desk.out / "preview.json").read_text())

    assert result == PreviewResult(documents=2, examples=shown.made)
    assert [one.recipe for one in shown.examples] == ["continuation", "question"] * 2
    assert all(one.prompt.endswith("### Response:\n") and one.answer for one in shown.examples)
    assert sum(one.train for one in shown.lengths) == shown.made and shown.of_documents == 9


def test_a_preview_of_what_gives_no_example_is_refused(desk: Desk) -> None:
    parameters = DatasetParameters(max_answer_tokens=8, max_example_tokens=64)
    work = PreviewWork(
        job="job", trace="trace", base=BASE, parameters=parameters, inputs=inputs(desk, "a"), of_documents=1, examples=4
    )

    refused = desk.run("preview", work, HANDLERS["preview"])

    assert isinstance(refused, Rejected) and refused.reason == "empty-dataset"
