"""Datasets: instruction examples made of a collection's chunks, immutable and named by what they were made of."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from services.gateway.auth import Reader, Writer
from services.gateway.bases import require_base
from services.gateway.downloads import JSONL, PARQUET, download
from services.gateway.idempotency import OnceOf, Reply
from services.gateway.pagination import PagingOf
from services.gateway.parts import Parts, PartsOf
from shared.contracts.base import Contract
from shared.contracts.learning import DatasetParameters
from shared.contracts.views import DatasetView, ListPage
from shared.errors import NotFound, NotReady
from shared.pipeline import DATASET
from shared.results import committed

router = APIRouter(prefix="/v1/datasets", tags=["datasets"])

DatasetId = Annotated[str, Path(pattern="^[0-9a-f]{16}$", description="Id of the dataset.")]


class DatasetRequest(Contract):
    """A dataset to be made of the documents of a collection that are done now."""

    name: str = Field(examples=["papers-1"])
    collection: str = Field(examples=["papers"])
    base: str | None = Field(None, description="Base model whose tokenizer counts; the configured default where left out.")
    parameters: DatasetParameters = DatasetParameters()


@router.post(
    "", summary="Ask for a dataset", status_code=202, response_model=DatasetView, responses={200: {"model": DatasetView}}
)
def create_dataset(parts: PartsOf, _: Writer, once: OnceOf, asked: DatasetRequest) -> JSONResponse:
    """202 with a job to watch. The same documents, settings and base are the same dataset: 200 where it is done already."""
    return once.answer(asked.model_dump(mode="json"), lambda: _create(parts, asked))


def _create(parts: Parts, asked: DatasetRequest) -> Reply:
    base = asked.base or parts.settings.default_base
    require_base(parts.store, base)
    view = parts.records.wish_dataset(asked.name, asked.collection, base, asked.parameters)
    headers = {"Location": f"/v1/datasets/{view.id}", "Link": f'</v1/jobs/{view.job}>; rel="monitor"'}
    return Reply(200 if view.state == "done" else 202, view, headers)


@router.get("", summary="List datasets")
def list_datasets(parts: PartsOf, _: Reader, paging: PagingOf) -> ListPage[DatasetView]:
    """Newest first."""
    return paging.page(parts.catalog.datasets(paging.slice), lambda one: (one.wish.created_at, one.id))


@router.get("/{dataset}", summary="See a dataset")
def get_dataset(parts: PartsOf, _: Reader, dataset: DatasetId) -> DatasetView:
    """What it was asked to be, the documents in it, and how far it has come."""
    return dataset_of(parts, dataset)


@router.get(
    "/{dataset}/download",
    summary="Download a dataset",
    response_class=Response,
    responses={200: {"description": "An example a line, or a row.", "content": {"application/jsonl": {}, PARQUET: {}}}},
)
def download_dataset(
    parts: PartsOf,
    _: Reader,
    request: Request,
    dataset: DatasetId,
    split: Annotated[Literal["train", "heldout"], Query(description="Which part of it.")] = "train",
    format: Annotated[Literal["jsonl", "parquet"], Query(description="In which form.")] = "jsonl",
) -> Response:
    """The examples, each with the chunk, document and pages it came from."""
    view = dataset_of(parts, dataset)
    manifest = committed(parts.store, DATASET.name, view.wish.key)
    name = f"{split}.{format}"
    if manifest is None or name not in manifest.files:
        raise NotReady(f"Dataset {dataset} is {view.state}; ask again when it is done. {view.detail or ''}".strip())
    media_type = JSONL if format == "jsonl" else PARQUET
    return download(parts.store, manifest.files[name], request, f"{view.wish.name}-{name}", media_type)


def dataset_of(parts: Parts, dataset: str) -> DatasetView:
    """Raises NotFound."""
    found = parts.catalog.dataset(dataset)
    if found is None:
        raise NotFound(f"There is no dataset {dataset!r}.")
    return found
