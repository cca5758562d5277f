"""What can be reviewed and what was learned of it: from objects to rows."""

from collections.abc import Iterator

from shared.catalog.protocol import Catalog, Placed
from shared.contracts.review import ClassifierResult, Reviewable
from shared.contracts.work import ClassifierWork, DocumentWork, Manifest
from shared.ids import short
from shared.jsonl import lines_of
from shared.objects import ObjectStore

REVIEW = "review.jsonl"


def index_screening(store: ObjectStore, catalog: Catalog, work: DocumentWork, manifest: Manifest) -> None:
    """What a screened document holds for review; nothing where the job was given other work since."""
    job = catalog.work(work.job)
    if job is not None and job.work.get("trace") == work.trace:
        catalog.put_reviewables(work.collection, work.document, _placed(store, work, manifest))


def _placed(store: ObjectStore, work: DocumentWork, manifest: Manifest) -> Iterator[Placed]:
    for line in lines_of(store, manifest.files[REVIEW].path):
        one = Reviewable.model_validate_json(line)
        yield Placed(
            document=work.document, id=one.id, collection=work.collection, mark=one.mark, decision=one.decision,
            rule=one.rule, probability=one.probability, lane=one.lane, rank=one.rank,
            path=manifest.files[one.file].path, start=one.start, end=one.end,
        )  # fmt: skip


def index_verdict(catalog: Catalog, work: ClassifierWork, manifest: Manifest) -> None:
    """Whether a version that was trained is used from now on."""
    catalog.judge_classifier(short(work.classifier), ClassifierResult.model_validate(manifest.result).adopted)
