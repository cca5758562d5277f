"""The forgetting report of a model, and the gate that it stands at when it is promoted."""

from pydantic import Field

from services.gateway.parts import Parts
from shared.clock import now
from shared.contracts.base import Contract
from shared.contracts.learning import Model
from shared.contracts.retention import ForgettingReport, Promotion
from shared.errors import InvalidInput, NotFound
from shared.retention import forgetting_report, promotion_of


class PromotionRequest(Contract):
    """On which terms a version is promoted."""

    max_forgetting: float | None = Field(
        None, ge=0, description="Greatest rise of loss on any held-out set, in nats; the configured one where left out."
    )
    force: bool = Field(False, description="Promote it whatever it forgot. Needs a reason.")
    reason: str = Field("", max_length=500, description="Kept with the promotion.")


def model_of(parts: Parts, name: str) -> Model:
    """By id, or the newest of a name. Raises NotFound."""
    found = parts.catalog.model(name)
    if found is None:
        raise NotFound(f"There is no tuned model {name!r}.")
    return found


def meant(parts: Parts, name: str) -> str:
    """The version that a name means: the promoted one where there is one, else the name itself."""
    promoted = parts.catalog.promotions([name]).get(name)
    return promoted.model if promoted else name


def report_of(parts: Parts, name: str) -> ForgettingReport:
    """Of a version beside the earlier ones of its name on the same base. Raises NotFound, NotReady."""
    model = model_of(parts, name)
    versions = parts.catalog.versions(model.name)
    earlier = versions[: next(at for at, one in enumerate(versions) if one.id == model.id)]
    return forgetting_report([*(one for one in earlier if one.base == model.base), model])


def promote(parts: Parts, name: str, asked: PromotionRequest, by: str) -> Promotion:
    """Raises NotFound, NotReady, InvalidInput, TooForgetful."""
    if asked.force and not asked.reason.strip():
        raise InvalidInput("To force a promotion, give a reason: it is kept with it.")
    limit = parts.settings.max_forgetting if asked.max_forgetting is None else asked.max_forgetting
    promotion = promotion_of(report_of(parts, name), limit, asked.force, asked.reason.strip(), by, now())
    parts.records.promote(promotion)
    return promotion
