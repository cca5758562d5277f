"""The forgetting report of a model, and the gate that it stands at when it is promoted."""

from pydantic import Field

from services.gateway.lineage import all_runs, ancestors
from services.gateway.parts import Parts
from shared.clock import now
from shared.contracts.base import Contract
from shared.contracts.learning import Model
from shared.contracts.retention import ForgettingReport, Promotion
from shared.errors import InvalidInput, NotFound, NotReady
from shared.retention import forgetting_report, promotion_of
from shared.reward_wishes import require_answers


class PromotionRequest(Contract):
    """On which terms a version is promoted."""

    max_forgetting: float | None = Field(
        None, ge=0, description="Greatest rise of loss on any held-out set, in nats; the configured one where left out."
    )
    force: bool = Field(False, description="Promote it whatever it forgot. Needs a reason.")
    reason: str = Field("", max_length=500, description="Kept with the promotion.")


def model_of(parts: Parts, name: str) -> Model:
    """By id, or the newest of a name. Raises NotFound, IsRewardModel."""
    found = parts.catalog.model(name)
    if found is None:
        require_answers(parts.catalog, name)
        raise NotFound(f"There is no tuned model {name!r}.")
    return found


def starting_from(parts: Parts, name: str) -> Model:
    """The model that a run is to start from. Raises NotFound, NotReady where it is still being made."""
    try:
        return model_of(parts, meant(parts, name))
    except NotFound:
        making = next((one for one in all_runs(parts.catalog) if name in (one.id, one.wish.name)), None)
        if making is None:
            raise
        raise NotReady(
            f"There is no model {name!r} to start from: its run {making.id} is {making.state}. Watch it with "
            f"`lectern watch {making.job}`, and start from its model when it is done."
        ) from None


def meant(parts: Parts, name: str) -> str:
    """The version that a name means: the promoted one where there is one, else the name itself."""
    promoted = parts.catalog.promotions([name]).get(name)
    return promoted.model if promoted else name


def report_of(parts: Parts, name: str) -> ForgettingReport:
    """Of a version beside the earlier ones of its name on the same base, and the models that it came from. Raises NotFound,
    NotReady."""
    model = model_of(parts, name)
    versions = parts.catalog.versions(model.name)
    earlier = versions[: next(at for at, one in enumerate(versions) if one.id == model.id)]
    before = {one.id: one for one in (*ancestors(parts.catalog, model), *earlier) if one.base == model.base}
    return forgetting_report([*sorted(before.values(), key=lambda one: (one.created_at, one.id)), model])


def promote(parts: Parts, name: str, asked: PromotionRequest, by: str) -> Promotion:
    """Raises NotFound, NotReady, InvalidInput, TooForgetful."""
    if asked.force and not asked.reason.strip():
        raise InvalidInput("To force a promotion, give a reason: it is kept with it.")
    limit = parts.settings.max_forgetting if asked.max_forgetting is None else asked.max_forgetting
    promotion = promotion_of(report_of(parts, name), limit, asked.force, asked.reason.strip(), by, now())
    parts.records.promote(promotion)
    return promotion
