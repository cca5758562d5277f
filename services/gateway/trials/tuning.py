"""A tuning from its wish to its end: measured, reported, and what it found put to use.

One at a time in the whole installation, since two would measure each other. A tuning that was cut short is begun again: what it
had up is cleared away first. The report stands before the deployment's wish is changed by it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import Any

from services.gateway.chores.sweep import End, Teller
from services.gateway.parts import Parts
from services.gateway.trials.place import LetGo
from services.gateway.trials.prompts import drawn
from services.gateway.trials.session import Session
from shared import layout
from shared.clock import now
from shared.contracts.learning import DeploymentWish
from shared.contracts.tunings import TuningReport, TuningWish
from shared.contracts.work import ChoreWork, JobEvent, Progress
from shared.errors import NotFound
from shared.ids import TRIAL, trial_name
from shared.objects import ObjectStore, Series, create_contract, read_contract

LEASE = "tunings"
"""Held while one is carried out."""


@dataclass(frozen=True, slots=True)
class Tunings:
    """Carries tunings out. Once `stopped` is set, the one at work is let go for the next gateway."""

    parts: Parts
    stopped: Event

    def run(self, work: ChoreWork, tell: Teller) -> dict[str, Any]:
        """Done under LEASE. Raises LecternError: LetGo and Unavailable where it is to be taken up again, else it has ended."""
        tuning, report = self._reported(work, tell)
        used = self._put_to_use(tuning, report)
        self._store.delete(layout.tuning_prompts(work.job))
        return {"tried": len(report.trials) - 1, "put_to_use": int(used)}

    def ended(self, work: ChoreWork, kind: End, code: str, detail: str) -> None:
        """Write its end without a report down as a fact, so that a catalog that is rebuilt does not begin it again."""
        told = JobEvent(kind=kind, stage=work.chore, key=work.job, code=code, detail=detail, at=now(), trace=work.trace)
        Series(self._store, layout.job_events(work.job)).append(told)
        self._store.delete(layout.tuning_prompts(work.job))

    def clear(self) -> None:
        """Remove trials that no tuning is at, where a job was lost. Trials are looked up first: one that is put up after that
        is left alone, and one that was there has its job."""
        catalog = self.parts.catalog
        trials = [view for view in catalog.deployments(trials=True) if view.name.endswith(TRIAL)]
        if trials:
            at_work = {trial_name(str(job.work["subject"])) for job in catalog.chores() if job.stage == "tuning"}
            for view in trials:
                if view.name not in at_work:
                    catalog.drop_trial(view.name, view.sequence)

    @property
    def _store(self) -> ObjectStore:
        return self.parts.store

    def _reported(self, work: ChoreWork, tell: Teller) -> tuple[TuningWish, TuningReport]:
        """What was asked for, and the report that stands of it or is made now."""
        name = work.subject
        tuning = read_contract(self._store, layout.entry(layout.tunings(name), work.number), TuningWish)
        tuned = layout.entry(layout.deployment(name), tuning.sequence if tuning else 0)
        wish = read_contract(self._store, tuned, DeploymentWish)
        if tuning is None or wish is None:
            raise NotFound(f"Tuning {work.number} of {name} is not whole in the store: ask for it again.")
        path = layout.tuning_report(name, work.number)
        report = read_contract(self._store, path, TuningReport)
        if report is None:
            prompts, left = drawn(self.parts, work.job, tuning, wish), self._drop_leftover(name)
            report = Session(self.parts, tuning, wish, prompts, self._telling(tell), left).report()
            if not create_contract(self._store, path, report):
                report = read_contract(self._store, path, TuningReport) or report
        return tuning, report

    def _drop_leftover(self, name: str) -> tuple[str, ...]:
        """Remove the trial that an earlier attempt left; its engine's endpoints."""
        left = self.parts.catalog.deployment(trial_name(name))
        self.parts.catalog.drop_trial(trial_name(name))
        return left.endpoints if left else ()

    def _telling(self, tell: Teller) -> Callable[[Progress], None]:
        def told(progress: Progress) -> None:
            if self.stopped.is_set():
                raise LetGo("The gateway is being stopped; the next one begins this tuning again.")
            tell.tell(progress)

        return told

    def _put_to_use(self, tuning: TuningWish, report: TuningReport) -> bool:
        """Wish for what is kept, unless something else was wished for since the tuning was asked for. A gateway that died at it
        may have wished already."""
        return report.changes and self.parts.records.wish_next(tuning.deployment, tuning.sequence, report.kept.wished)
