"""Classifiers: versions of what is learned from labels, each trained by a job and measured on labels it never saw."""

from typing import Annotated

from fastapi import APIRouter, Body, Path
from fastapi.responses import JSONResponse

from services.gateway.auth import Reader, Writer
from services.gateway.bases import require_base
from services.gateway.idempotency import OnceOf, Reply
from services.gateway.pagination import PagingOf
from services.gateway.parts import Parts, PartsOf
from shared.contracts.review import ClassifierParameters
from shared.contracts.views import ClassifierView, ListPage
from shared.errors import InvalidInput, NotFound
from shared.reviews import Reviews

router = APIRouter(prefix="/v1/classifiers", tags=["review"])

ClassifierId = Annotated[str, Path(pattern="^[0-9a-f]{16}$", description="Id of the version.")]


@router.post(
    "", summary="Train a classifier", status_code=202, response_model=ClassifierView, responses={200: {"model": ClassifierView}}
)
def create_classifier(
    parts: PartsOf, _: Writer, once: OnceOf, asked: Annotated[ClassifierParameters | None, Body()] = None
) -> JSONResponse:
    """202 with a job to watch. It learns from all labels there are now; 200 where the last version did already. Versions are
    also trained by themselves, after so many labels."""
    wanted = asked or ClassifierParameters()
    if wanted.kind == "encoder":
        if wanted.encoder is None:
            raise InvalidInput("Name the published encoder to tune in `encoder`.")
        require_base(parts.store, wanted.encoder)
    return once.answer(wanted.model_dump(mode="json"), lambda: _create(parts, wanted))


def _create(parts: Parts, wanted: ClassifierParameters) -> Reply:
    view = Reviews(parts.records).wish_classifier(wanted)
    headers = {"Location": f"/v1/classifiers/{view.id}", "Link": f'</v1/jobs/{view.job}>; rel="monitor"'}
    return Reply(200 if view.state == "done" else 202, view, headers)


@router.get("", summary="List classifiers")
def list_classifiers(parts: PartsOf, _: Reader, paging: PagingOf) -> ListPage[ClassifierView]:
    """Newest first."""
    return paging.page(parts.catalog.classifiers(paging.slice), lambda one: (one.wish.created_at, one.id))


@router.get("/{classifier}", summary="See a classifier")
def get_classifier(parts: PartsOf, _: Reader, classifier: ClassifierId) -> ClassifierView:
    """What it learned from, and how it compares with the rules and the version before on held-out labels."""
    found = parts.catalog.classifier(classifier)
    if found is None:
        raise NotFound(f"There is no classifier {classifier!r}.")
    return found
