"""Datasets: instruction examples made of a collection's chunks, immutable and named by what they were made of."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from services.gateway.auth import Reader, Writer
from services.gateway.bases import require_base
from services.gateway.downloads import JSONL, MARKDOWN, PARQUET, download
from services.gateway.idempotency import OnceOf, Reply
from services.gateway.pagination import PagingOf
from services.gateway.parts import Parts, PartsOf
from shared.contracts.base import Contract
from shared.contracts.datasets import DatasetPreview
from shared.contracts.learning import DatasetParameters
from shared.contracts.views import DatasetHead, DatasetView, ListPage, PreviewView
from shared.contracts.work import PreviewWork
from shared.errors import NotFound, NotReady
from shared.ids import preview_job
from shared.objects import read_contract
from shared.pipeline import DATASET, PREVIEW, preview_key
from shared.results import committed

router = APIRouter(prefix="/v1/datasets", tags=["datasets"])

CARD = "README.md"

DatasetId = Annotated[str, Path(pattern="^[0-9a-f]{16}$", description="Id of the dataset.")]


PreviewId = Annotated[str, Path(pattern="^[0-9a-f]{16}$", description="Id of the preview.")]


class PreviewRequest(Contract):
    """A look at what a dataset would hold, by a few of a collection's documents."""

    collection: str = Field(examples=["papers"])
    base: str | None = Field(None, description="As of a dataset.")
    parameters: DatasetParameters = DatasetParameters()
    documents: int = Field(3, ge=1, le=20, description="How many documents are looked at, drawn by the parameters' seed.")
    examples: int = Field(4, ge=1, le=50, description="How many examples are shown.")


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


@router.post(
    "/preview", summary="Look at what a dataset would hold", status_code=202, response_model=PreviewView,
    responses={200: {"model": PreviewView}},
)  # fmt: skip
def create_preview(parts: PartsOf, _: Writer, once: OnceOf, asked: PreviewRequest) -> JSONResponse:
    """202 with a job to watch, 200 where the same was asked before: a few examples as the model will see them, with template
    and EOS, and how long they are. No dataset comes of it, no model is asked for pairs, and near-duplicates are not sought."""
    return once.answer(asked.model_dump(mode="json"), lambda: _preview(parts, asked))


def _preview(parts: Parts, asked: PreviewRequest) -> Reply:
    base = asked.base or parts.settings.default_base
    require_base(parts.store, base)
    preview = parts.records.preview_dataset(asked.collection, base, asked.parameters, asked.documents, asked.examples)
    view = preview_of(parts, preview)
    headers = {"Location": f"/v1/datasets/previews/{view.id}", "Link": f'</v1/jobs/{view.job}>; rel="monitor"'}
    return Reply(200 if view.state == "done" else 202, view, headers)


@router.get("/previews/{preview}", summary="See a preview")
def get_preview(parts: PartsOf, _: Reader, preview: PreviewId) -> PreviewView:
    """How far it has come, and the examples once it is done."""
    return preview_of(parts, preview)


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
    split: Annotated[
        Literal["train", "heldout", "chunks", "duplicates"],
        Query(description="Which part of it. The chunks behind the examples and the duplicates left out are jsonl alone."),
    ] = "train",
    format: Annotated[Literal["jsonl", "parquet"], Query(description="In which form.")] = "jsonl",
) -> Response:
    """The examples, each with the chunk, document and pages it came from."""
    view = dataset_of(parts, dataset)
    manifest = committed(parts.store, DATASET.name, view.wish.key)
    name = f"{split}.{format}"
    if manifest is not None and manifest.files and name not in manifest.files:
        raise NotFound(f"Dataset {dataset} has no {name}.")
    if manifest is None or name not in manifest.files:
        raise NotReady(f"Dataset {dataset} is {view.state}; ask again when it is done. {view.detail or ''}".strip())
    media_type = JSONL if format == "jsonl" else PARQUET
    return download(parts.store, manifest.files[name], request, f"{view.wish.name}-{name}", media_type)


@router.get(
    "/{dataset}/card",
    summary="Read a dataset's card",
    response_class=Response,
    responses={200: {"description": "Markdown with YAML front matter.", "content": {"text/markdown": {}}}},
)
def get_dataset_card(parts: PartsOf, _: Reader, request: Request, dataset: DatasetId) -> Response:
    """What it is made of: counts, licences, lengths, documents and a few samples. With the files of the download beside it,
    `datasets.load_dataset` opens their directory."""
    view = dataset_of(parts, dataset)
    manifest = committed(parts.store, DATASET.name, view.wish.key)
    if manifest is None or CARD not in manifest.files:
        gone = manifest is not None and manifest.redactions
        told = "lost its card when a document in it was forgotten" if gone else f"is {view.state}, and has no card yet"
        raise NotReady(f"Dataset {dataset} {told}. {view.detail or ''}".strip())
    return download(parts.store, manifest.files[CARD], request, f"{view.wish.name}-{CARD}", MARKDOWN)


def preview_of(parts: Parts, preview: str) -> PreviewView:
    """Raises NotFound."""
    found = parts.catalog.job(preview_job(preview))
    work = parts.catalog.work(preview_job(preview))
    if found is None or work is None:
        raise NotFound(f"There is no preview {preview!r}; ask for it again.")
    manifest = committed(parts.store, PREVIEW.name, preview_key(PreviewWork.model_validate(work.work)))
    shown = None
    if found.state == "done" and manifest is not None and "preview.json" in manifest.files:
        shown = read_contract(parts.store, manifest.files["preview.json"].path, DatasetPreview)
    return PreviewView(id=preview, state=found.state, code=found.code, detail=found.detail, job=found.id, preview=shown)


def head_of(parts: Parts, dataset: str) -> DatasetHead:
    """A dataset without the names of its documents. Raises NotFound."""
    found = parts.catalog.dataset_head(dataset)
    if found is None:
        raise NotFound(f"There is no dataset {dataset!r}.")
    return found


def dataset_of(parts: Parts, dataset: str) -> DatasetView:
    """Raises NotFound."""
    found = parts.catalog.dataset(dataset)
    if found is None:
        raise NotFound(f"There is no dataset {dataset!r}.")
    return found
