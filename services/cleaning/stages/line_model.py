"""The models that label the lines of pages: a linear-chain CRF, and a BiLSTM with a CRF upon it. Arithmetic in numpy alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from services.cleaning.stages.crf import Chain, Scores, marginals, viterbi
from services.cleaning.stages.habits import Habits
from services.cleaning.stages.line_features import BUCKETS, LABELS, VERSION, WIDTH, Features
from services.cleaning.stages.page_lines import Tag
from services.cleaning.stages.ruled_pages import RuledPage
from shared.errors import InvalidInput

Kind = Literal["crf", "bilstm-crf"]
Weights = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Padded:
    """Pages of different length side by side: `dense` [pages, lines, WIDTH], `words` [pages, lines, n]."""

    dense: Scores
    words: Scores
    lengths: NDArray[np.int64]


class ChainModel:
    """Emissions, from a linear map or a BiLSTM, and a chain upon them."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._chain = Chain(weights["chain.moves"], weights["chain.start"], weights["chain.end"])
        self._emissions = _recurrent if "lstm.ahead.input" in weights else _linear

    def tag(self, pages: Sequence[RuledPage], known: Habits) -> list[list[Tag]]:
        return self.labelled([page.features(known) for page in pages])

    def labelled(self, pages: Sequence[Features]) -> list[list[Tag]]:
        """A tag for each row of each page."""
        padded = _padded(pages, self._weights["words"])
        scores = self._emissions(padded, self._weights)
        best = viterbi(scores, padded.lengths, self._chain)
        sure = np.take_along_axis(marginals(scores, padded.lengths, self._chain), best[:, :, None], axis=2)[:, :, 0]
        return [
            [Tag(LABELS[label], round(share, 4)) for label, share in zip(labels[:length], shares[:length], strict=True)]
            for labels, shares, length in zip(best.tolist(), sure.tolist(), padded.lengths.tolist(), strict=True)
        ]


def _padded(pages: Sequence[Features], table: Scores) -> Padded:
    lengths = np.array([len(page.dense) for page in pages], dtype=np.int64)
    steps = int(lengths.max(initial=0))
    dense = np.zeros((len(pages), steps, WIDTH), dtype=np.float32)
    words = np.zeros((len(pages), steps, table.shape[1]), dtype=np.float32)
    for at, page in enumerate(pages):
        dense[at, : lengths[at]] = page.dense
        words[at, : lengths[at]] = _bagged(page, table)
    return Padded(dense, words, lengths)


def _bagged(page: Features, table: Scores) -> Scores:
    """The sum of what each line's words say."""
    sums = np.zeros((len(page.words) + 1, table.shape[1]), dtype=np.float32)
    np.cumsum(table[page.words], axis=0, out=sums[1:])
    return sums[page.offsets[1:]] - sums[page.offsets[:-1]]


def _linear(padded: Padded, weights: Weights) -> Scores:
    """A line is judged by itself and by the lines before and after it."""
    here = padded.dense @ weights["dense.here"] + padded.words + weights["bias"]
    here[:, 1:] += padded.dense[:, :-1] @ weights["dense.before"]
    here[:, :-1] += padded.dense[:, 1:] @ weights["dense.after"]
    return here


def _recurrent(padded: Padded, weights: Weights) -> Scores:
    given = np.concatenate([padded.dense, padded.words], axis=2)
    ahead = _lstm(given, padded.lengths, weights, "ahead")
    behind = _reversed(_lstm(_reversed(given, padded.lengths), padded.lengths, weights, "behind"), padded.lengths)
    return np.concatenate([ahead, behind], axis=2) @ weights["dense.here"] + weights["bias"]


def _lstm(given: Scores, lengths: NDArray[np.int64], weights: Weights, way: str) -> Scores:
    """As torch.nn.LSTM computes it: gates in the order input, forget, cell, output."""
    recurrent = weights[f"lstm.{way}.state"]
    size = recurrent.shape[0]
    inputs = given @ weights[f"lstm.{way}.input"] + weights[f"lstm.{way}.bias"]
    state = np.zeros((len(given), size), dtype=np.float32)
    cell: Scores = np.zeros_like(state)
    out = np.zeros((*given.shape[:2], size), dtype=np.float32)
    for step in range(given.shape[1]):
        gates = inputs[:, step] + state @ recurrent
        opened: Scores = np.float32(1) / (np.float32(1) + np.exp(-gates))
        cell = opened[:, size : 2 * size] * cell + opened[:, :size] * np.tanh(gates[:, 2 * size : 3 * size])
        state = opened[:, 3 * size :] * np.tanh(cell)
        out[:, step] = state
    return out


def _reversed(rows: Scores, lengths: NDArray[np.int64]) -> Scores:
    """Each page's own lines from last to first; the padding stays behind them."""
    steps = np.arange(rows.shape[1])
    order = np.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)
    return np.take_along_axis(rows, order[:, :, None], axis=1)


def checked(weights: Weights, about: Mapping[str, object]) -> Weights:
    """Weights that fit these features. Raises InvalidInput where they were made for others, or are none."""
    if about.get("features") != VERSION or about.get("labels") != list(LABELS):
        raise InvalidInput(
            f"the tagger was trained for features {about.get('features')}, and this version has {VERSION}: train it again "
            "with `lectern cleaner train`",
        )
    inputs = WIDTH if about.get("kind") == "crf" else 2 * weights.get("lstm.ahead.state", np.zeros((0, 0))).shape[0]
    shapes = {name: array.shape for name, array in weights.items()}
    fits = (
        shapes.get("dense.here") == (inputs, len(LABELS)) and shapes.get("chain.moves") == (len(LABELS), len(LABELS))
        and shapes.get("words", (0,))[0] == BUCKETS and inputs > 0
    )  # fmt: skip
    if not fits or not all(np.isfinite(array).all() for array in weights.values()):
        raise InvalidInput(
            "the tagger's file does not hold the weights of a tagger: train it again with `lectern cleaner train`"
        )
    return weights
