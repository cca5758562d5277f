"""Where a setting is tried: a deployment of its own, known to the catalog alone, that no client is offered and no store holds.

Whatever serves models brings it up as any other, and lets it go when its row is gone.
"""

import secrets
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from shared.catalog.protocol import Catalog
from shared.clock import now
from shared.contracts.learning import DeploymentWish
from shared.contracts.tunings import Setting
from shared.contracts.views import DeploymentView
from shared.errors import LeaseHeld, LecternError
from shared.ids import trial_name

READY_SECONDS = 900.0
"""Longest that a setting may take to come up. An engine is given up before that by those who start it."""
GONE_SECONDS = 60.0
PROBE_SECONDS = 2.0


class NeverReady(LecternError):
    """A setting did not come up."""

    code = "never-ready"


class LetGo(LeaseHeld):
    """The gateway is being stopped, or another took the work up: it is begun again."""


@dataclass(slots=True)
class TrialPlace:
    """One trial after another of one deployment. `doing` is told what is waited for, and may raise. `left` are endpoints of the
    trial before, whose engine may be up yet."""

    catalog: Catalog
    deployment: str
    poll_seconds: float
    doing: Callable[[str], None]
    left: Collection[str] = ()

    @contextmanager
    def up(self, standing: DeploymentWish, setting: Setting) -> Iterator[DeploymentView]:
        """The deployment with another setting, ready, until the context ends. Raises NeverReady, LetGo."""
        self._await_gone()
        sequence = secrets.randbelow(1 << 31)
        self.catalog.put_deployment(sequence, trial_wish(standing, setting))
        try:
            yield self._await_ready(sequence)
            if self._seen(sequence) is None:
                raise LetGo("another gateway took this tuning up")
        finally:
            self._seen(sequence)
            self.catalog.drop_trial(trial_name(self.deployment), sequence)

    def _seen(self, sequence: int) -> DeploymentView | None:
        """Its row, where it is not another's. Remembers where its engine was, however the trial ends."""
        view = self.catalog.deployment(trial_name(self.deployment))
        if view is None or view.sequence != sequence:
            return None
        self.left = {*self.left, *view.endpoints}
        return view

    def _await_ready(self, sequence: int) -> DeploymentView:
        deadline = time.monotonic() + READY_SECONDS
        while True:
            view = self._seen(sequence)
            if view is None:
                raise LetGo("another gateway took this tuning up")
            if view.state == "ready":
                return view
            if view.state == "failed":
                raise NeverReady(view.detail or "it failed: see `lectern logs serving`")
            if time.monotonic() > deadline:
                raise NeverReady(f"it was not ready within {READY_SECONDS:.0f} s: see `lectern logs serving`")
            self.doing(view.detail or "waiting for the serving service")
            time.sleep(self.poll_seconds)

    def _await_gone(self) -> None:
        """So that engines' memory adds up by one and not by two. An engine that another deployment has too stays."""
        deadline = time.monotonic() + GONE_SECONDS
        used = {endpoint for view in self.catalog.deployments() for endpoint in view.endpoints}
        left, self.left = [endpoint for endpoint in self.left if endpoint not in used], ()
        while any(map(_answers, left)) and time.monotonic() < deadline:
            self.doing("letting the engine go that was tried before")
            time.sleep(self.poll_seconds)


def trial_wish(standing: DeploymentWish, setting: Setting) -> DeploymentWish:
    """What stands, alone and once, with another setting, under a trial's name."""
    told = {"name": trial_name(standing.name), "replicas": 1, "wished_at": now()}
    return standing.alone.model_copy(update={**setting.wished, **told})


def setting_of(wish: DeploymentWish) -> Setting:
    return Setting(speculation=wish.speculation, engine_arguments=wish.engine_arguments)


def _answers(endpoint: str) -> bool:
    url = f"{endpoint.rstrip('/').removesuffix('/v1')}/health"
    try:
        return httpx.get(url, timeout=PROBE_SECONDS, trust_env=False).is_success
    except httpx.HTTPError:
        return False
