"""What a run's candidates are made of, gathered as it trains: the last checkpoints, the best of them, a running mean."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from services.training.adapters.scores import heldout_loss
from services.training.stages.averaging import Weights, average, ema, swa
from services.training.stages.choice import Measured, choose
from services.training.stages.examples import Encoded
from shared.contracts.checkpoints import CandidateName, CheckpointChoice
from shared.contracts.recipes import Continual

CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A candidate's weights, the steps that they are made of, and what was lost in making them (a share of ΔW)."""

    name: CandidateName
    steps: tuple[int, ...]
    weights: Weights
    lost: float = 0.0


def learned(model: Any, device: torch.device | None = None) -> dict[str, torch.Tensor]:
    """A copy of the weights that learn, by name."""
    found = ((name, one.detach()) for name, one in model.named_parameters() if one.requires_grad)
    return {name: one.to(device or one.device, copy=True) for name, one in found}


@contextmanager
def wearing(model: Any, weights: Weights) -> Iterator[None]:
    """The model with other weights in its adapter, of whatever rank, as long as their scale is the same."""
    own = {name: one for name, one in model.named_parameters() if name in weights}
    before = {name: one.data for name, one in own.items()}
    try:
        for name, one in own.items():
            one.data = weights[name].to(one.device)
        yield
    finally:
        for name, one in own.items():
            one.data = before[name]


class Snapshots:
    """Of one run. `state` holds all of it, so that a resumed run goes on with what the killed one had gathered."""

    def __init__(self, wish: Continual, total_steps: int, rank: int) -> None:
        self._wish = wish
        self._rank = rank
        self._swa_from = total_steps // 2
        self._weights: dict[int, Weights] = {}
        self._checkpoints: list[int] = []
        self._best: tuple[int, float] | None = None
        self._mean: Weights | None = None
        self._mean_steps: tuple[int, int, int] = (0, 0, 0)  # first, last, how many

    def after_step(self, step: int, model: Any) -> None:
        """Take the step into the running mean, where the recipe asks for one."""
        kind = self._wish.averaging
        if kind not in ("swa", "ema") or not self._wants("averaged") or (kind == "swa" and step <= self._swa_from):
            return
        first, _, count = self._mean_steps
        now = learned(model)
        if self._mean is None:
            self._mean, first = now, step
        else:
            here = {name: one.to(now[name].device) for name, one in self._mean.items()}
            self._mean = swa(here, now, count) if kind == "swa" else ema(here, now, self._wish.ema_decay)
        self._mean_steps = (first, step, count + 1)

    def at_checkpoint(self, step: int, model: Any, loss: float) -> None:
        """`loss`: on the held-out examples of the new data that choose."""
        self._checkpoints = [*self._checkpoints, step][-self._wish.averaged_checkpoints :]
        if self._best is None or loss < self._best[1]:
            self._best = (step, loss)
        self._weights[step] = learned(model, CPU)
        kept = {self._best[0], *(self._checkpoints if self._wish.averaging == "last" else (step,))}
        self._weights = {at: one for at, one in self._weights.items() if at in kept}

    def candidates(self) -> list[Snapshot]:
        """Those that the recipe leaves to choose among; at least one checkpoint has been."""
        assert self._best is not None
        last = self._checkpoints[-1]
        found = [Snapshot("last", (last,), self._weights[last])]
        if self._wants("best-loss") and (self._best[0] != last or self._wish.choose == "best-loss"):
            found.append(Snapshot("best-loss", (self._best[0],), self._weights[self._best[0]]))
        if self._wants("averaged") and self._wish.averaging != "none":
            found.append(self._average())
        return [one for one in found if self._wants(one.name)]

    def state(self) -> dict[str, Any]:
        """In the words of `save_state`."""
        return {
            "weights": self._weights, "checkpoints": self._checkpoints, "best": self._best, "mean": self._mean,
            "mean_steps": self._mean_steps,
        }  # fmt: skip

    def restore(self, state: Mapping[str, Any]) -> None:
        self._weights, self._checkpoints = dict(state["weights"]), list(state["checkpoints"])
        self._best, self._mean, self._mean_steps = state["best"], state["mean"], tuple(state["mean_steps"])

    def _wants(self, name: CandidateName) -> bool:
        return self._wish.choose in ("evaluated", name)

    def _average(self) -> Snapshot:
        if self._wish.averaging == "last":
            made = average(
                [self._weights[at] for at in self._checkpoints], self._rank if self._wish.averaged_rank == "same" else None
            )
            return Snapshot("averaged", tuple(self._checkpoints), made.weights, made.error)
        assert self._mean is not None
        first, last, _ = self._mean_steps
        return Snapshot("averaged", (first, last), self._mean)


def decide(
    model: Any, candidates: Sequence[Snapshot], sets: Mapping[str, Sequence[Encoded]], new: str, wish: Continual, pad_id: int
) -> tuple[CheckpointChoice, Snapshot]:
    """Measure every candidate on every held-out set's choosing examples, and choose."""
    measured = []
    for one in candidates:
        with wearing(model, one.weights):
            losses = {name: heldout_loss(model, examples, pad_id) for name, examples in sets.items() if examples}
        measured.append(Measured(one.name, one.steps, losses, one.lost))
    choice = choose(measured, new, wish.choose)
    return choice, next(one for one in candidates if one.name == choice.chosen)
