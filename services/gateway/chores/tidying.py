"""Tidying: removes what killed workers and killed uploads left in the store, and answers nobody will ask for again.

Nothing that a manifest names is touched, nothing that a lease is held on, and nothing younger than the age given: what
is removed costs, at the very worst, work that is done again.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby

from services.gateway.chores.sweep import Tell
from shared import layout
from shared.catalog.protocol import Catalog
from shared.errors import Unavailable
from shared.halves import Halves
from shared.objects import Listed, ObjectStore
from shared.pipeline import STAGES, TRAINING
from shared.queue import Leases
from shared.results import committed
from shared.telemetry import log


@dataclass(frozen=True, slots=True)
class Tidying:
    """Looks through the whole store, and removes or only counts."""

    store: ObjectStore
    catalog: Catalog
    leases: Leases
    halves: Halves

    def run(self, older_seconds: float, tell: Tell, dry_run: bool = False) -> dict[str, int]:
        """What was (or would be) removed: objects by kind, and bytes. Raises Unavailable."""
        before = datetime.now(UTC) - timedelta(seconds=older_seconds)
        found: Counter[str] = Counter({"uploads": 0, "attempts": 0, "kept": 0, "checkpoints": 0, "halves": 0, "bytes": 0})
        for done, (kind, listed) in enumerate(self._rubbish(before), 1):
            found.update({kind: 1, "bytes": listed.size_bytes})
            if not dry_run:
                self.store.delete(listed.path)
                tell(done, done, "object")
        self._drop_halves(before, found, dry_run)
        if not dry_run:
            found["answers"] = self.catalog.forget_answers(before.isoformat(timespec="microseconds").replace("+00:00", "Z"))
        log().info("tidying.done", dry_run=dry_run, **found)
        return dict(found)

    def _rubbish(self, before: datetime) -> Iterator[tuple[str, Listed]]:
        yield from (("uploads", one) for one in self.store.listed("uploads") if one.modified_at < before)
        for stage in STAGES:
            for key, files in groupby(self.store.listed(f"stages/{stage}"), key=lambda one: one.path.split("/")[2]):
                yield from self._unreferenced(stage, key, list(files), before)
        for run, files in groupby(self.store.listed("checkpoints"), key=lambda one: one.path.split("/")[1]):
            yield from (("checkpoints", one) for one in self._done_with(run, files, before))

    def _unreferenced(self, stage: str, key: str, files: list[Listed], before: datetime) -> Iterator[tuple[str, Listed]]:
        """Files below a result's key that its manifest does not name. A manifest beside the files of one attempt, all
        older than it, names them: it is not read."""
        manifest = next((one for one in files if one.path == layout.manifest(stage, key)), None)
        others = [one for one in files if one is not manifest]
        attempts = {one.path.split("/")[3] for one in others}
        whole = manifest is not None and len(attempts) <= 1 and all(one.modified_at <= manifest.modified_at for one in others)
        if not others or whole or any(one.modified_at >= before for one in others) or self.leases.held(key):
            return
        standing = committed(self.store, stage, key)
        named = {file.path for file in standing.files.values()} if standing else frozenset()
        for one in others:
            if one.path not in named:
                yield "kept" if one.path.startswith(layout.kept(stage, key)) else "attempts", one

    def _done_with(self, run: str, files: Iterable[Listed], before: datetime) -> list[Listed]:
        """Checkpoints of a run whose training is committed: nobody will resume it."""
        if committed(self.store, TRAINING.name, run) is None:
            return []
        return [one for one in files if one.modified_at < before]

    def _drop_halves(self, before: datetime, found: Counter[str], dry_run: bool) -> None:
        try:
            for half in list(self.halves.found()):
                if half.touched_at < before:
                    found["halves"] += 1
                    if not dry_run:
                        self.halves.drop(half)
        except Unavailable as error:
            log().warning("tidying.halves-unseen", detail=error.message)
            found["halves_unseen"] = 1
