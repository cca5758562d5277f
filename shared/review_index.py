"""What can be reviewed and what was said of it: from objects to rows, as they are made and when the catalog is rebuilt."""

import re
from collections.abc import Iterator

from shared import layout
from shared.catalog.protocol import Catalog, Placed
from shared.contracts.review import ClassifierResult, Label, Reviewable
from shared.contracts.work import ClassifierWork, DocumentWork, Manifest
from shared.ids import short
from shared.objects import ObjectStore, Series

REVIEW = "review.jsonl"


def index_screening(store: ObjectStore, catalog: Catalog, work: DocumentWork, manifest: Manifest) -> None:
    """What a screened document holds for review; nothing where the job was given other work since."""
    job = catalog.work(work.job)
    if job is not None and job.work.get("trace") == work.trace:
        catalog.put_reviewables(work.collection, work.document, _placed(store, work, manifest))


def _placed(store: ObjectStore, work: DocumentWork, manifest: Manifest) -> Iterator[Placed]:
    for line in stream_lines(store, manifest.files[REVIEW].path):
        one = Reviewable.model_validate_json(line)
        yield Placed(
            document=work.document, id=one.id, collection=work.collection, mark=one.mark, decision=one.decision,
            rule=one.rule, probability=one.probability, lane=one.lane, rank=one.rank,
            path=manifest.files[one.file].path, start=one.start, end=one.end,
        )  # fmt: skip


def stream_lines(store: ObjectStore, path: str) -> Iterator[bytes]:
    """Lines of an object, never whole in memory."""
    rest = b""
    for block in store.stream(path):
        *lines, rest = (rest + block).split(b"\n")
        yield from lines
    if rest:
        yield rest


def index_verdict(catalog: Catalog, work: ClassifierWork, manifest: Manifest) -> None:
    """Whether a version that was trained is used from now on."""
    catalog.judge_classifier(short(work.classifier), ClassifierResult.model_validate(manifest.result).adopted)


def index_labels(store: ObjectStore, catalog: Catalog) -> int:
    """Every label of the store; returns how many."""
    pattern = re.compile(r"labels/([^/]+)/\d+\.json")
    documents = {found[1] for path in store.list("labels") if (found := pattern.fullmatch(path))}
    count = 0
    for document in sorted(documents):
        entries = list(Series(store, layout.labels(document)).after(0, Label))
        catalog.put_labels(entries)
        count += len(entries)
    return count
