"""The catalog's tables: an index over the object store, rebuilt from it at any time."""

from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Float, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    type_annotation_map = {dict[str, Any]: JSON, str: String}


class CollectionRow(Base):
    __tablename__ = "collections"
    name: Mapped[str] = mapped_column(primary_key=True)
    parameters: Mapped[dict[str, Any]]
    sequence: Mapped[int]
    created_at: Mapped[str]


class DocumentRow(Base):
    """A document on a collection's shelf. The same bytes on two shelves are two rows of one document."""

    __tablename__ = "documents"
    collection: Mapped[str] = mapped_column(ForeignKey("collections.name"), primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True, index=True)
    filename: Mapped[str] = mapped_column(Text)
    size_bytes: Mapped[int] = mapped_column(Integer)
    added_at: Mapped[str] = mapped_column(index=True)
    job: Mapped[str]
    __table_args__ = (Index("documents_by_age", "collection", "added_at", "id"),)


class JobRow(Base):
    """`work` is the message that queues it again; `touched_at` (seconds since 1970) is when a worker was last seen at it."""

    __tablename__ = "jobs"
    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    subject: Mapped[str]
    collection: Mapped[str | None]
    stage: Mapped[str]
    state: Mapped[str] = mapped_column(index=True)
    code: Mapped[str | None]
    detail: Mapped[str | None] = mapped_column(Text)
    progress: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    work: Mapped[dict[str, Any]]
    trace: Mapped[str]
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    retry_at: Mapped[float | None] = mapped_column(Float)
    touched_at: Mapped[float] = mapped_column(Float)
    cancel_requested: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[str]
    finished_at: Mapped[str | None]
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    __table_args__ = (
        Index("jobs_by_age", "created_at", "id"),
        Index("jobs_of_collection", "collection", "kind", "state"),
    )


class StageRow(Base):
    __tablename__ = "stages"
    job: Mapped[str] = mapped_column(primary_key=True)
    stage: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str]
    state: Mapped[str]
    seconds: Mapped[float | None]
    finished_at: Mapped[str | None]
    result: Mapped[dict[str, Any]]


class EventRow(Base):
    __tablename__ = "events"
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    job: Mapped[str] = mapped_column(index=True)
    at: Mapped[str]
    kind: Mapped[str]
    data: Mapped[dict[str, Any]]


class DatasetRow(Base):
    __tablename__ = "datasets"
    id: Mapped[str] = mapped_column(primary_key=True)
    wish: Mapped[dict[str, Any]]
    created_at: Mapped[str] = mapped_column(index=True)


class DatasetHeadRow(Base):
    """A dataset's wish without its inputs, which may be megabytes: a row of its own, so that pages read no more than they
    show."""

    __tablename__ = "dataset_heads"
    id: Mapped[str] = mapped_column(primary_key=True)
    head: Mapped[dict[str, Any]]
    created_at: Mapped[str] = mapped_column(index=True)


class RunRow(Base):
    __tablename__ = "runs"
    id: Mapped[str] = mapped_column(primary_key=True)
    wish: Mapped[dict[str, Any]]
    created_at: Mapped[str] = mapped_column(index=True)


class ModelRow(Base):
    __tablename__ = "models"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(index=True)
    model: Mapped[dict[str, Any]]
    created_at: Mapped[str] = mapped_column(index=True)


class ExportRow(Base):
    __tablename__ = "exports"
    id: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(index=True)
    wish: Mapped[dict[str, Any]]
    created_at: Mapped[str] = mapped_column(index=True)


class PromotionRow(Base):
    """The version that a name means."""

    __tablename__ = "promotions"
    name: Mapped[str] = mapped_column(primary_key=True)
    promotion: Mapped[dict[str, Any]]


class DeploymentRow(Base):
    __tablename__ = "deployments"
    name: Mapped[str] = mapped_column(primary_key=True)
    sequence: Mapped[int]
    wish: Mapped[dict[str, Any]]
    state: Mapped[str]
    detail: Mapped[str | None] = mapped_column(Text)
    endpoints: Mapped[list[str]] = mapped_column(JSON)
    served_model: Mapped[str | None]
    serves: Mapped[str | None]
    canary: Mapped[dict[str, Any] | None]
    updated_at: Mapped[str]


class KeyRow(Base):
    __tablename__ = "keys"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    secret_sha256: Mapped[str]
    scopes: Mapped[str]
    created_at: Mapped[str]
    revoked_at: Mapped[str | None]
    requests_per_minute: Mapped[int | None]
    tokens_per_day: Mapped[int | None] = mapped_column(BigInteger)


