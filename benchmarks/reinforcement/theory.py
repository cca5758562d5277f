"""Where a reward less a price on divergence is highest: p*(y) ~ p(y) exp(r(y) / price) (Ziegler et al. 2019, section 2.1;
Korbak et al. 2022). Its reward and divergence follow from the scores of answers that the reference gave."""

import math
from collections.abc import Sequence
from statistics import fmean


def optimum(scores: Sequence[float], price: float) -> tuple[float, float]:
    """Reward and divergence (nats an answer) of the optimal policy. Past what the reference ever says it knows nothing."""
    highest = max(scores)
    weights = [math.exp((one - highest) / price) for one in scores]
    reward = sum(weight * one for weight, one in zip(weights, scores, strict=True)) / sum(weights)
    log_mean = math.log(fmean(weights)) + highest / price
    return reward, reward / price - log_mean
