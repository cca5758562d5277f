"""The reconciliation loop: read wishes, look at what runs, plan, act, tell; again and again."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Event
from typing import Protocol

from services.serving.adapters.lora import Adapter
from services.serving.stages.identity import EngineIdentity
from services.serving.stages.plan import (
    LOADING,
    Action,
    Engine,
    EngineSpec,
    LoadAdapter,
    Mark,
    Observed,
    Problem,
    Row,
    StartEngine,
    StopEngine,
    UnloadAdapter,
    Wanted,
    plan,
    verdicts,
)
from shared.catalog.protocol import Catalog
from shared.clock import now
from shared.contracts.learning import Model
from shared.contracts.views import FINISHED, DeploymentView
from shared.contracts.work import Progress
from shared.errors import InvalidInput, LecternError, NotFound
from shared.ids import deployment_job
from shared.telemetry import log

_SETTLED = {"ready": "done", "stopped": "done", "failed": "failed"}
"""What a deployment's state makes of the job that asked for it."""
_STEPS = 3


class Engines(Protocol):
    """What runs engines: child processes here."""

    def check(self) -> None:
        """Raises Unsupported where none can run here."""
        ...

    def observe(self) -> Mapping[EngineIdentity, Engine]: ...
    def start(self, spec: EngineSpec) -> None: ...
    def stop(self, engine: EngineIdentity) -> None: ...
    def load(self, engine: EngineIdentity, adapter: str, directory: Path) -> None: ...
    def unload(self, engine: EngineIdentity, adapter: str) -> None: ...


class Adapters(Protocol):
    """What brings a model's adapter to this machine. Raises LecternError."""

    def fetch(self, model: Model) -> Adapter: ...


class Bases(Protocol):
    """What knows base models. Raises LecternError."""

    def context_limit(self, base: str) -> int | None: ...


class Exports(Protocol):
    """What brings an export to this machine. Raises LecternError."""

    def fetch(self, key: str) -> Path: ...


class Controller:
    """Brings what runs to what is wished for."""

    def __init__(self, catalog: Catalog, engines: Engines, bases: Bases, adapters: Adapters, exports: Exports) -> None:
        self._catalog = catalog
        self._engines = engines
        self._bases = bases
        self._adapters = adapters
        self._exports = exports
        self._directories: dict[str, Path] = {}
        self._settled: dict[str, int] = {}

    def run(self, stop: Event, reconcile_seconds: float) -> None:
        """Reconcile until told to stop. A round that fails is told in the log and the next one tries again."""
        while not stop.is_set():
            try:
                acted = self.reconcile()
            except Exception as error:  # The catalog or the store may be away; a controller outlives that.
                log().error("round.failed", error=type(error).__name__, detail=str(error)[:300])
                acted = False
            if not acted:
                stop.wait(reconcile_seconds)

    def reconcile(self) -> bool:
        """One round. Returns whether anything was done, and so whether another look is due at once."""
        views = self._catalog.deployments()
        desired = [self._wanted(view) for view in views if view.wish.state == "running"]
        rows = {view.name: Row(view.state, view.detail, view.endpoint, view.served_model) for view in views}
        observed = Observed(rows, self._engines.observe())
        self._settle(views, desired, observed)
        actions = plan(desired, observed)
        sequences = {view.name: view.sequence for view in views}
        for action in actions:
            self._apply(action, sequences)
        return bool(actions)

    def _wanted(self, view: DeploymentView) -> Wanted:
        """The wish with all that it takes found out. What is wrong with one deployment must not reach the engine that it
        would share with others."""
        wish = view.wish
        engine = EngineIdentity(
            base=wish.base, variant=wish.variant, export=wish.export, speculation=wish.speculation,
            arguments=wish.engine_arguments,
        )  # fmt: skip
        try:
            self._engines.check()  # Before anything is fetched for an engine that cannot be.
            self._check_context(wish.base, wish.context_tokens)
            if wish.export is not None:
                self._exports.fetch(wish.export)
            adapter = self._adapters.fetch(self._model(wish.model)) if wish.model and wish.export is None else None
        except LecternError as error:
            return Wanted(view.name, engine, problem=Problem(error.code, error.message))
        if adapter is None:
            return Wanted(view.name, engine, context_tokens=wish.context_tokens)
        self._directories[adapter.served_name] = adapter.directory
        return Wanted(view.name, engine, adapter.served_name, adapter.rank, wish.context_tokens)

    def _model(self, name: str) -> Model:
        model = self._catalog.model(name)
        if model is None:
            raise NotFound(f"there is no model {name}: see `lectern status` for those there are")
        return model

    def _check_context(self, base: str, tokens: int) -> None:
        limit = self._bases.context_limit(base)
        if limit is not None and tokens > limit:
            raise InvalidInput(f"{base} takes contexts of up to {limit} tokens, not {tokens}: deploy it with fewer")

    def _apply(self, action: Action, sequences: Mapping[str, int]) -> None:
        match action:
            case Mark():
                self._mark(action, sequences[action.name])
            case StartEngine(spec):
                self._engines.start(spec)
            case StopEngine(engine):
                self._engines.stop(engine)
            case LoadAdapter(engine, adapter):
                self._engines.load(engine, adapter, self._directories[adapter])
            case UnloadAdapter(engine, adapter):
                self._engines.unload(engine, adapter)

    def _mark(self, mark: Mark, sequence: int) -> None:
        row = mark.row
        self._catalog.observe_deployment(mark.name, row.state, row.detail, row.endpoint, row.served_model)
        log().info("deployment.marked", deployment=mark.name, state=row.state, detail=row.detail, code=mark.code)
        if row.state == "starting" and row.detail is not None:
            done = 2 if row.detail == LOADING else 1
            progress = Progress(done=done, total=_STEPS, unit="step", fields={"doing": row.detail})
            self._catalog.touch(deployment_job(mark.name, sequence), progress)

    def _settle(self, views: Sequence[DeploymentView], desired: Sequence[Wanted], observed: Observed) -> None:
        """Finish the jobs of deployments whose rows say how it ended and are true. Done a round after the row was
        written, so that whoever waits for the job finds the row as the job says."""
        true = {mark.name: mark for mark in verdicts(desired, observed) if mark.row == observed.rows[mark.name]}
        for view in views:
            mark, outcome = true.get(view.name), _SETTLED.get(view.state)
            if mark is None or outcome is None or self._settled.get(view.name) == view.sequence:
                continue
            job = self._catalog.job(deployment_job(view.name, view.sequence))
            if job is not None and job.state not in FINISHED:
                self._catalog.finish_job(job.id, outcome, mark.code, view.detail, now())
            self._settled[view.name] = view.sequence