class KeyUseRow(Base):
    """What a key has asked of the models on a day, and in the latest minute of it. Not in the object store: a catalog that is
    rebuilt counts from nothing."""

    __tablename__ = "key_uses"
    key: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[str] = mapped_column(primary_key=True, index=True)
    requests: Mapped[int] = mapped_column(BigInteger, default=0)
    tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    minute: Mapped[str] = mapped_column(default="")
    in_minute: Mapped[int] = mapped_column(Integer, default=0)


class DeedRow(Base):
    """An entry of the audit log."""

    __tablename__ = "deeds"
    id: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[str] = mapped_column(index=True)
    key: Mapped[str]
    name: Mapped[str]
    method: Mapped[str]
    path: Mapped[str] = mapped_column(Text)
    status: Mapped[int] = mapped_column(Integer)
    trace: Mapped[str]


class ReviewableRow(Base):
    """A text that screening decided about, as a document's `review.jsonl` tells of it: where it is, and when it is shown."""

    __tablename__ = "reviewables"
    document: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    collection: Mapped[str] = mapped_column(primary_key=True)
    mark: Mapped[str]
    decision: Mapped[str]
    rule: Mapped[str]
    probability: Mapped[float | None]
    lane: Mapped[str]
    rank: Mapped[float]
    path: Mapped[str] = mapped_column(Text)
    start: Mapped[int] = mapped_column(BigInteger)
    end: Mapped[int] = mapped_column(BigInteger)
    __table_args__ = (
        Index("reviewables_by_rank", "lane", "rank", "id"),
        Index("reviewables_of_collection", "collection", "lane", "rank", "id"),
        Index("reviewables_by_rule", "rule"),
    )


class LabelRow(Base):
    """A reviewer's latest word on a text. `entry` is `<document>/<sequence>`."""

    __tablename__ = "labels"
    document: Mapped[str] = mapped_column(primary_key=True)
    mark: Mapped[str] = mapped_column(primary_key=True)
    reviewer: Mapped[str] = mapped_column(primary_key=True)
    verdict: Mapped[str]
    sequence: Mapped[int] = mapped_column(Integer)
    entry: Mapped[str]
    at: Mapped[str] = mapped_column(index=True)


class LineWordRow(Base):
    """A reviewer's latest word on a line of a page map."""

    __tablename__ = "line_words"
    document: Mapped[str] = mapped_column(primary_key=True)
    extraction: Mapped[str] = mapped_column(primary_key=True)
    page: Mapped[int] = mapped_column(Integer, primary_key=True)
    block: Mapped[int] = mapped_column(Integer, primary_key=True)
    line: Mapped[int] = mapped_column(Integer, primary_key=True)
    reviewer: Mapped[str] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(Integer)
    entry: Mapped[str]
    word: Mapped[dict[str, Any]]
    at: Mapped[str] = mapped_column(index=True)


class FeedbackRow(Base):
    """Somebody's latest word on an answer."""

    __tablename__ = "feedback"
    id: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str]
    feedback: Mapped[dict[str, Any]]
    at: Mapped[str] = mapped_column(index=True)


class PreferenceSetRow(Base):
    """Pairs of answers as they stood at one moment."""

    __tablename__ = "preference_sets"
    id: Mapped[str] = mapped_column(primary_key=True)
    preferences: Mapped[dict[str, Any]]
    created_at: Mapped[str] = mapped_column(index=True)


class ClassifierRow(Base):
    """A version of the garbage classifier. `adopted` is null until it is known."""

    __tablename__ = "classifiers"
    id: Mapped[str] = mapped_column(primary_key=True)
    wish: Mapped[dict[str, Any]]
    adopted: Mapped[bool | None] = mapped_column(Boolean)
    created_at: Mapped[str] = mapped_column(index=True)


class IdempotencyRow(Base):
    """The answer given to a request that carried an `Idempotency-Key`."""

    __tablename__ = "idempotency"
    key: Mapped[str] = mapped_column(primary_key=True)
    request_sha256: Mapped[str]
    status: Mapped[int]
    response: Mapped[dict[str, Any]]
    created_at: Mapped[str]


class DatasetDocumentRow(Base):
    """Which documents a dataset was wished of: so that the datasets of a document are a look-up."""

    __tablename__ = "dataset_documents"
    dataset: Mapped[str] = mapped_column(primary_key=True)
    document: Mapped[str] = mapped_column(primary_key=True, index=True)
    filename: Mapped[str] = mapped_column(Text)


class ForgottenRow(Base):
    """A document's tombstone, and the receipt of its removal."""

    __tablename__ = "forgotten"
    document: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    job: Mapped[str]
    receipt: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    at: Mapped[str] = mapped_column(index=True)


class SightingRow(Base):
    """A dataset or model that saw a document which was forgotten since."""

    __tablename__ = "sightings"
    document: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True, index=True)
    trained: Mapped[bool] = mapped_column(Boolean)
