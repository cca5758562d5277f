"""The reconciliation loop: read wishes, look at what runs, plan, act, tell; again and again."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from threading import Event
from typing import Protocol

from services.serving.adapters.lora import Adapter
from services.serving.stages.architectures import WITHOUT_ADAPTERS
from services.serving.stages.identity import EngineIdentity, Seat
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
from shared.contracts.engines import DraftSpeculation
from shared.contracts.learning import DeploymentWish, Model
from shared.contracts.views import FINISHED, DeploymentView, Standing
from shared.contracts.work import Progress
from shared.errors import InvalidInput, LecternError, NotFound, Unsupported
from shared.ids import deployment_job
from shared.telemetry import log

_STEPS = 3
_CANARY = "+canary"


class Engines(Protocol):
    """What runs engines, of vLLM or of llama.cpp: child processes here, or Deployments on Kubernetes. What is asked of one
    raises LecternError where it cannot be done now, and is asked again by the next round."""

    def check(self, engine: EngineIdentity) -> None:
        """Raises Unsupported where no such engine can run here."""
        ...

    def check_architecture(self, engine: EngineIdentity, model_type: str) -> None:
        """Raises Unsupported where such an engine cannot run a base of this kind."""
        ...

    def observe(self) -> Mapping[Seat, Engine]: ...
    def start(self, seat: Seat, spec: EngineSpec) -> None: ...
    def stop(self, seat: Seat) -> bool:
        """Whether it is gone: one that still answers requests is not, and is to be asked again."""
        ...

    def load(self, seat: Seat, adapter: Adapter) -> None: ...
    def unload(self, seat: Seat, adapter: str) -> None: ...


class Adapters(Protocol):
    """What knows models' adapters, and has them where engines can load them. Raises LecternError."""

    def fetch(self, model: Model) -> Adapter: ...


class Bases(Protocol):
    """What knows base models. Raises LecternError."""

    def context_limit(self, base: str) -> int | None: ...
    def model_type(self, base: str) -> str: ...
    def vocabulary(self, base: str) -> Mapping[str, int] | None: ...


class Exports(Protocol):
    """What knows exports. Raises LecternError where one is not to be had."""

    def check(self, key: str) -> None: ...


