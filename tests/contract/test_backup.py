"""Backups of every kind of store: whole though the store is written to meanwhile, checked by digest, gone on with."""

import inspect
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from shared import layout
from shared.backup import places, shelf, snapshot
from shared.backup.places import place
from shared.backup.put_back import check, put_back
from shared.backup.settings import BackupSettings
from shared.backup.take import take
from shared.contracts.backups import Writing
from shared.contracts.documents import Document, Membership
from shared.contracts.work import File, Manifest
from shared.errors import Conflict, Damaged, InvalidInput, NotFound
from shared.objects import Listed, ObjectStore, create_contract, open_store, read_contract
from shared.pipeline import STAGES
from shared.settings import StoreSettings
from tests.conftest import s3_settings


def document_of(number: int) -> str:
    return f"{number:064x}"


def written(store: ObjectStore, number: int) -> Iterator[None]:
    """A document as workers leave it, an object at a time: each after what it names, and beside what a killed worker left."""
    document = document_of(number)
    store.create(layout.source(document), b"%PDF " + document.encode())
    yield
    create_contract(store, layout.document(document), Document(id=document, filename="a.pdf", size_bytes=3, uploaded_at="t"))
    yield
    membership = Membership(collection="shelf", document=document, filename="a.pdf", added_at="t")
    create_contract(store, layout.membership("shelf", document), membership)
    yield
    for stage in STAGES:
        store.create(layout.attempt_file(stage, document, "killed", "out.jsonl"), b"half")
        yield
        path = layout.attempt_file(stage, document, "attempt", "out.jsonl")
        store.create(path, f"{stage} {number}".encode())
        yield
        manifest = Manifest(
            stage=stage, stage_version=1, key=document, work={}, files={"out.jsonl": File(path=path, size_bytes=1, sha256="s")},
            started_at="t", finished_at="t", seconds=1,
        )  # fmt: skip
        create_contract(store, layout.manifest(stage, document), manifest)
        yield


def work_through(store: ObjectStore, number: int) -> None:
    for _ in written(store, number):
        pass


