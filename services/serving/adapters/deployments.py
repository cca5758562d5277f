"""The engines of a release on Kubernetes: a Deployment and a Service for each, found again by their labels.

Kubernetes starts engines, watches them and starts them again; here they are asked for, asked whether they answer, and let go.
"""

import json
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from services.serving.adapters import llama_command
from services.serving.adapters.commands import address
from services.serving.adapters.draining import Leaving, still_asked
from services.serving.adapters.engine_api import EngineApi
from services.serving.adapters.launching import check_architecture
from services.serving.adapters.lora import Adapter
from services.serving.adapters.pod_adapters import bring_adapter
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
    is_outdated,
    is_pod_of,
    is_proof,
    object_name,
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
OUTSIDE = f"run serving in a pod whose account token is mounted ({_BY_CHART}), or set LECTERN_ENGINES_ON=machine"


@dataclass
class _Held:
    """What is remembered of a seat between two looks. All of it may be lost: it is found out again."""

    api: EngineApi
    life: str = ""
    """The start of its container that gave a token."""
    forgiven: int = 0
    """Restarts after which it was ready again."""
    adapters: frozenset[str] | None = None
    refused: dict[str, Problem] = field(default_factory=dict)
    leaving: Leaving | None = None
    waiting_since: float | None = None


@dataclass
class _Unmade:
    """An engine that Kubernetes would not make."""

    spec: EngineSpec
    problem: Problem
    failures: int
    retry_at: float


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
        self._unmade: dict[Seat, _Unmade] = {}

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
            made = self._api.create(DEPLOYMENTS, engine_deployment(asked, self._pods, self._patience, self._owner()))
            if made is not None:
                self._expose(asked, made)
        except LecternError as error:
            self._not_made(seat, spec, error)
        else:
            self._unmade.pop(seat, None)
            self._held.pop(seat, None)
            log().info("engine.asked-for", engine=seat.name, deployment=object_name(self._pods, seat), stood=made is None)

    def stop(self, seat: Seat) -> bool:
        """Delete an engine once it has answered what it began. Returns whether it is gone: until then it is to be asked
        again."""
        self._unmade.pop(seat, None)
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
            raise
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
            self._expose(asked, deployment)
            return Engine(asked.spec, "starting")
        endpoint = address(addresses[name], _port(self._pods, "engine"))
        mine = [pod for pod in pods if is_pod_of(pod, deployment)]
        state = state_of(deployment, mine, self._hold(seat, endpoint).forgiven)
        return self._looked_at(seat, asked.spec, endpoint, state)

    def _looked_at(self, seat: Seat, spec: EngineSpec, endpoint: str, state: PodState) -> Engine:
        held = self._hold(seat, endpoint)
        held.leaving = still_asked(held.leaving)
        if state.status == "failing":
            return Engine(spec, "down", endpoint, problem=state.problem, retry_due=False)
        if state.status == "waiting":
            return self._waiting(held, Engine(spec, "starting", endpoint, waits_for=state.detail))
        held.waiting_since = None
        if held.life != state.life and held.api.is_healthy() and held.api.gives_a_token(spec.engine.served_name):
            held.life, held.adapters = state.life, None
        if held.life != state.life or self._adapters(held) is None:
            return Engine(spec, "starting", endpoint)
        held.forgiven = state.restarts
        return Engine(spec, "ready", endpoint, held.adapters or frozenset(), dict(held.refused))

    def _waiting(self, held: _Held, engine: Engine) -> Engine:
        """A pod that no node takes for longer than an engine may take to start is told as a failure; it is still waited for."""
        moment = time.monotonic()
        held.waiting_since = held.waiting_since or moment
        if engine.waits_for in (None, BRINGING) or moment - held.waiting_since < self._settings.start_timeout_seconds:
            return engine
        return replace(engine, status="down", problem=Problem("engine-failed", str(engine.waits_for)), retry_due=False)

    def _adapters(self, held: _Held) -> frozenset[str] | None:
        """As last told: one that is too busy to tell is not guessed about."""
        with suppress(Unavailable):
            held.adapters = frozenset(name for name, parent in held.api.models().items() if parent is not None)
        return held.adapters

    def _hold(self, seat: Seat, endpoint: str) -> _Held:
        held = self._held.get(seat)
        if held is None or held.api.endpoint != endpoint:
            api = EngineApi(endpoint, self._settings.probe_timeout_seconds, self._settings.engine_headers())
            held = self._held[seat] = _Held(api)
        return held

    def _forget(self, seats: Iterable[Seat]) -> None:
        for seat in self._held.keys() - set(seats):
            self._held.pop(seat).api.close()

    def _answers(self, seat: Seat) -> bool:
        """Whether an engine that is to go has requests, or may yet get one."""
        held = self._held.get(seat)
        if held is None or not held.life:
            return False
        moment = time.monotonic()
        held.leaving = held.leaving or Leaving(moment)
        return held.leaving.answers(_requests(held.api), moment, self._settings.drain_timeout_seconds)

    def _renew(self, engines: dict[Seat, Engine]) -> None:
        """After an upgrade of the release, make one pod anew at a time, of the new template, after it answered what it began.
        The next one waits until that is ready again, so that what is wrong with the template reaches no second engine; what
        was not ready before holds up nobody."""
        outdated = [seat for seat, one in self._deployments.items() if is_outdated(one, self._pods) and not is_leaving(one)]
        current = {seat: one for seat, one in self._deployments.items() if seat not in outdated}
        proofs = [seat for seat, one in current.items() if is_proof(one, self._pods)]
        waits = any(engines[seat].status == "starting" for seat in current)
        if not outdated or waits or any(engines[seat].status != "ready" for seat in proofs):
            return
        seat = min(outdated, key=lambda one: (engines[one].status == "ready", one.name))
        was_ready = engines[seat].status == "ready"
        engines[seat] = replace(engines[seat], status="starting", waits_for="its pod is made anew for the upgraded release")
        if not self._answers(seat):
            self._replace(seat, was_ready)

    def _replace(self, seat: Seat, was_ready: bool) -> None:
        standing = self._deployments[seat]
        manifest = engine_deployment(_known(standing), self._pods, self._patience, self._owner(), was_ready)
        manifest["metadata"]["resourceVersion"] = standing["metadata"]["resourceVersion"]
        if self._api.replace(DEPLOYMENTS, manifest):
            self._held.pop(seat, None)
            log().info("engine.renewed", engine=seat.name)

    def _expose(self, asked: Asked, deployment: Manifest) -> None:
        self._api.create(SERVICES, engine_service(asked, self._pods, deployment["metadata"]["uid"]))

    def _owner(self) -> str | None:
        """The id of the Deployment that engines go with. Raises NotFound where it is not there."""
        if self._pods.owner is None:
            return None
        found = self._api.get(DEPLOYMENTS, self._pods.owner)
        if found is None:
            raise Unavailable(f"there is no Deployment {self._pods.owner}, with which its engines are to go")
        return str(found["metadata"]["uid"])

    def _not_made(self, seat: Seat, spec: EngineSpec, error: LecternError) -> None:
        failures = self._unmade[seat].failures + 1 if seat in self._unmade else 1
        wait = min(self._settings.retry_base_seconds * 2 ** (failures - 1), self._settings.max_back_off_seconds)
        self._unmade[seat] = _Unmade(spec, Problem(error.code, error.message), failures, time.monotonic() + wait)
        log().warning("engine.not-made", engine=seat.name, code=error.code, detail=error.message, failures=failures)