class Controller:
    """Brings what runs to what is wished for."""

    def __init__(self, catalog: Catalog, engines: Engines, bases: Bases, adapters: Adapters, exports: Exports) -> None:
        self._catalog = catalog
        self._engines = engines
        self._bases = bases
        self._adapters = adapters
        self._exports = exports
        self._found: dict[str, Adapter] = {}
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
        views = self._catalog.deployments(trials=True)
        desired = [self._wanted(target, wish) for target, wish in _targets(views)]
        rows = dict(_rows(views))
        observed = Observed(rows, self._engines.observe())
        self._settle(views, desired, observed)
        actions = plan(desired, observed)
        sequences = {view.name: view.sequence for view in views}
        acted = [self._apply(action, sequences) for action in actions]
        return any(acted)

    def _wanted(self, target: str, wish: DeploymentWish) -> Wanted:
        """The wish with all that it takes found out. What is wrong with one deployment must not reach the engine that it
        would share with others."""
        engine = EngineIdentity(
            base=wish.base, variant=wish.variant, export=wish.export, speculation=wish.speculation,
            arguments=wish.engine_arguments,
        )  # fmt: skip
        try:
            self._engines.check(engine)  # Before anything is fetched for an engine that cannot be.
            model_type = self._bases.model_type(wish.base)
            self._engines.check_architecture(engine, model_type)
            self._check_context(wish.base, wish.context_tokens)
            self._check_speculation(wish, engine)
            if wish.export is not None:
                self._exports.check(wish.export)
            alone = wish.export is not None or model_type in WITHOUT_ADAPTERS
            adapter = self._adapter(wish.model, model_type) if wish.model and wish.export is None else None
        except LecternError as error:
            return Wanted(target, engine, problem=Problem(error.code, error.message))
        found = Wanted(target, engine, None, None if alone else 0, wish.context_tokens, wish.model or wish.base)
        if adapter is not None:
            self._found[adapter.served_name] = adapter
            found = replace(found, adapter=adapter.served_name, lora_rank=adapter.rank)
        return replace(found, replicas=wish.replicas)

    def _adapter(self, model: str, model_type: str) -> Adapter:
        found = self._model(model)
        if model_type in WITHOUT_ADAPTERS:
            raise Unsupported(
                f"vLLM applies no adapters to bases of the kind {model_type}: `lectern export {model} --variant merged --wait` "
                "makes what it takes, `lectern deploy` with `--variant merged` serves it"
            )
        return self._adapters.fetch(found)

    def _model(self, name: str) -> Model:
        model = self._catalog.model(name)
        if model is None:
            raise NotFound(f"there is no model {name}: see `lectern status` for those there are")
        return model

    def _check_context(self, base: str, tokens: int) -> None:
        limit = self._bases.context_limit(base)
        if limit is not None and tokens > limit:
            raise InvalidInput(f"{base} takes contexts of up to {limit} tokens, not {tokens}: deploy it with fewer")

    def _check_speculation(self, wish: DeploymentWish, engine: EngineIdentity) -> None:
        """What a draft model guesses are numbers of tokens: they have to mean the same to the model that checks them."""
        if wish.speculation is not None and engine.runtime != "vllm":
            raise Unsupported(f"{engine.runtime} is started without speculation here: leave it out, or serve another variant")
        if not isinstance(wish.speculation, DraftSpeculation):
            return
        draft, base = wish.speculation.model, wish.base
        if self._bases.vocabulary(draft) != self._bases.vocabulary(base):
            raise InvalidInput(
                f"{draft} has another vocabulary than {base}, so it cannot guess its tokens: name one that has the same"
            )

    def _apply(self, action: Action, sequences: Mapping[str, int]) -> bool:
        """Whether it was done: an engine that has requests to answer is not stopped yet, one that is not there to be asked is
        seen to be gone by the next look, and what is refused is asked for again. What befalls one is no reason to leave the
        others alone."""
        if isinstance(action, Mark):
            self._mark(action, sequences[_deployment(action.name)])
            return True
        try:
            return self._act(action)
        except LecternError as error:
            log().warning(
                "action.failed", action=type(action).__name__, engine=action.seat.name, code=error.code, detail=error.message
            )
            return False

    def _act(self, action: StartEngine | StopEngine | LoadAdapter | UnloadAdapter) -> bool:
        match action:
            case StartEngine(seat, spec):
                self._engines.start(seat, spec)
            case StopEngine(seat):
                return self._engines.stop(seat)
            case LoadAdapter(seat, adapter):
                self._engines.load(seat, self._found[adapter])
            case UnloadAdapter(seat, adapter):
                self._engines.unload(seat, adapter)
        return True

    def _mark(self, mark: Mark, sequence: int) -> None:
        row, name = mark.row, _deployment(mark.name)
        self._settled.pop(name, None)  # a catalog that was rebuilt knows the job as one that waits
        if name == mark.name:
            self._catalog.observe_deployment(name, **asdict(row), sequence=sequence)
        else:
            gone = row.state == "stopped"
            self._catalog.observe_canary(name, None if gone else Standing.model_validate(asdict(row)))
        log().info("deployment.marked", deployment=mark.name, state=row.state, detail=row.detail, code=mark.code)
        if mark.ends is None and row.detail is not None:
            done = 1 if row.state == "starting" and row.detail != LOADING else 2
            self._tell(
                deployment_job(name, sequence), Progress(done=done, total=_STEPS, unit="step", fields={"doing": row.detail})
            )

    def _tell(self, job: str, progress: Progress) -> None:
        """Those who wait for a deployment; what becomes of it later is in its row alone."""
        found = self._catalog.job(job)
        if found is not None and found.state not in FINISHED:
            self._catalog.touch(job, progress)

    def _settle(self, views: Sequence[DeploymentView], desired: Sequence[Wanted], observed: Observed) -> None:
        """Finish the jobs of deployments whose rows say how it ended and are true. Done a round after the row was
        written, so that whoever waits for the job finds the row as the job says."""
        true = {mark.name: mark for mark in verdicts(desired, observed) if mark.row == observed.rows[mark.name]}
        for view in views:
            marks = [true.get(target) for target in _of(view)]
            ends = [mark for mark in marks if mark is not None and mark.ends is not None]
            if len(ends) < len(marks) or self._settled.get(view.name) == view.sequence:
                continue
            told = next((mark for mark in ends if mark.ends == "failed"), ends[0])
            job = self._catalog.job(deployment_job(view.name, view.sequence))
            if job is not None and job.state not in FINISHED and told.ends is not None:
                self._catalog.finish_job(job.id, told.ends, told.code, told.row.detail, now())
            self._settled[view.name] = view.sequence


def _canary(name: str) -> str:
    """What the plan calls a deployment's canary: no deployment can be called so."""
    return name + _CANARY


def _deployment(target: str) -> str:
    return target.removesuffix(_CANARY)


def _of(view: DeploymentView) -> Iterator[str]:
    """The plan's targets that a deployment comes to."""
    yield view.name
    if view.canary is not None:
        yield _canary(view.name)


def _targets(views: Sequence[DeploymentView]) -> Iterator[tuple[str, DeploymentWish]]:
    """What should run: a canary is a target like the deployment that it belongs to."""
    for view in views:
        if view.wish.state == "running":
            yield view.name, view.wish
            if view.wish.of_canary is not None:
                yield _canary(view.name), view.wish.of_canary


def _rows(views: Sequence[DeploymentView]) -> Iterator[tuple[str, Row]]:
    for view in views:
        yield view.name, _row(view)
        if view.canary is not None:
            yield _canary(view.name), _row(view.canary)


def _row(seen: DeploymentView | Standing) -> Row:
    return Row(seen.state, seen.detail, seen.endpoints, seen.served_model, seen.serves)
