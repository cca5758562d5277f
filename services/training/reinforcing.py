"""What a run that learns from rewards asks of its dataset, and what is told of it when it is over."""

from collections.abc import Sequence
from statistics import fmean

from services.training.stages.examples import Encoded
from services.training.stages.ppo.runaway import WINDOW
from shared.contracts.learning import LossPoint, Reinforced
from shared.contracts.recipes import TrainingRecipe
from shared.contracts.work import Rejected


def refuse_prompts(examples: Sequence[Encoded], recipe: TrainingRecipe) -> Rejected | None:
    """Prompts that leave no room for an answer within max_tokens."""
    wish = recipe.rewarded
    if wish is None:
        return None
    longest = max(len(one.ids) - one.response_tokens for one in examples)
    if longest + wish.answer_tokens <= recipe.max_tokens:
        return None
    return Rejected(
        reason="prompt-too-long",
        detail=f"The longest prompt has {longest} tokens, and with an answer of {wish.answer_tokens} it is over the "
        f"recipe's max_tokens of {recipe.max_tokens}. Raise max_tokens, or lower answer_tokens.",
    )


def reinforced(curve: Sequence[LossPoint], method: str) -> Reinforced:
    """The curve in a few figures."""
    return Reinforced(
        method=method,
        first_reward=_mean(curve[:WINDOW], "reward"), last_reward=_mean(curve[-WINDOW:], "reward"),
        divergence=_mean(curve[-WINDOW:], "kl"), entropy=_mean(curve[-WINDOW:], "entropy"),
        kl_coefficient=curve[-1].metrics["kl_coefficient"],
        warned_at=tuple(point.step for point in curve if point.metrics["kl_warning"]),
    )  # fmt: skip


def _mean(points: Sequence[LossPoint], name: str) -> float:
    return fmean(point.metrics[name] for point in points)
