"""Workers: which processes are there, what each is at, and the GPUs that they see."""

from fastapi import APIRouter

from services.gateway.auth import Reader
from services.gateway.parts import PartsOf
from shared.contracts.views import ListPage
from shared.contracts.workers import WorkerView

router = APIRouter(prefix="/v1/workers", tags=["operations"])


@router.get("", summary="See who works")
def list_workers(parts: PartsOf, _: Reader) -> ListPage[WorkerView]:
    """Every process that gave a sign of life in the last quarter of an hour: service, host, queues, what it is at, version,
    and the GPUs that it sees. `silent` is one that stopped giving them without taking its leave. 503 where the queue server
    does not answer."""
    return ListPage(items=tuple(parts.workforce.present()))
