"""A shelf taken all the way to models with the real cleaning stages and real dataset files, for tests of what is left of it."""

from pathlib import Path
from typing import Any

import httpx

from services.cleaning.adapters.dataset_files import write_parquet
from shared.contracts.documents import Chunk, ChunkingResult, Span
from shared.contracts.learning import DatasetResult, Example
from shared.ids import short
from shared.objects import read_lines
from shared.stage import StageContext
from tests.api.conftest import BASE, PDF, Gateway, Workers

SECRET = "The heron of Applecross keeps its third ledger in the boathouse."


class Authors(Workers):
    """Workers whose chunks and datasets hold real examples, all of their documents' own text."""

    def _chunk(self, context: StageContext[Any]) -> ChunkingResult:
        document, text = context.work.document, self.text(context.work.document)
        span = Span(page=1, box=(1.0, 2.0, 3.0, 4.0), start=0, end=len(text))
        chunk = Chunk(id=f"{document[:8]}-0", document=document, index=0, text=text, tokens=9, spans=(span,))
        (context.out / "chunks.jsonl").write_text(chunk.model_dump_json() + "\n")
        return ChunkingResult(chunks=1, tokens=9, over_budget=0, title=text)

    def _assemble(self, context: StageContext[Any]) -> DatasetResult:
        found = self.runner.catalog.dataset(short(context.work.dataset))
        assert found is not None
        files = [context.fetch("screening", one.screening_key, "chunks.jsonl") for one in found.wish.inputs]
        made = [Chunk.model_validate(line) for file in files for line in read_lines(file)]
        (context.out / "chunks.jsonl").write_text("".join(chunk.model_dump_json() + "\n" for chunk in made))
        examples = [
            Example(
                id=f"e-{chunk.id}", instruction="Go on.", input="", output=chunk.text, recipe="continuation", chunk=chunk.id,
                document=chunk.document, filename="f.pdf", spans=chunk.spans,
            ).model_dump_json() + "\n"
            for chunk in made
        ]  # fmt: skip
        replayed = [self._train_lines(context, one) for one in found.wish.parameters.replay.datasets]
        for name, lines in (("train", [*examples[:-1], *replayed]), ("heldout", examples[-1:])):
            path = Path(context.out / f"{name}.jsonl")
            path.write_text("".join(lines))
            write_parquet(path, path.with_suffix(".parquet"))
        (context.out / "card.md").write_text(f"# A card with a sample\n\n{made[0].text}\n")
        return DatasetResult(
            digest="d", documents=len(made), chunks=len(made), train=len(made) - 1, heldout=1, heldout_documents=1,
            split="document",
        )  # fmt: skip

    def _train_lines(self, context: StageContext[Any], dataset: str) -> str:
        found = self.runner.catalog.dataset(dataset)
        assert found is not None
        return context.fetch("dataset", found.wish.key, "train.jsonl").read_text()


def dataset_of_shelf(
    gateway: Gateway, client: httpx.Client, name: str, collection: str = "papers", **parameters: object
) -> str:
    asked = {"name": name, "collection": collection, "base": BASE, "parameters": parameters}
    found = client.post("/v1/datasets", json=asked).json()
    gateway.workers.run(found["job"])
    return str(found["id"])


def shelf_of_three(gateway: Gateway, workers: type[Workers]) -> Gateway:
    """With these workers, and three documents of `papers` that they took to the end."""
    gateway.workers = workers(gateway.workers.runner)
    for at in range(3):
        gateway.add(content=PDF + bytes([at]), filename=f"{at}.pdf")
    return gateway


def model_of(gateway: Gateway, client: httpx.Client, name: str, dataset: str) -> str:
    answer = client.post("/v1/runs", json={"name": name, "dataset": dataset})
    assert answer.status_code == 202, answer.text
    gateway.workers.run(answer.json()["job"])
    return str(client.get(f"/v1/tuned-models/{name}").json()["id"])


def bytes_of_store(gateway: Gateway) -> dict[str, bytes]:
    """Every file of the store's directory, whatever its name: what no list shows too."""
    root = Path(gateway.parts.settings.store_url.removeprefix("file://"))
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
