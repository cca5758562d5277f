"""Whether a model stops by itself: the share of its greedy answers that end with EOS before they are cut off."""

from collections.abc import Sequence
from typing import Any

from services.training.adapters.asking import answers
from services.training.stages.examples import Encoded


def share_that_stops(model: Any, examples: Sequence[Encoded], eos: int, max_new_tokens: int) -> float:
    return sum(stopped for _, stopped in answers(model, examples, eos, max_new_tokens)) / len(examples)
