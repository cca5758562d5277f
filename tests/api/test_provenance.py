"""From an example to its page and back, over the API."""

import json

import httpx
import pytest

from shared.contracts.documents import ExtractionResult
from shared.stage import StageContext
from tests.api.conftest import PDF, Gateway
from tests.api.shelved import Authors, dataset_of_shelf, model_of, shelf_of_three


class Placed(Authors):
    """Authors whose page map holds the text where their spans say it is."""

    def _extract(self, context: StageContext[object]) -> ExtractionResult:
        from shared.contracts.documents import Block, Page

        text = self.text(context.work.document)  # type: ignore[attr-defined]
        (context.out / "document.mmd").write_text(text)
        block = Block(kind="paragraph", text=text, box=(1.0, 2.0, 3.0, 4.0), start=0, end=len(text))
        (context.out / "pages.jsonl").write_text(Page(number=1, engine="text-layer", blocks=(block,)).model_dump_json() + "\n")
        return ExtractionResult(pages=1, pages_failed=0, blocks=1, characters=len(text))


@pytest.fixture
def shelf(gateway: Gateway, base: str) -> Gateway:
    return shelf_of_three(gateway, Placed)


def test_an_example_is_traced_to_the_page_box_that_holds_it(shelf: Gateway, client: httpx.Client) -> None:
    dataset = dataset_of_shelf(shelf, client, "first")
    model = model_of(shelf, client, "tuned", dataset)
    example = client.get(f"/v1/datasets/{dataset}/download").text.splitlines()[0]
    name = httpx.Response(200, content=example).json()["id"]
    for path in (f"/v1/datasets/{dataset}/examples/{name}", f"/v1/trace/{name}"):
        told = client.get(path).json()
        assert (told["kind"], told["split"], told["dataset"], told["models"]) == ("example", "train", dataset, [model])
        assert told["chunk"]["id"] == told["example"]["chunk"]
        (place,) = told["places"]
        assert (place["page"], place["box"], place["stands"]) == (1, [1.0, 2.0, 3.0, 4.0], True)
        assert place["on_page"] == told["example"]["output"]
        assert told["collections"] == ["papers"]
    assert client.get(f"/v1/datasets/{dataset}/examples/nothing").status_code == 404


def test_a_chunk_a_document_and_a_model_are_traced_to_each_other(shelf: Gateway, client: httpx.Client) -> None:
    dataset = dataset_of_shelf(shelf, client, "first")
    model = model_of(shelf, client, "tuned", dataset)
    client.post("/v1/deployments", json={"name": "served", "model": "tuned"})
    back = client.get("/v1/trace/tuned").json()
    assert (back["model"], back["dataset"], back["deployments"]) == (model, dataset, ["served"])
    document, filename = back["documents"][0]
    chunk = client.get(f"/v1/trace/{document[:8]}-0").json()
    assert (chunk["kind"], chunk["filename"], chunk["examples"]) == ("chunk", filename, [f"e-{document[:8]}-0"])
    uses = client.get(f"/v1/trace/{document[:12]}").json()
    assert uses == client.get(f"/v1/documents/{document}/uses").json()
    assert [(one["dataset"], one["train"], one["heldout"]) for one in uses["datasets"]] == [(dataset, 1, 0)]
    assert [one["model"] for one in uses["models"]] == [model]
    assert [one["deployment"] for one in uses["deployments"]] == ["served"]


def test_what_is_nothing_is_not_found(client: httpx.Client) -> None:
    for name in ("nothing", "abcdef", "0" * 64):
        assert client.get(f"/v1/trace/{name}").status_code == 404


def test_pages_that_are_gone_are_not_said_to_hold_anything(shelf: Gateway, client: httpx.Client) -> None:
    dataset = dataset_of_shelf(shelf, client, "first")
    document = client.get(f"/v1/datasets/{dataset}").json()["wish"]["inputs"][0]["document"]
    for path in list(shelf.store.list("stages/extraction")):
        shelf.store.delete(path)
    (place,) = client.get(f"/v1/datasets/{dataset}/examples/e-{document[:8]}-0").json()["places"]
    assert (place["stands"], place["on_page"]) == (None, None)


def test_a_replayed_example_is_traced_to_its_page_though_its_document_is_not_in_the_dataset(
    shelf: Gateway, client: httpx.Client
) -> None:
    first = dataset_of_shelf(shelf, client, "first")
    for at in range(2):
        shelf.add("others", content=PDF + f"other {at}".encode())
    later = dataset_of_shelf(shelf, client, "later", "others", replay={"datasets": [first]})
    own = {one["document"] for one in client.get(f"/v1/datasets/{later}").json()["wish"]["inputs"]}
    lines = [json.loads(line) for line in client.get(f"/v1/datasets/{later}/download").text.splitlines()]
    replayed = next(one for one in lines if one["document"] not in own)
    (place,) = client.get(f"/v1/datasets/{later}/examples/{replayed['id']}").json()["places"]
    assert (place["on_page"], place["box"]) == (replayed["output"], [1.0, 2.0, 3.0, 4.0])