def _down(unmade: _Unmade) -> Engine:
    due = time.monotonic() >= unmade.retry_at
    told = unmade.problem if unmade.problem.code == KubernetesRefused.code or unmade.failures > 2 else None
    return Engine(unmade.spec, "down", problem=told, retry_due=due)


def _known(deployment: Manifest) -> Asked:
    asked = asked_of(deployment)
    assert asked is not None, "those that cannot be read were left out"
    return asked


def _requests(api: EngineApi) -> int | None:
    try:
        return api.requests()
    except Unavailable:
        return None


def _port(pods: EnginePods, name: str) -> int:
    ports = [port for one in pods.template["spec"]["containers"] for port in one["ports"]]
    return int(next(one["containerPort"] for one in ports if one["name"] == name))


def read_pods(path: Path) -> EnginePods:
    """What the chart wrote. Raises InvalidInput where there is none."""
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
        template = found["template"]
        names = {one["name"] for one in [*template["spec"]["initContainers"], *template["spec"]["containers"]]}
        if not {"weights", "engine", "adapters"} <= names:
            raise ValueError("a container lacks")
        return EnginePods(str(found["name"]), found.get("owner"), template)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(
            f"{path} holds no template of an engine's pod (JSON with name and template, and in it the containers weights, "
            "engine and adapters): the chart writes it where serving.enginesOn is kubernetes; elsewhere, write the file and "
            "name it in LECTERN_ENGINE_POD, or set LECTERN_ENGINES_ON=machine"
        ) from error
