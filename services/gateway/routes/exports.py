"""Exports: a tuned model in other forms, published only where the gate finds it to be the model that was trained."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from services.gateway.auth import Reader, Writer
from services.gateway.downloads import MARKDOWN, download
from services.gateway.exports import export_of, told, whole
from services.gateway.idempotency import OnceOf, Reply
from services.gateway.pagination import PagingOf
from services.gateway.parts import Parts, PartsOf
from services.gateway.retention import model_of
from services.gateway.routes.models import ModelName
from shared.contracts.exports import ExportParameters
from shared.contracts.views import ExportView, ListPage
from shared.errors import NotFound
from shared.exports import wish_export

router = APIRouter(prefix="/v1/tuned-models/{model}/exports", tags=["models"])

ExportId = Annotated[str, Path(pattern="^[0-9a-f]{16}$", description="Id of the export.")]

MEDIA = {".json": "application/json", ".md": MARKDOWN}


@router.post(
    "", summary="Ask for an export", status_code=202, response_model=ExportView, responses={200: {"model": ExportView}}
)
def create_export(parts: PartsOf, _: Writer, once: OnceOf, model: ModelName, asked: ExportParameters) -> JSONResponse:
    """202 with a job to watch; 200 where the same was made before. The variant is kept only if it is, within its limits, the
    model that was trained; else the job fails as `beyond-limit`, and its stage's result holds the figures."""
    return once.answer({"model": model, **asked.model_dump(mode="json")}, lambda: _create(parts, model, asked))


def _create(parts: Parts, model: str, asked: ExportParameters) -> Reply:
    found = model_of(parts, model)
    view = told(parts, wish_export(parts.records, found, asked))
    headers = {
        "Location": f"/v1/tuned-models/{found.id}/exports/{view.id}",
        "Link": f'</v1/jobs/{view.job}>; rel="monitor"',
    }
    return Reply(200 if view.state == "done" else 202, view, headers)


@router.get("", summary="List a model's exports")
def list_exports(parts: PartsOf, _: Reader, paging: PagingOf, model: ModelName) -> ListPage[ExportView]:
    """Newest first, refused ones among them."""
    found = [told(parts, one) for one in parts.catalog.exports(model_of(parts, model).id, paging.slice)]
    return paging.page(found, lambda one: (one.wish.created_at, one.id))


@router.get("/{export}", summary="See an export")
def get_export(parts: PartsOf, _: Reader, model: ModelName, export: ExportId) -> ExportView:
    """How far it has come, its files, and how it compares with the model that was trained."""
    return export_of(parts, model, export)


@router.get(
    "/{export}/download",
    summary="Download a file of an export",
    response_class=Response,
    responses={200: {"description": "The file.", "content": {"application/octet-stream": {}}}},
)
def download_export(
    parts: PartsOf,
    _: Reader,
    request: Request,
    model: ModelName,
    export: ExportId,
    file: Annotated[str, Query(max_length=300, description="Its name, as the export's `files` have it.")],
) -> Response:
    """Refused (409) where it is still being made, and where the gate refused it (`beyond-limit`, with the figures)."""
    view = export_of(parts, model, export)
    manifest = whole(parts, view)
    # A name is looked up among those that the manifest has, and is never part of a path.
    if file not in manifest.files:
        raise NotFound(f"Export {export} has no such file; its files are {', '.join(sorted(manifest.files))}.")
    ending = "." + file.rpartition(".")[2]
    return download(parts.store, manifest.files[file], request, file, MEDIA.get(ending, "application/octet-stream"))
