"""The ledger of a document from what its stages wrote down, each sum checked against another that was made apart from it.

Extraction counts the pages and blocks it made; cleaning writes an account of every page and sums up its own lines and
characters; screening counts chunks. Where two of them disagree something was lost without a reason, and the answer says so.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from shared.contracts.base import Contract
from shared.contracts.documents import ChunkingResult, CleaningResult, ExtractionResult, ScreeningResult
from shared.contracts.ledger import Characters, Chunks, CollectionLedger, PageAccount, Pages
from shared.contracts.views import StageView
from shared.contracts.work import Manifest, Rejected
from shared.jsonl import lines_of
from shared.objects import ObjectStore

C = TypeVar("C", bound=Contract)

FAULTS_SHOWN = 20


@dataclass(slots=True)
class Account:
    """What is known of a document, and the faults that were found in it."""

    pages: Pages
    characters: Characters
    cleaning: CleaningResult | None
    chunks: Chunks | None
    refused: str | None
    faults: list[str] = field(default_factory=list)

    def expect(self, what: str, one: int, other: int) -> None:
        """Two counts that were made apart from each other."""
        if one != other:
            self.faults.append(f"{what}: {one} against {other}")


@dataclass(frozen=True, slots=True)
class Said:
    """What a stage said of itself."""

    result: dict[str, Any]
    rejected: Rejected | None


Results = Mapping[str, Said]
"""By stage, under the document's settings as they are."""


def of_manifests(manifests: Mapping[str, Manifest]) -> Results:
    return {stage: Said(one.result, one.rejected) for stage, one in manifests.items()}


def of_views(views: Iterable[StageView], keys: Mapping[str, str]) -> Results:
    """The stages that are done under these keys, as the catalog has them."""
    return {
        one.stage: Said({}, Rejected.model_validate(one.result)) if one.state == "failed" else Said(one.result, None)
        for one in views
        if one.state != "running" and keys.get(one.stage) == one.key
    }


def account_of(results: Results) -> Account:
    """The sums, without a look into files: what the stages said of themselves."""
    extracted = _result(results, "extraction", ExtractionResult)
    cleaned = _result(results, "cleaning", CleaningResult)
    refused = next((f"{one.rejected.reason}: {one.rejected.detail}" for one in results.values() if one.rejected), None)
    account = Account(_pages(extracted, cleaned), _characters(cleaned), cleaned, _chunks(results), refused)
    pages, said = account.pages, account.characters
    account.expect("pages read, and their fates", pages.read, pages.kept + pages.set_aside + pages.failed + pages.pending)
    account.expect("characters read, and their fates", said.read, said.kept + sum(said.dropped.values()) + said.garbage)
    if extracted is not None and cleaned is not None:
        account.expect("pages extraction met, and pages cleaning read", extracted.pages, sum(cleaned.pages.values()))
        account.expect("pages that failed, and failed pages accounted for", extracted.pages_failed, pages.failed)
    if cleaned is not None:
        account.expect("lines read, and their fates", cleaned.lines_in, sum(cleaned.lines.values()))
    if (chunks := account.chunks) is not None:
        account.expect("chunks made, and their fates", chunks.cut + chunks.returned, chunks.kept + chunks.set_aside)
    return account


def audit(account: Account, results: Results, rows: Iterable[PageAccount]) -> None:
    """The sums against the rows of the ledger's own file: every page once, and every block and line in one of them."""
    lines: Counter[str] = Counter()
    fates: Counter[str] = Counter()
    blocks, expected = 0, 1
    for row in rows:
        if row.page != expected:
            account.faults.append(f"page {expected} is missing, or out of its place")
        expected = row.page + 1
        fates[row.fate] += 1
        lines.update(row.lines)
        blocks += row.blocks
    pages, cleaned = account.pages, account.cleaning
    account.expect("pages kept, and rows", pages.kept, fates["kept"])
    account.expect("pages set aside, and rows", pages.set_aside, fates["set-aside"])
    account.expect("pages failed, and rows", pages.failed, fates["failed"])
    extracted = _result(results, "extraction", ExtractionResult)
    if extracted is not None:
        account.expect("blocks extraction made, and blocks accounted for", extracted.blocks, blocks)
    summed: dict[str, int] = dict(cleaned.lines.items()) if cleaned else {}
    for fate in sorted({*summed, *lines}):
        account.expect(f"lines {fate}, and rows", summed.get(fate, 0), lines[fate])


def rows_of(store: ObjectStore, cleaning: Manifest | None) -> Iterator[PageAccount]:
    file = cleaning.files.get("ledger.jsonl") if cleaning else None
    if file is not None:
        yield from (PageAccount.model_validate_json(line) for line in lines_of(store, file.path))


@dataclass(slots=True)
class Sum:
    """A collection's ledger as documents are added to it."""

    collection: str
    documents: int = 0
    refused: int = 0
    pages: Counter[str] = field(default_factory=Counter)
    characters: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    garbage: Counter[str] = field(default_factory=Counter)
    faulty: list[str] = field(default_factory=list)

    def add(self, document: str, account: Account) -> None:
        self.documents += 1
        self.refused += account.refused is not None
        self.pages.update(account.pages.model_dump(exclude={"schema_version"}))
        self.characters.update(account.characters.model_dump(exclude={"schema_version", "dropped"}))
        self.dropped.update(account.characters.dropped)
        self.garbage.update(account.cleaning.garbage if account.cleaning else {})
        if account.faults:
            self.faulty.append(f"{document[:16]}: {account.faults[0]}")

    def view(self) -> CollectionLedger:
        return CollectionLedger(
            collection=self.collection, documents=self.documents, refused=self.refused, pages=Pages(**self.pages),
            characters=Characters(**self.characters, dropped=dict(sorted(self.dropped.items()))),
            garbage=dict(sorted(self.garbage.items())), adds_up=not self.faulty, faults=tuple(self.faulty[:FAULTS_SHOWN]),
        )  # fmt: skip


def _result(results: Results, stage: str, contract: type[C]) -> C | None:
    said = results.get(stage)
    return contract.model_validate(said.result) if said and not said.rejected else None


def _pages(extracted: ExtractionResult | None, cleaned: CleaningResult | None) -> Pages:
    if extracted is None:
        return Pages()
    if cleaned is None:
        return Pages(read=extracted.pages, failed=extracted.pages_failed, pending=extracted.pages - extracted.pages_failed)
    fates = cleaned.pages
    return Pages(
        read=extracted.pages, kept=fates.get("kept", 0), set_aside=fates.get("set-aside", 0), failed=fates.get("failed", 0)
    )


def _characters(cleaned: CleaningResult | None) -> Characters:
    if cleaned is None:
        return Characters()
    return Characters(
        read=cleaned.characters_in, kept=cleaned.characters_kept, dropped=cleaned.dropped, garbage=cleaned.characters_garbage
    )


def _chunks(results: Results) -> Chunks | None:
    cut = _result(results, "chunking", ChunkingResult)
    screened = _result(results, "screening", ScreeningResult)
    if cut is None or screened is None:
        return None
    return Chunks(
        cut=cut.chunks, returned=screened.chunks - (cut.chunks - screened.set_aside), kept=screened.chunks,
        set_aside=screened.set_aside, classifier=screened.classifier,
    )  # fmt: skip
