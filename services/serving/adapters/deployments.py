"""The engines of a release on Kubernetes: a Deployment and a Service for each, found again by their labels.

Kubernetes starts engines, watches them and starts them again; here they are asked for, asked whether they answer, and let go.
"""

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from services.serving.adapters import llama_command
from services.serving.adapters.commands import address
from services.serving.adapters.draining import Leaving, still_asked
from services.serving.adapters.engine_api import EngineApi
from services.serving.adapters.launching import check_architecture
from services.serving.adapters.lora import Adapter
from services.serving.adapters.pod_adapters import bring_adapter
from services.serving.adapters.pod_template import port_of
from services.serving.settings import ServingSettings
from services.serving.stages.engine_pods import (
    BRINGING,
    Asked,
    EnginePods,
    Manifest,
    Patience,
    PodState,
    asked_of,
    engine_deployment,
    engine_service,
    is_leaving,
    is_misnamed,
    is_outdated,
    is_pod_of,
    is_proof,
    object_name,
    pod_selector,
    state_of,
)
from services.serving.stages.identity import EngineIdentity, Seat
from services.serving.stages.plan import Engine, EngineSpec, Problem
from shared.errors import InvalidInput, LecternError, Unavailable
from shared.kubernetes import Kind, KubernetesApi, KubernetesRefused
from shared.telemetry import log

_BY_CHART = "the chart does with serving.enginesOn=kubernetes"
DEPLOYMENTS = Kind("apps", "v1", "deployments", ("create", "get", "list", "update", "delete"), _BY_CHART)
SERVICES = Kind("", "v1", "services", ("create", "list"), _BY_CHART)
PODS = Kind("", "v1", "pods", ("list",), _BY_CHART)
CUT_OFF = "its node does not answer, nor does it"
SILENT = "it does not answer"
OUTSIDE = f"run serving in a pod whose account token is mounted ({_BY_CHART}), or set LECTERN_ENGINES_ON=machine"


@dataclass
class _Held:
    """What is remembered of a seat between two looks. All of it may be lost: it is found out again."""

    api: EngineApi
    life: str = ""
    """The start of its container that was seen to generate."""
    forgiven: int = 0
    """Restarts after which it was ready again."""
    forgiven_pods: int = 0
    """Pods that were ended before the one that was ready."""
    unheard: int = 0
    """Looks in a row at which it did not answer."""
    fetching: Problem | None = None
    """What is wrong with the container that fetches adapters."""
    adapters: frozenset[str] | None = None
    refused: dict[str, Problem] = field(default_factory=dict)
    leaving: Leaving | None = None
    waiting_since: float | None = None
    """When it began to wait for something, or for what is not known."""
    waits_for_known: bool = False


@dataclass
class _Refused:
    """An engine that Kubernetes would not make, or not make anew."""

    spec: EngineSpec
    problem: Problem
    failures: int
    retry_at: float

    @property
    def due(self) -> bool:
        return time.monotonic() >= self.retry_at


