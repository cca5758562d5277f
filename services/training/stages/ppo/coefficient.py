"""What a nat of divergence costs: a price that stays, or one that is moved until the divergence is what was asked for."""

from dataclasses import dataclass

_LARGEST_ERROR = 0.2
"""Of Ziegler et al. 2019, section 2.2: however far off the divergence is, the price moves by a fifth of the gain at most."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """The same price for the whole run."""

    value: float

    def after(self, divergence: float) -> "Fixed":
        return self


@dataclass(frozen=True, slots=True)
class Adaptive:
    """A proportional controller in log space (Ziegler et al. 2019, section 2.2): error = clamp((KL - target) / target,
    -0.2, 0.2), and the price is multiplied by 1 + gain * error. `target` is in nats an answer."""

    value: float
    target: float
    gain: float

    def after(self, divergence: float) -> "Adaptive":
        error = max(-_LARGEST_ERROR, min(_LARGEST_ERROR, divergence / self.target - 1))
        return Adaptive(self.value * (1 + self.gain * error), self.target, self.gain)


Coefficient = Fixed | Adaptive
