"""The extraction stage, tied to where documents lie and to the child processes that read them."""

from pathlib import Path

from services.extraction.adapters.isolated import IsolatedExtractor, RangeKeeper
from shared import layout
from shared.contracts.base import Contract
from shared.contracts.work import DocumentWork, Rejected
from shared.errors import NoEngine
from shared.stage import Handler, StageContext


class StoredRanges(RangeKeeper):
    """Ranges of pages that outlive their worker: in the object store, until the result stands."""

    def __init__(self, context: StageContext[DocumentWork]) -> None:
        self._context = context

    def keep(self, file: Path) -> None:
        self._context.keep(file)

    def recall(self, file: Path) -> bool:
        return self._context.recall(file)


def handlers(extractor: IsolatedExtractor | None = None) -> dict[str, Handler]:
    """Stage name → handler."""
    reader = extractor or IsolatedExtractor()

    def extraction(context: StageContext[DocumentWork]) -> Contract | Rejected:
        work = context.work
        source = context.fetch_object(layout.source(work.document))

        def tell(done: int, total: int) -> None:
            context.progress(done, total, "page")

        outcome = reader.extract(source, context.out, work.parameters.extraction, tell, StoredRanges(context))
        if isinstance(outcome, Rejected) and outcome.reason == NoEngine.code:
            raise NoEngine(outcome.detail)
        return outcome

    return {"extraction": extraction}
