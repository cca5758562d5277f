"""A linear chain over the lines of pages: the best sequence of labels (Viterbi) and how sure of each (forward-backward).

Arrays are [pages, lines, labels], padded: `lengths` says how many lines of a page count. One step of Python for each line of
the longest page, however many pages there are.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Chain:
    """`moves` [from, to]: what it adds that one label follows another. `start` and `end` [labels] likewise."""

    moves: Scores
    start: Scores
    end: Scores


def viterbi(emissions: Scores, lengths: NDArray[np.int64], chain: Chain) -> NDArray[np.int64]:
    """The best labels [pages, lines] of each page; what lies beyond its length means nothing."""
    pages, steps, labels = emissions.shape
    best = np.zeros((pages, steps), dtype=np.int64)
    if not steps:
        return best
    back = np.zeros((steps, pages, labels), dtype=np.int64)
    score = chain.start + emissions[:, 0]
    rows, shortest = np.arange(pages), lengths.min(initial=steps)
    for step in range(1, steps):
        through = score[:, :, None] + chain.moves
        back[step] = through.argmax(axis=1)
        on = through.max(axis=1) + emissions[:, step]
        score = on if step < shortest else np.where((step < lengths)[:, None], on, score)
    label = (score + chain.end).argmax(axis=1)
    for step in range(steps - 1, -1, -1):
        best[:, step] = label
        if step:
            before = back[step][rows, label]
            label = before if step < shortest else np.where(step < lengths, before, label)
    return best


def marginals(emissions: Scores, lengths: NDArray[np.int64], chain: Chain) -> Scores:
    """The probability [pages, lines, labels] of each label at each line, given the whole page."""
    pages, steps, labels = emissions.shape
    if not steps:
        return np.zeros((pages, steps, labels), dtype=np.float32)
    odds = np.exp(emissions - emissions.max(axis=2, keepdims=True))
    shift = chain.moves.max()
    moves, end = np.exp(chain.moves - shift), np.exp(chain.end - chain.end.max())
    ahead = np.zeros_like(odds)
    ahead[:, 0] = _normal(np.exp(chain.start - chain.start.max()) * odds[:, 0])
    for step in range(1, steps):
        ahead[:, step] = _normal(ahead[:, step - 1] @ moves * odds[:, step])
    behind = np.broadcast_to(end, (pages, labels))
    both, shortest = np.zeros_like(odds), lengths.min(initial=steps)
    for step in range(steps - 1, -1, -1):
        both[:, step] = ahead[:, step] * behind
        if step:
            before = _normal((behind * odds[:, step]) @ moves.T)
            behind = before if step < shortest else np.where((step < lengths)[:, None], before, end)
    shares: Scores = both / np.maximum(both.sum(axis=2, keepdims=True), 1e-30)
    return shares


def _normal(weights: Scores) -> Scores:
    normal: Scores = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-30)
    return normal
