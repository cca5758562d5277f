"""Tunings as they are asked for and looked up: each a wish in the store, with its report beside it once there is one."""

from collections.abc import Iterator, Sequence

from services.gateway.bases import require_base
from services.gateway.parts import Parts
from services.gateway.trials.prompts import keep, recorded
from shared import layout
from shared.clock import now
from shared.contracts.learning import DeploymentWish
from shared.contracts.tunings import TuningParameters, TuningPrompt, TuningReport, TuningView, TuningWish
from shared.errors import Conflict, NotFound, NotReady, Unsupported
from shared.ids import tuning_job
from shared.indexing import index_tuning
from shared.objects import Series, read_contract

SHOWN = 50
"""Tunings of a deployment that a list tells of, the newest."""


def ask_tuning(parts: Parts, name: str, asked: TuningParameters, prompts: Sequence[TuningPrompt] = ()) -> TuningView:
    """Ask for a deployment to be tuned, on these prompts or on recorded ones. Raises NotFound, Conflict, NotReady, Unsupported,
    NoPrompts, and LeaseHeld where somebody else asks for the same this moment."""
    if parts.catalog.deployment(name) is None:
        raise NotFound(f"There is no deployment {name!r}.")
    with parts.leases.hold(f"tuning:{name}"):
        sequence = _require_tunable(parts, name, asked)
        wish = TuningWish(deployment=name, sequence=sequence, parameters=asked, given=len(prompts), asked_at=now())
        if not prompts:
            recorded(parts, parts.records.running(name), asked.sample)
        number = Series(parts.store, layout.tunings(name)).append(wish)
        if prompts:
            keep(parts.store, tuning_job(name, number), prompts)
        index_tuning(parts.store, parts.catalog, name, number, wish)
    parts.tuning_woken.set()
    return tuning_of(parts, name, number)


def _require_tunable(parts: Parts, name: str, asked: TuningParameters) -> int:
    """The number of the wish that is tuned."""
    wish = parts.records.running(name)
    view = parts.catalog.deployment(name)
    if wish.canary is not None:
        raise Conflict(
            f"Deployment {name} has a canary: serve it to all (`lectern finish-canary {name}`) or call it off "
            f"(`lectern rollback {name}`), then tune what is served."
        )
    if view is None or view.state != "ready":
        told = f"{view.state}: {view.detail}" if view and view.detail else view.state if view else "not there yet"
        raise NotReady(f"Deployment {name} is {told}. Tune it once it is ready; `lectern deployments {name}` follows it.")
    if serves_by_llama(wish) and asked.draft is not None:
        raise Unsupported(f"{name} is a GGUF, which llama.cpp serves without speculation: tune it without a draft model.")
    if asked.draft is not None:
        require_base(parts.store, asked.draft)
    running = next(
        (one.id for one in parts.catalog.chores() if one.work.get("subject") == name and one.stage == "tuning"), None
    )
    if running is not None:
        raise Conflict(f"{name} is being tuned already: `lectern watch {running}` follows it, `lectern cancel` calls it off.")
    return view.sequence


def serves_by_llama(wish: DeploymentWish) -> bool:
    return wish.variant.startswith("gguf-")


def tunings_of(parts: Parts, name: str) -> Iterator[TuningView]:
    """The newest first."""
    series = Series(parts.store, layout.tunings(name))
    latest = series.latest(TuningWish)
    for number in range(latest[0] if latest else 0, 0, -1)[:SHOWN]:
        yield tuning_of(parts, name, number)


def tuning_of(parts: Parts, name: str, number: int) -> TuningView:
    """Raises NotFound."""
    wish = read_contract(parts.store, layout.entry(layout.tunings(name), number), TuningWish)
    if wish is None:
        raise NotFound(f"Deployment {name!r} has no tuning {number}.")
    report = read_contract(parts.store, layout.tuning_report(name, number), TuningReport)
    job = parts.catalog.job(tuning_job(name, number))
    told = {"state": job.state, "code": job.code, "detail": job.detail} if job else {"state": "done" if report else "queued"}
    return TuningView(number=number, wish=wish, job=tuning_job(name, number), report=report, **told)


def latest_tuning(parts: Parts, name: str) -> TuningView:
    """The one asked for last. Raises NotFound."""
    found = next(tunings_of(parts, name), None)
    if found is None:
        raise NotFound(f"Deployment {name!r} was never tuned: `lectern deploy --name {name} --tune` does.")
    return found
