"""Which chores there are: each kind of job that the gateway does itself, and what does it."""

import time
from threading import Event
from typing import Any

from services.gateway.chores.forgetting import Removal
from services.gateway.chores.sweep import Chore, Chores, Tell
from services.gateway.chores.tidying import Tidying
from services.gateway.parts import Parts
from services.gateway.trials.tuning import LEASE, Tunings
from shared.contracts.work import ChoreWork
from shared.halves import open_halves
from shared.reindex import reindex
from shared.tracing import current_trace

TUNING_ATTEMPTS = 3
"""Each measures from the beginning."""


def chores(parts: Parts) -> Chores:
    """The chores over the gateway's parts."""
    tidying = Tidying(parts.store, parts.catalog, parts.leases, open_halves(parts.settings))

    def recompute(work: ChoreWork, tell: Tell) -> dict[str, Any]:
        total = parts.records.reprocess(work.subject, lambda done, total: tell(done, total, "document"))
        return {"documents": total}

    def rebuild(_: ChoreWork, tell: Tell) -> dict[str, Any]:
        return dict(reindex(parts.store, parts.catalog, lambda done: tell(done, done, "object")))

    def tidy(work: ChoreWork, tell: Tell) -> dict[str, Any]:
        return dict(tidying.run(work.older_seconds, tell))

    def forget(work: ChoreWork, tell: Tell) -> dict[str, Any]:
        removed = Removal(parts.records, parts.leases).run(work, tell)
        parts.evidence.refresh()
        return dict(removed)

    def regular() -> None:
        parts.evidence.refresh()
        period = int(time.time() // (parts.settings.tidy_hours * 3600))
        work = ChoreWork(
            job=f"tidy.regular.{period}",
            trace=current_trace(),
            chore="tidy",
            older_seconds=parts.settings.tidy_age_hours * 3600,
        )
        parts.records.ask_chore(work)

    kinds: dict[str, Chore] = {"settings": recompute, "reindex": rebuild, "tidy": tidy, "forget": forget}
    return Chores(parts.catalog, parts.leases, kinds, regular)


def tunings(parts: Parts, stopped: Event) -> Chores:
    """Tunings of deployments, in a loop of their own: forgetting does not wait for them."""
    tunings = Tunings(parts, stopped)
    kinds: dict[str, Chore] = {"tuning": tunings.run}
    return Chores(parts.catalog, parts.leases, kinds, tunings.clear, TUNING_ATTEMPTS, LEASE, tunings.ended)
