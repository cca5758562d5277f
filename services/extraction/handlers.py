"""The extraction stage, tied to where documents lie and to the child process that reads them."""

from services.extraction.adapters.isolated import IsolatedExtractor
from shared import layout
from shared.contracts.base import Contract
from shared.contracts.work import DocumentWork, Rejected
from shared.stage import Handler, StageContext


def handlers(extractor: IsolatedExtractor | None = None) -> dict[str, Handler]:
    """Stage name → handler."""
    reader = extractor or IsolatedExtractor()

    def extraction(context: StageContext[DocumentWork]) -> Contract | Rejected:
        work = context.work
        source = context.fetch_object(layout.source(work.document))

        def tell(done: int, total: int) -> None:
            context.progress(done, total, "page")

        return reader.extract(source, context.out, work.parameters.extraction, tell)

    return {"extraction": extraction}