class DeployedEngines:
    """Engines as Deployments. No round waits for Kubernetes: one that finds it away is lost, and the next one tries again."""

    def __init__(self, api: KubernetesApi, pods: EnginePods, settings: ServingSettings) -> None:
        self._api = api
        self._pods = pods
        self._settings = settings
        self._patience = Patience(
            settings.start_timeout_seconds, settings.probe_timeout_seconds, settings.probe_failures
        )  # fmt: skip
        self._deployments: dict[Seat, Manifest] = {}
        self._held: dict[Seat, _Held] = {}
        self._unmade: dict[Seat, _Refused] = {}
        self._stuck: dict[Seat, _Refused] = {}
        """Engines that an upgrade should make anew and Kubernetes will not have so. They go on as they are."""
        self._proving: set[Seat] = set()
        """Engines that were ready before they were deleted to be made under another name."""

    def check(self, engine: EngineIdentity) -> None:
        """Raises Unsupported for what is not asked of such an engine; what its pod lacks, its pod says."""
        if engine.runtime == "llama.cpp":
            llama_command.check_asked(engine)

    def check_architecture(self, engine: EngineIdentity, model_type: str) -> None:
        """Raises Unsupported where such an engine cannot run a base of this kind."""
        check_architecture(self._settings, engine, model_type)

    def observe(self) -> dict[Seat, Engine]:
        """Each engine as it is now. Raises Unavailable where Kubernetes does not answer, KubernetesRefused."""
        self._deployments = self._found()
        services = self._api.find(SERVICES, self._pods.selector)
        addresses = {one["metadata"]["name"]: one["spec"]["clusterIP"] for one in services}
        pods = self._api.find(PODS, self._pods.selector)
        engines = {seat: self._observe(seat, one, addresses, pods) for seat, one in self._deployments.items()}
        self._forget(engines.keys())
        self._renew(engines)
        unmade = {seat: _down(one) for seat, one in self._unmade.items() if seat not in engines}
        return {**unmade, **engines}

    def start(self, seat: Seat, spec: EngineSpec) -> None:
        """Ask for an engine. What stands against it is kept as its problem, not raised."""
        asked = Asked.of(seat, spec)
        try:
            manifest = engine_deployment(asked, self._pods, self._patience, self._owner(), seat in self._proving)
            made = self._api.create(DEPLOYMENTS, manifest)
            if made is not None:
                self._expose(asked, made)
        except LecternError as error:
            self._unmade[seat] = told = self._refusal(self._unmade.get(seat), spec, error)
            log().warning("engine.not-made", engine=seat.name, code=error.code, detail=error.message, failures=told.failures)
        else:
            self._unmade.pop(seat, None)
            self._proving.discard(seat)
            self._drop(seat)
            log().info("engine.asked-for", engine=seat.name, deployment=object_name(self._pods, seat), stood=made is None)

    def stop(self, seat: Seat) -> bool:
        """Delete an engine once it has answered what it began. Returns whether it is gone: until then it is to be asked
        again. Raises Unavailable, KubernetesRefused."""
        self._unmade.pop(seat, None)
        self._proving.discard(seat)
        deployment = self._deployments.get(seat)
        if deployment is None:
            return True
        if not is_leaving(deployment) and not self._answers(seat):
            self._api.delete(DEPLOYMENTS, deployment["metadata"]["name"])
            log().info("engine.stopped", engine=seat.name)
        return False

    def load(self, seat: Seat, adapter: Adapter) -> None:
        """Have the pod fetch an adapter, and the engine load it; a refusal is kept and seen in the next observation. Raises
        Unavailable."""
        held, patience = self._held[seat], self._settings.start_timeout_seconds
        name = adapter.served_name
        try:
            directory = bring_adapter(
                held.api.host, adapter.stored, self._settings.engine_headers(), patience, self._settings.probe_timeout_seconds
            )
            held.api.load_adapter(name, directory, patience)
        except Unavailable:
            if held.fetching is None:
                raise
            held.refused[name] = held.fetching
        except LecternError as error:
            code = "adapter-refused" if isinstance(error, InvalidInput) else error.code
            held.refused[name] = Problem(code, error.message)
            log().warning("adapter.refused", engine=seat.name, adapter=name, detail=error.message)
        else:
            log().info("adapter.loaded", engine=seat.name, adapter=name)

    def unload(self, seat: Seat, adapter: str) -> None:
        """Unload an adapter, or forget that it was refused. Raises Unavailable."""
        held = self._held[seat]
        if held.refused.pop(adapter, None) is None:
            held.api.unload_adapter(adapter, self._settings.probe_timeout_seconds)
            log().info("adapter.unloaded", engine=seat.name, adapter=adapter)

    def _found(self) -> dict[Seat, Manifest]:
        found = {}
        for one in self._api.find(DEPLOYMENTS, self._pods.selector):
            asked = asked_of(one)
            if asked is not None:
                found[asked.seat] = one
            elif not is_leaving(one):  # Of an older version, which asked for it in other words.
                log().warning("engine.unknown", deployment=one["metadata"]["name"])
                with suppress(KubernetesRefused):  # It is told again by the next look.
                    self._api.delete(DEPLOYMENTS, one["metadata"]["name"])
        return found

    def _observe(
        self, seat: Seat, deployment: Manifest, addresses: Mapping[str, str], pods: Iterable[Manifest]
    ) -> Engine:  # fmt: skip
        asked = _known(deployment)
        if is_leaving(deployment):
            return Engine(asked.spec, "down", retry_due=False)
        name = deployment["metadata"]["name"]
        if name not in addresses:
            return self._exposed(asked, deployment)
        endpoint = address(addresses[name], port_of(self._pods, "engine"))
        mine = [pod for pod in pods if is_pod_of(pod, deployment)]
        held = self._hold(seat, endpoint)
        state = state_of(deployment, mine, held.forgiven, held.forgiven_pods)
        return self._looked_at(seat, asked.spec, endpoint, state)

    def _exposed(self, asked: Asked, deployment: Manifest) -> Engine:
        """An engine that has no Service yet. What stands against that is its own problem, and none of the others'."""
        try:
            self._expose(asked, deployment)
        except KubernetesRefused as error:
            return Engine(asked.spec, "down", problem=Problem(error.code, error.message), retry_due=False)
        return Engine(asked.spec, "starting")

    def _looked_at(self, seat: Seat, spec: EngineSpec, endpoint: str, state: PodState) -> Engine:
        held = self._hold(seat, endpoint)
        held.leaving = still_asked(held.leaving)
        if state.status == "failing":
            return Engine(spec, "down", endpoint, problem=state.problem, retry_due=False)
        if state.status == "waiting":
            return self._waiting(seat, Engine(spec, "starting", endpoint, waits_for=state.detail))
        if held.life != state.life and held.api.generates(spec.engine.served_name):
            _begin(held, state)
        if held.life != state.life and not state.is_cut_off:
            held.waiting_since = None  # Kubernetes ends one that does not come up in time.
            return Engine(spec, "starting", endpoint, waits_for=state.detail)
        return self._asked(seat, Engine(spec, "ready", endpoint), state)

    def _asked(self, seat: Seat, engine: Engine, state: PodState) -> Engine:
        """An engine that was seen to generate. It counts as ready until it has not answered for so many looks in a row; where
        its node is lost, until it does not answer."""
        held = self._held[seat]
        adapters = self._adapters(held)
        if held.unheard >= (1 if state.is_cut_off else self._settings.probe_failures):
            return self._waiting(seat, replace(engine, status="starting", waits_for=CUT_OFF if state.is_cut_off else SILENT))
        held.waiting_since = None
        if held.life != state.life or adapters is None:
            return replace(engine, status="starting")
        held.forgiven, held.forgiven_pods = state.restarts, state.ended
        if held.fetching != state.problem:
            held.refused = {name: why for name, why in held.refused.items() if why != held.fetching}
            held.fetching = state.problem
        return replace(engine, adapters=adapters, refused=dict(held.refused))

    def _waiting(self, seat: Seat, engine: Engine) -> Engine:
        """What is waited for longer than an engine may take to start is told as a failure; it is still waited for. Weights may
        take as long as they do."""
        held, moment, knows = self._held[seat], time.monotonic(), engine.waits_for is not None
        if held.waiting_since is None or held.waits_for_known != knows or engine.waits_for == BRINGING:
            held.waiting_since, held.waits_for_known = moment, knows
        if moment - held.waiting_since < self._settings.start_timeout_seconds:
            return engine
        selector = ",".join(f"{name}={value}" for name, value in pod_selector(seat, self._pods).items())
        why = engine.waits_for or f"its pod does not begin: see `kubectl describe pods --selector {selector}`"
        return replace(engine, status="down", problem=Problem("engine-failed", why), retry_due=False)

    def _adapters(self, held: _Held) -> frozenset[str] | None:
        """As last told: one that is too busy to tell is not guessed about."""
        try:
            held.adapters = frozenset(name for name, parent in held.api.models().items() if parent is not None)
            held.unheard = 0
        except Unavailable:
            held.unheard += 1
        return held.adapters

    def _hold(self, seat: Seat, endpoint: str) -> _Held:
        held = self._held.get(seat)
        if held is None or held.api.endpoint != endpoint:
            self._drop(seat)
            api = EngineApi(endpoint, self._settings.probe_timeout_seconds, self._settings.engine_headers())
            held = self._held[seat] = _Held(api)
        return held

    def _drop(self, seat: Seat) -> None:
        held = self._held.pop(seat, None)
        if held is not None:
            held.api.close()

    def _forget(self, seats: Iterable[Seat]) -> None:
        for seat in self._held.keys() - set(seats):
            self._drop(seat)
        for seat in self._stuck.keys() - set(seats):
            del self._stuck[seat]

    def _answers(self, seat: Seat) -> bool:
        """Whether an engine that is to go has requests, or may yet get one."""
        held = self._held.get(seat)
        if held is None or not held.life:
            return False
        moment = time.monotonic()
        held.leaving = held.leaving or Leaving(moment)
        return held.leaving.answers(held.api.requests(), moment, self._settings.drain_timeout_seconds)

    def _renew(self, engines: dict[Seat, Engine]) -> None:
        """After an upgrade of the release, make one pod anew at a time, of the new template, after it answered what it began.
        The next one waits until that is ready again, so that what is wrong with the template reaches no second engine; what
        was not ready before holds up nobody, nor does one that Kubernetes will not have so, which goes on as it is."""
        outdated = [seat for seat, one in self._deployments.items() if self._is_outdated(seat) and not is_leaving(one)]
        current = {seat: one for seat, one in self._deployments.items() if seat not in outdated}
        proofs = [seat for seat, one in current.items() if is_proof(one, self._pods)]
        waits = any(engines[seat].status == "starting" for seat in current) or self._proving & self._unmade.keys()
        due = [seat for seat in outdated if seat not in self._stuck or self._stuck[seat].due]
        if not due or waits or any(engines[seat].status != "ready" for seat in proofs):
            return
        seat = min(due, key=lambda one: (engines[one].status == "ready", one.name))
        try:
            self._make_anew(seat, engines[seat].status == "ready")
        except LecternError as error:
            self._stuck[seat] = told = self._refusal(self._stuck.get(seat), engines[seat].spec, error)
            log().warning("engine.not-renewed", engine=seat.name, detail=error.message, failures=told.failures)
        else:
            waits_for = "its pod is made anew for the upgraded release"
            engines[seat] = replace(engines[seat], status="starting", waits_for=waits_for)

    def _make_anew(self, seat: Seat, was_ready: bool) -> None:
        """It is asked to end once Kubernetes said that it would have it as it is to be. Raises Unavailable,
        KubernetesRefused."""
        standing = self._deployments[seat]
        manifest = engine_deployment(_known(standing), self._pods, self._patience, self._owner(), was_ready)
        misnamed = is_misnamed(seat, standing, self._pods)
        if misnamed:
            self._api.create(DEPLOYMENTS, manifest, dry_run=True)
        else:
            manifest["metadata"]["resourceVersion"] = standing["metadata"]["resourceVersion"]
            self._api.replace(DEPLOYMENTS, manifest, dry_run=True)
        if self._answers(seat):
            return
        if misnamed:
            self._rename(seat, was_ready)
        else:
            self._replace(seat, manifest)
        self._stuck.pop(seat, None)

    def _is_outdated(self, seat: Seat) -> bool:
        standing = self._deployments[seat]
        return is_outdated(standing, self._pods) or is_misnamed(seat, standing, self._pods)

    def _replace(self, seat: Seat, manifest: Manifest) -> None:
        if self._api.replace(DEPLOYMENTS, manifest):
            self._drop(seat)
            log().info("engine.renewed", engine=seat.name)

    def _rename(self, seat: Seat, was_ready: bool) -> None:
        """No object of Kubernetes can be: it is deleted, and is asked for again once it is gone."""
        name = self._deployments[seat]["metadata"]["name"]
        self._api.delete(DEPLOYMENTS, name)
        if was_ready:
            self._proving.add(seat)
        log().info("engine.renamed", engine=seat.name, deployment=name)

    def _expose(self, asked: Asked, deployment: Manifest) -> None:
        self._api.create(SERVICES, engine_service(asked, self._pods, deployment["metadata"]["uid"]))

    def _owner(self) -> str | None:
        """The id of the Deployment that engines go with. Raises Unavailable where it is not there, or on its way out."""
        if self._pods.owner is None:
            return None
        found = self._api.get(DEPLOYMENTS, self._pods.owner)
        if found is None or is_leaving(found):
            raise Unavailable(f"there is no Deployment {self._pods.owner}, with which its engines are to go")
        return str(found["metadata"]["uid"])

    def _refusal(self, before: _Refused | None, spec: EngineSpec, error: LecternError) -> _Refused:
        failures = before.failures + 1 if before is not None else 1
        wait = min(self._settings.retry_base_seconds * 2 ** (failures - 1), self._settings.max_back_off_seconds)
        return _Refused(spec, Problem(error.code, error.message), failures, time.monotonic() + wait)


def _down(unmade: _Refused) -> Engine:
    told = unmade.problem if unmade.problem.code == KubernetesRefused.code or unmade.failures > 2 else None
    return Engine(unmade.spec, "down", problem=told, retry_due=unmade.due)


def _known(deployment: Manifest) -> Asked:
    asked = asked_of(deployment)
    assert asked is not None, "those that cannot be read were left out"
    return asked


def _begin(held: _Held, state: PodState) -> None:
    """Another start of its container: of adapters it knows nothing, nor what it would refuse now."""
    held.life, held.adapters, held.refused, held.unheard = state.life, None, {}, 0
