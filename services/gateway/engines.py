"""Which engine answers for the model that a client names: a deployment, a tuned model, or a base model.

A deployment's row points at the replicas of an engine that answer and at the engine's own name for a model. While a new
wish is being brought about the row goes on pointing at what was served before, so a deployment answers by its name without
a gap. A model's own name promises that very model, so only a row that is ready with it counts. Where a deployment has a
canary, a share of those who ask by its name is given that, the same ones each time.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.contracts.learning import DatasetParameters, Model
from shared.contracts.views import DeploymentView
from shared.errors import LecternError
from shared.ids import is_export_name

ModelOf = Callable[[str], Model | None]


class UnknownModel(LecternError):
    """Nothing that is deployed goes by that name."""

    code = "model-not-found"


class EngineNotReady(LecternError):
    """What goes by that name is not serving just now."""

    code = "model-not-ready"
    retryable = True


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes, to any of `urls`: the engine's own name stands in for the one `asked` for on the way there, and
    back again. `template` is the one that a tuned model was trained on; `base` is the model under it, whose tokenizer it has;
    `version` is the tuned model, or the base alone, that answers."""

    asked: str
    urls: tuple[str, ...]
    served: str
    template: str | None
    base: str
    version: str


def find_target(asked: str, deployments: list[DeploymentView], model_of: ModelOf, asker: str = "") -> Target:
    """Raises UnknownModel, EngineNotReady. `model_of` looks a tuned model up by id. `asker` is whoever is to be given the same
    version each time."""
    for view in deployments:
        if view.name == asked and view.wish.state == "running":
            return _target(asked, _drawn(view, asker), model_of)
    wanted = [face for view in deployments if view.wish.state == "running" for face in _faces(view)]
    tuned = [view for view in wanted if _is_of(view, asked, model_of)]
    if tuned:
        return _target(asked, max(_ready(asked, tuned), key=lambda view: _meant(view, model_of)), model_of)
    based = [view for view in wanted if view.wish.base == asked and view.wish.export is None]
    if based:
        # An engine that serves an adapter serves its base too, under the base's own name.
        return Target(asked, _urls(_ready(asked, based)[0]), asked, None, asked, asked)
    raise UnknownModel(
        f"No deployment serves {asked!r}; `GET /v1/models` lists what can be asked, `lectern deploy` adds to it."
    )


def offered(deployments: list[DeploymentView], model_of: ModelOf) -> Iterator[dict[str, Any]]:
    """OpenAI's model objects for every name that `find_target` finds a target for, each once."""
    told: set[str] = set()
    for view in deployments:
        for name in (name for face in _faces(view) for name in _names(face, model_of)):
            if name not in told:
                told.add(name)
                yield {"id": name, "object": "model", "created": _seconds(view.updated_at), "owned_by": "lectern"}


def _faces(view: DeploymentView) -> Iterator[DeploymentView]:
    """A deployment as most see it, and as its canary has it."""
    yield view
    canary = _face(view)
    if canary is not None:
        yield canary


def _face(view: DeploymentView) -> DeploymentView | None:
    wish, seen = view.wish.of_canary, view.canary
    if wish is None or seen is None:
        return None
    observed = {name: getattr(seen, name) for name in ("state", "detail", "endpoints", "served_model", "serves")}
    return view.model_copy(update={"wish": wish, "canary": None, **observed})


def _drawn(view: DeploymentView, asker: str) -> DeploymentView:
    """The deployment, or its canary for so many askers in a hundred, as far as that is there. Other askers are drawn for the
    next canary, so that nobody has to try them all."""
    canary = _face(view)
    if canary is None or view.wish.canary is None or not _points(canary):
        return view
    lot = hashlib.sha256(f"{view.name}\n{view.wish.canary.model}\n{asker}".encode()).digest()
    return canary if int.from_bytes(lot[:8], "big") % 100 < view.wish.canary.percent else view


def _names(view: DeploymentView, model_of: ModelOf) -> Iterator[str]:
    if view.wish.state != "running" or not _points(view):
        return
    yield view.name
    if view.state != "ready":
        return
    model = model_of(view.wish.model) if view.wish.model else None
    if model is not None:
        yield from (model.id, model.name)
    if view.wish.export is None:
        yield view.wish.base


def _points(view: DeploymentView) -> bool:
    return bool(view.endpoints) and view.served_model is not None


def _ready(asked: str, views: list[DeploymentView]) -> list[DeploymentView]:
    ready = [view for view in views if view.state == "ready" and _points(view)]
    if not ready:
        raise _not_ready(asked, views[0])
    return ready


def _not_ready(asked: str, view: DeploymentView) -> EngineNotReady:
    told = f"{view.state} ({view.detail})" if view.detail else view.state
    return EngineNotReady(f"{asked} does not answer yet: deployment {view.name} is {told}. `lectern status` follows it.")


def _is_of(view: DeploymentView, asked: str, model_of: ModelOf) -> bool:
    if view.wish.model is None or view.wish.model == asked:
        return view.wish.model == asked
    model = model_of(view.wish.model)
    return model is not None and model.name == asked


def _meant(view: DeploymentView, model_of: ModelOf) -> tuple[str, bool]:
    """The newest version counts; of one version the adapter before what was made of it."""
    model = model_of(view.wish.model or "")
    return model.created_at if model else "", view.wish.export is None


def _target(asked: str, view: DeploymentView, model_of: ModelOf) -> Target:
    if view.served_model is None or not view.endpoints:
        raise _not_ready(asked, view)
    version = view.serves or view.wish.model or view.wish.base
    return Target(asked, _urls(view), view.served_model, _template(view, version, model_of), view.wish.base, version)


def _template(view: DeploymentView, version: str, model_of: ModelOf) -> str | None:
    if view.served_model == view.wish.base or is_export_name(view.served_model):
        return None  # An export has its template in its tokenizer.
    model = model_of(version)
    # Without one, what is served is the adapter of an earlier wish, and its model is gone.
    return model.template if model else DatasetParameters().template


def _urls(view: DeploymentView) -> tuple[str, ...]:
    return tuple(endpoint.rstrip("/").removesuffix("/v1") for endpoint in view.endpoints)


def _seconds(at: str) -> int:
    return int(datetime.fromisoformat(at).timestamp())