class Store:
    """A store, to be changed in one respect."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class Busy(Store):
    """A store that is written to while it is listed, a page of one object at a time: `between` is called with the path before
    the page and the prefix."""

    def __init__(self, store: ObjectStore, between: Callable[[str, str], None]) -> None:
        super().__init__(store)
        self._between = between

    def listed(self, prefix: str) -> Iterator[Listed]:
        last = ""
        while True:
            self._between(last, prefix)
            after = (one for one in self._store.listed(prefix) if one.path > last)
            one = min(after, key=lambda one: one.path, default=None)
            if one is None:
                return
            last = one.path
            yield one


def require_whole(store: ObjectStore) -> set[str]:
    """That whatever an object names is there. Returns the documents that have a manifest."""
    found = set(store.list(""))
    manifests = [path.split("/") for path in found if path.endswith("/manifest.json")]
    for _, stage, document, _ in manifests:
        earlier = list(STAGES)[: list(STAGES).index(stage)]
        needed = [
            layout.attempt_file(stage, document, "attempt", "out.jsonl"), layout.membership("shelf", document),
            *(layout.manifest(one, document) for one in earlier),
        ]  # fmt: skip
        assert set(needed) <= found, f"the {stage} of {document} names what is not there"
    for path in found:
        if path.startswith("collections/"):
            document = path.rsplit("/", 1)[-1].removesuffix(".json")
            assert {layout.document(document), layout.source(document)} <= found, f"{path} names what is not there"
    return {path[2] for path in manifests}


def contents(store: ObjectStore) -> dict[str, bytes]:
    return {path: store.read(path) for path in store.list("")}


@pytest.fixture
def full(any_store: ObjectStore) -> ObjectStore:
    for number in range(3):
        work_through(any_store, number)
    any_store.create("audit/2026-01-01/a.json", b"{}")
    return any_store


@pytest.fixture(params=["directory", "s3"])
def kept_in(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "directory":
        return open_store(StoreSettings(store_url=f"file://{tmp_path}/backups"))
    return open_store(s3_settings(request.getfixturevalue("s3_url")))


@pytest.fixture
def empty(tmp_path: Path) -> ObjectStore:
    return open_store(StoreSettings(store_url=f"file://{tmp_path}/restored"))


def test_what_was_backed_up_is_put_back_byte_for_byte(full: ObjectStore, kept_in: ObjectStore, empty: ObjectStore) -> None:
    before = contents(full)
    backup = take(full, kept_in)
    assert (backup.objects, backup.size_bytes) == (len(before), sum(len(one) for one in before.values()))
    assert check(kept_in).id == backup.id
    assert put_back(empty, kept_in).written == len(before)
    assert contents(empty) == before


def test_a_store_that_is_worked_on_meanwhile_is_backed_up_whole(store: ObjectStore, empty: ObjectStore, tmp_path: Path) -> None:
    for number in range(3):
        work_through(store, number)
    lot, writers = random.Random(0), [written(store, 10 + number) for number in range(8)]

    def work(_last: str, _prefix: str) -> None:
        for writer in lot.sample(writers, k=min(2, len(writers))):
            if next(writer, work) is work:
                writers.remove(writer)

    kept = open_store(StoreSettings(store_url=f"file://{tmp_path}/backups"))
    take(Busy(store, work), kept)  # type: ignore[arg-type]
    put_back(empty, kept)
    assert {document_of(number) for number in range(3)} < require_whole(empty), "nothing was written meanwhile"


@pytest.mark.parametrize("prefix", ["collections", "stages/extraction", "stages/screening", "audit"])
def test_a_document_that_comes_while_a_prefix_is_listed_is_backed_up_whole_or_not_at_all(
    store: ObjectStore, empty: ObjectStore, tmp_path: Path, prefix: str
) -> None:
    work_through(store, 1)
    kept = open_store(StoreSettings(store_url=f"file://{tmp_path}/backups"))
    times: list[str] = []

    def come(_last: str, at: str) -> None:
        if at == prefix and not times:
            times.append(at)
            work_through(store, 2)

    take(Busy(store, come), kept)  # type: ignore[arg-type]
    put_back(empty, kept)
    assert document_of(1) in require_whole(empty)


def test_a_result_that_is_committed_while_its_leftovers_are_listed_is_backed_up_whole(
    store: ObjectStore, empty: ObjectStore, tmp_path: Path
) -> None:
    kept = open_store(StoreSettings(store_url=f"file://{tmp_path}/backups"))
    writer = written(store, 1)
    killed = layout.attempt_file("extraction", document_of(1), "killed", "out.jsonl")
    while store.size(killed) is None:
        next(writer)

    def commit(last: str, _prefix: str) -> None:
        if last == killed and store.size(layout.manifest("extraction", document_of(1))) is None:
            next(writer)
            next(writer)

    take(Busy(store, commit), kept)  # type: ignore[arg-type]
    put_back(empty, kept)
    assert require_whole(empty) == {document_of(1)}


def test_what_was_deleted_meanwhile_is_not_in_the_backup_and_its_tombstone_is(
    store: ObjectStore, empty: ObjectStore, tmp_path: Path
) -> None:
    kept = open_store(StoreSettings(store_url=f"file://{tmp_path}/backups"))
    work_through(store, 1)
    gone = layout.source(document_of(1))

    class Forgetting(Store):
        def list(self, prefix: str) -> Iterator[str]:
            if self._store.size(gone) is not None:
                self._store.create(f"forgotten/{document_of(1)}/00000001.json", b"{}")
                self._store.delete(gone)
            return self._store.list(prefix)

    take(Forgetting(store), kept)  # type: ignore[arg-type]
    put_back(empty, kept)
    assert empty.size(gone) is None
    assert empty.size(f"forgotten/{document_of(1)}/00000001.json") == 2


def test_unfinished_work_and_uploads_are_no_part_of_a_backup(store: ObjectStore, empty: ObjectStore, tmp_path: Path) -> None:
    kept = open_store(StoreSettings(store_url=f"file://{tmp_path}/backups"))
    store.create(layout.upload("half"), b"%PDF")
    store.create(layout.attempt_file("extraction", document_of(9), "lost", "out.jsonl"), b"x")
    store.create("checkpoints/run/4/adapter", b"weights")
    take(store, kept)
    put_back(empty, kept)
    assert list(empty.list("")) == ["checkpoints/run/4/adapter"]


class Counting(Store):
    """A store that counts what is read whole."""

    def __init__(self, store: ObjectStore) -> None:
        super().__init__(store)
        self.downloads = 0

    def download(self, path: str, target: Path) -> None:
        self.downloads += 1
        self._store.download(path, target)


def test_a_second_backup_reads_what_is_new_and_shares_the_rest(
    full: ObjectStore, empty: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = open_store(StoreSettings(store_url=f"file://{tmp_path}/backups"))
    monkeypatch.setattr("shared.backup.take.CLOCKS_SECONDS", -60)
    first = take(full, kept)
    full.create("audit/2026-01-02/b.json", b"[]")
    counted = Counting(full)
    second = take(counted, kept)  # type: ignore[arg-type]
    assert (counted.downloads, second.objects) == (1, first.objects + 1)
    assert [one.id for one in shelf.backups(kept)] == [first.id, second.id]
    put_back(empty, kept, first.id)
    assert empty.size("audit/2026-01-02/b.json") is None


def test_only_so_many_backups_are_kept_and_what_none_names_goes(store: ObjectStore, tmp_path: Path) -> None:
    kept = open_store(StoreSettings(store_url=f"file://{tmp_path}/backups"))
    store.create("audit/2026-01-01/a.json", b"old")
    store.create("audit/2026-01-01/b.json", b"stays")
    take(store, kept)
    store.delete("audit/2026-01-01/a.json")
    last = take(store, kept, keep=1)
    assert [one.id for one in shelf.backups(kept)] == [last.id]
    assert len(list(kept.list("blobs"))) == 1
    assert check(kept).objects == 1


class CutShort(Store):
    """A store whose reader dies after so many objects."""

    def __init__(self, store: ObjectStore, after: int) -> None:
        super().__init__(store)
        self._left = after

    def download(self, path: str, target: Path) -> None:
        self._left -= 1
        if self._left < 0:
            raise ConnectionError("killed")
        self._store.download(path, target)


def test_a_backup_that_was_cut_short_is_gone_on_with(
    full: ObjectStore, kept_in: ObjectStore, empty: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.backup.take.BATCH_OBJECTS", 5)
    with pytest.raises(ConnectionError):
        take(CutShort(full, 17), kept_in)  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        check(kept_in)
    with pytest.raises(Conflict, match="--resume"):
        take(full, kept_in)
    counted = Counting(full)
    backup = take(counted, kept_in, resume=True)  # type: ignore[arg-type]
    assert counted.downloads == backup.objects - 15
    assert read_contract(kept_in, places.WRITING, Writing) is None
    put_back(empty, kept_in)
    assert contents(empty) == contents(full)


def test_a_restore_that_was_cut_short_is_gone_on_with_and_no_other_store_is_written_to(
    full: ObjectStore, empty: ObjectStore, tmp_path: Path
) -> None:
    kept = open_store(StoreSettings(store_url=f"file://{tmp_path}/backups"))
    total = take(full, kept).objects
    with pytest.raises(ConnectionError):
        put_back(empty, CutShort(kept, 9))  # type: ignore[arg-type]
    standing = len(contents(empty))
    assert 0 < standing < total
    with pytest.raises(Conflict, match="not empty"):
        put_back(empty, kept)
    done = put_back(empty, kept, resume=True)
    assert (done.written, done.stood) == (total - standing, standing)
    assert contents(empty) == contents(full)

    path = next(iter(full.list("documents")))
    empty.delete(path)
    empty.create(path, b"something else")
    with pytest.raises(Conflict, match="another than the backup's"):
        put_back(empty, kept, resume=True)


@pytest.mark.parametrize("harm", ["changed", "missing", "list"])
def test_a_damaged_backup_is_told_and_the_rest_put_back(
    store: ObjectStore, empty: ObjectStore, tmp_path: Path, harm: str
) -> None:
    root = tmp_path / "backups"
    kept = open_store(StoreSettings(store_url=f"file://{root}"))
    work_through(store, 1)
    backup = take(store, kept)
    victim = next(path for path in sorted((root / "blobs").rglob("*")) if path.is_file() and b"%PDF" in path.read_bytes())
    if harm == "changed":
        victim.write_bytes(victim.read_bytes()[:-1] + b"X")
    elif harm == "missing":
        victim.unlink()
    else:
        (root / backup.parts[0].path).write_bytes(b"")
    with pytest.raises(Damaged, match=r"restore another|source\.pdf"):
        check(kept)
    with pytest.raises(Damaged):
        put_back(empty, kept)
    assert len(contents(empty)) == (0 if harm == "list" else backup.objects - 1)


def test_a_backup_without_its_commit_is_none(store: ObjectStore, tmp_path: Path) -> None:
    kept = open_store(StoreSettings(store_url=f"file://{tmp_path}/backups"))
    work_through(store, 1)
    backup = take(store, kept)
    kept.delete(places.commit(backup.id))
    with pytest.raises(NotFound, match="Backups there: none"):
        check(kept)


def test_every_path_of_the_layout_is_known_to_backups() -> None:
    firsts = set()
    for name, function in inspect.getmembers(layout, inspect.isfunction):
        parameters = inspect.signature(function).parameters
        if name not in ("entry", "attempt"):
            given = [1 if one.annotation is int else "x" for one in parameters.values()]
            firsts.add(function(*given).split("/")[0])
    assert firsts - set(snapshot.prefixes()) == set()


@pytest.mark.parametrize(
    ("store_url", "given"),
    [
        ("file:///var/lib/lectern/store", "/var/lib/lectern/store/backups"),
        ("file:///var/lib/lectern/store", "/var/lib/lectern"),
        ("s3://lectern", "s3://lectern/backups"),
        ("s3://lectern/team", "s3://lectern"),
        ("s3://lectern/team", "s3://lectern/team/"),
    ],
)
def test_a_place_within_the_store_or_around_it_is_refused(store_url: str, given: str) -> None:
    with pytest.raises(InvalidInput, match="name another"):
        place(BackupSettings(store_url=store_url), given)


def test_a_place_beside_the_store_is_taken_with_credentials_of_its_own_or_the_stores() -> None:
    settings = BackupSettings(store_url="s3://lectern/team", s3_endpoint="http://store:9000", s3_secret_key=SecretStr("one"))
    assert place(settings, "s3://lectern/team-backups").s3_endpoint == "http://store:9000"
    elsewhere = settings.model_copy(
        update={"backup_s3_endpoint": "https://other", "backup_s3_secret_key": SecretStr("two"), "backup_s3_region": "eu"}
    )
    found = place(elsewhere, "s3://lectern/team")
    assert (found.s3_endpoint, found.s3_region) == ("https://other", "eu")
    assert found.s3_secret_key == SecretStr("two")


def test_a_place_that_is_gone_is_not_found_rather_than_made(tmp_path: Path) -> None:
    from shared.backup.work import look_through

    with pytest.raises(NotFound):
        look_through(BackupSettings(store_url=f"file://{tmp_path}/store"), f"{tmp_path}/nowhere", None, lambda *_: None)
    assert not (tmp_path / "nowhere").exists()
