"""What can be reviewed and what was said of it: from objects to rows, as they are made and when the catalog is rebuilt."""

import re
from collections.abc import Iterator

from shared import layout
from shared.catalog.protocol import Catalog, Placed
from shared.contracts.feedback import Feedback
from shared.contracts.line_labels import LineWord
from shared.contracts.review import ClassifierResult, Label, Reviewable
from shared.contracts.work import ClassifierWork, DocumentWork, Manifest
from shared.ids import short
from shared.jsonl import lines_of
from shared.objects import ObjectStore, Series

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


def index_line_labels(store: ObjectStore, catalog: Catalog) -> int:
    """Every word on a line; returns how many."""
    count = 0
    for document in _series(store, "line-labels"):
        entries = list(Series(store, layout.line_labels(document)).after(0, LineWord))
        catalog.put_line_words(entries)
        count += len(entries)
    return count


def index_feedback(store: ObjectStore, catalog: Catalog) -> int:
    """The latest words on answers; returns how many."""
    count = 0
    for one in _series(store, "feedback"):
        latest = Series(store, layout.feedback(one)).latest(Feedback)
        if latest is not None:
            catalog.put_feedback(latest[1])
            count += 1
    return count


def _series(store: ObjectStore, prefix: str) -> list[str]:
    """The names of the series below a prefix."""
    pattern = re.compile(rf"{prefix}/([^/]+)/\d+\.json")
    return sorted({found[1] for path in store.list(prefix) if (found := pattern.fullmatch(path))})


def index_labels(store: ObjectStore, catalog: Catalog) -> int:
    """Every label of the store; returns how many."""
    count = 0
    for document in _series(store, "labels"):
        entries = list(Series(store, layout.labels(document)).after(0, Label))
        catalog.put_labels(entries)
        count += len(entries)
    return count
