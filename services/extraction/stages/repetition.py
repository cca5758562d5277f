"""Whether a generated page ran into a loop, as Nougat's paper detects it (Blecher et al. 2023, arXiv 2308.13418, section 5.4).

The largest logit of each step is taken as a signal; in a loop its variance over a sliding window stops varying. A page
is looped where that second variance, from some step to the end, stays below a threshold.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

WINDOW = 15
THRESHOLD = 6.75
TAIL = 200
"""Steps that are looked back on while a page is being generated, with half the threshold. A settled end that is shorter is
no loop: any text ends calmly."""

LONGEST_PERIOD, FEWEST_REPEATS, SHORTEST_LOOP = 80, 4, 60

Signal = npt.NDArray[np.float64]


def is_looping(logits: Sequence[float]) -> bool:
    """During generation: whether the last `TAIL` steps vary less than half the threshold allows."""
    if len(logits) < TAIL + WINDOW:
        return False
    varied = _window_variance(np.asarray(logits[-(TAIL + WINDOW) :], dtype=np.float64))
    return bool(np.var(varied) < THRESHOLD / 2)


def loop_start(logits: Sequence[float]) -> int | None:
    """After generation: the step from which on a page loops, or None."""
    signal = np.asarray(logits, dtype=np.float64)
    if len(signal) < TAIL + WINDOW:
        return None
    calm = _variance_to_end(_window_variance(signal)) < THRESHOLD
    restless = np.nonzero(~calm)[0]
    start = int(restless[-1]) + 1 if len(restless) else 0
    return start if len(calm) - start >= TAIL else None


def exact_loop(tokens: Sequence[int]) -> int | None:
    """Where tokens end in one run said over and over, the step at which its second saying begins; short pages loop so."""
    for period in range(1, min(LONGEST_PERIOD, len(tokens) // FEWEST_REPEATS) + 1):
        length = _repeated(tokens, period)
        if length >= period * (FEWEST_REPEATS - 1) and length + period >= SHORTEST_LOOP:
            return len(tokens) - length
    return None


def _repeated(tokens: Sequence[int], period: int) -> int:
    """How many of the last tokens equal the one a period before them."""
    count = 0
    for index in range(len(tokens) - 1, period - 1, -1):
        if tokens[index] != tokens[index - period]:
            break
        count += 1
    return count


def _window_variance(signal: Signal) -> Signal:
    windows = np.lib.stride_tricks.sliding_window_view(signal, WINDOW)
    return np.asarray(windows.var(axis=1), dtype=np.float64)


def _variance_to_end(signal: Signal) -> Signal:
    """The variance of each suffix, by sums from the end."""
    counts = np.arange(len(signal), 0, -1)
    centred = signal - signal.mean()
    sums, squares = np.cumsum(centred[::-1])[::-1], np.cumsum(centred[::-1] ** 2)[::-1]
    return np.asarray(np.maximum(0.0, squares / counts - (sums / counts) ** 2), dtype=np.float64)
