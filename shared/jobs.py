"""Jobs as users steer them: started, called off, started again."""

from dataclasses import dataclass
from typing import Literal

from shared import layout
from shared.catalog.protocol import Catalog, NewJob
from shared.clock import now
from shared.contracts.documents import Membership
from shared.contracts.learning import DatasetWish, RunWish
from shared.contracts.views import CHORES, FINISHED, JobView
from shared.contracts.work import ChoreWork, JobEvent
from shared.errors import Conflict, NotFound, Unavailable
from shared.ids import short
from shared.indexing import index_classifier, index_dataset, index_document, index_export, index_run
from shared.objects import ObjectStore, Series, read_contract
from shared.pipeline import STAGES
from shared.queue import Queue
from shared.results import require_whole
from shared.telemetry import log
from shared.tracing import current_trace
from shared.unforgotten import require_unforgotten


@dataclass(frozen=True, slots=True)
class Jobs:
    """What is under way."""

    store: ObjectStore
    catalog: Catalog
    queue: Queue

    def cancel(self, job: str) -> JobView:
        """Call a job off: at once where no worker is at it, else at its next sign of life. Raises NotFound, Conflict."""
        found = self._job(job)
        if found.state in FINISHED:
            raise Conflict(f"Job {job} is {found.state} already.")
        if found.kind == "deployment":
            raise Conflict("A deployment is stopped, not cancelled: `lectern stop NAME`.")
        if found.kind in CHORES and found.kind != "tuning":
            raise Conflict(f"Job {job} is carried out to its end: half of it would be worse than either.")
        self.catalog.request_cancel(job)
        if found.state != "running":
            event = self._event(job, "cancelled")
            self.catalog.finish_job(job, "cancelled", "cancelled", "Called off by a user.", event.at)
            if found.kind == "tuning":
                self.store.delete(layout.tuning_prompts(job))
        return self._job(job)

    def retry(self, job: str) -> JobView:
        """Start a dead or cancelled job again; what was committed stands. Raises NotFound, Conflict."""
        found = self._job(job)
        if found.state not in ("dead", "cancelled"):
            raise Conflict(f"Job {job} is {found.state}; only a dead or cancelled job can be retried.")
        if found.kind == "tuning":
            raise Conflict(f"A tuning is not retried: `lectern deploy --name {found.subject} --tune` asks for it again.")
        if found.kind in CHORES:
            return self._ask_again(found)
        if found.kind == "run":
            self._require_whole_of_run(found.subject)
        self._event(job, "requeued")
        self.start(self._index_anew(found))
        return self._job(job)

    def _ask_again(self, chore: JobView) -> JobView:
        standing = self.catalog.work(chore.id)
        assert standing is not None, "the job was looked up before"
        work = ChoreWork.model_validate(standing.work).model_copy(update={"trace": current_trace()})
        self.catalog.put_job(NewJob(chore.id, chore.kind, chore.subject, chore.collection, work.chore, work, now()), anew=True)
        return self._job(chore.id)

    def _require_whole_of_run(self, run: str) -> None:
        wish = read_contract(self.store, layout.run(run), RunWish)
        dataset = read_contract(self.store, layout.dataset(wish.dataset), DatasetWish) if wish else None
        if dataset is not None:
            require_whole(self.store, short(dataset.key), dataset.key, "Ask for a new run on a dataset of what remains.")
        if wish is not None and wish.parent is not None:
            require_unforgotten(self.store, self.catalog, wish.parent.run, wish.parent.model)
        if wish is not None and wish.reward is not None:
            require_unforgotten(self.store, self.catalog, wish.reward.run, wish.reward.name)

    def _index_anew(self, job: JobView) -> str:
        if job.kind == "dataset":
            return index_dataset(self.store, self.catalog, job.subject, anew=True)
        if job.kind == "classifier":
            return index_classifier(self.store, self.catalog, job.subject, anew=True)
        if job.kind == "preview":
            raise Conflict("A preview is not retried: ask for it again.")
        if job.kind == "run":
            return index_run(self.store, self.catalog, job.subject, anew=True)
        if job.kind == "export":
            return index_export(self.store, self.catalog, job.subject, anew=True)
        membership = read_contract(self.store, layout.membership(job.collection or "", job.subject), Membership)
        if membership is None:
            raise NotFound(f"Document {job.subject} is on no shelf {job.collection!r}.")
        return index_document(self.store, self.catalog, membership, anew=True)

    def _event(self, job: str, kind: Literal["cancelled", "requeued"]) -> JobEvent:
        at = self.catalog.work(job)
        assert at is not None, "the job was looked up before"
        stage = STAGES.get(at.stage)
        work = stage.work.model_validate(at.work) if stage else ChoreWork.model_validate(at.work)
        event = JobEvent(kind=kind, stage=at.stage, key=stage.key(work) if stage else job, at=now(), trace=work.trace)
        Series(self.store, layout.job_events(job)).append(event)
        return event

    def _job(self, job: str) -> JobView:
        found = self.catalog.job(job)
        if found is None:
            raise NotFound(f"There is no job {job!r}.")
        return found

    def start(self, job: str) -> None:
        """Queue a job where it stands; a queue that does not answer is left to the recovery sweep."""
        found = self.catalog.work(job)
        if found is None or found.state != "queued":
            return
        stage = STAGES[found.stage]
        try:
            self.queue.put(stage, stage.work.model_validate(found.work))
        except Unavailable:
            log().warning("queue.unavailable", job=job, left_to="recovery")
