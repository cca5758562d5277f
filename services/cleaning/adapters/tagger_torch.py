"""The taggers of lines as torch modules, for training alone: what they learn is written as arrays that numpy reads."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from services.cleaning.stages.line_features import BUCKETS, KINDS, LABELS, WIDTH, Features

HIDDEN, WORD_SIZE = 48, 24
WORD_DROPOUT, DENSE_DROPOUT, HINT_DROPOUT = 0.3, 0.1, 0.15
HINTS = len(KINDS) + len(LABELS)
"""Words left out while training, so that the looks of a line count more than the words of the training pages."""


@dataclass(frozen=True, slots=True)
class Batch:
    """`dense` [pages, lines, WIDTH]; `words` in bags of one line each; `labels` [pages, lines]."""

    dense: Tensor
    words: Tensor
    offsets: Tensor
    lengths: Tensor
    labels: Tensor


def _veiled(dense: Tensor, training: bool) -> Tensor:
    """Single columns left out, and on some pages all that extraction says of kinds, or all that rules say: both can err."""
    if not training:
        return dense
    kinds, labels, rest = nn.functional.dropout(dense, DENSE_DROPOUT).split([len(KINDS), len(LABELS), WIDTH - HINTS], dim=2)
    kept = (torch.rand(2, len(dense), 1, 1) >= HINT_DROPOUT).float()
    return torch.cat([kinds * kept[0], labels * kept[1], rest], dim=2)


def batch_of(pages: Sequence[tuple[Features, NDArray[np.int64]]]) -> Batch:
    lengths = [len(one.dense) for one, _ in pages]
    steps = max(lengths)
    dense = torch.zeros(len(pages), steps, WIDTH)
    labels = torch.zeros(len(pages), steps, dtype=torch.long)
    words: list[Tensor] = []
    offsets = torch.zeros(len(pages), steps, dtype=torch.long)
    total = 0
    for at, (one, truth) in enumerate(pages):
        dense[at, : lengths[at]] = torch.from_numpy(one.dense)
        labels[at, : lengths[at]] = torch.from_numpy(truth)
        offsets[at, : lengths[at]] = torch.from_numpy(one.offsets[:-1]) + total
        total += len(one.words)
        offsets[at, lengths[at] :] = total
        words.append(torch.from_numpy(one.words))
    return Batch(dense, torch.cat(words), offsets.flatten(), torch.tensor(lengths), labels)


class Chain(nn.Module):  # type: ignore[misc]
    """Negative log-likelihood of label sequences (Lafferty, McCallum and Pereira 2001)."""

    def __init__(self) -> None:
        super().__init__()
        self.moves = nn.Parameter(torch.zeros(len(LABELS), len(LABELS)))
        self.start = nn.Parameter(torch.zeros(len(LABELS)))
        self.end = nn.Parameter(torch.zeros(len(LABELS)))

    def forward(self, emissions: Tensor, labels: Tensor, lengths: Tensor) -> Tensor:
        mask = torch.arange(emissions.shape[1]) < lengths[:, None]
        told = emissions.gather(2, labels[:, :, None])[:, :, 0].where(mask, emissions.new_zeros(()))
        moved = self.moves[labels[:, :-1], labels[:, 1:]].where(mask[:, 1:], emissions.new_zeros(()))
        last = labels.gather(1, lengths[:, None] - 1)[:, 0]
        truth = told.sum(1) + moved.sum(1) + self.start[labels[:, 0]] + self.end[last]
        score = self.start + emissions[:, 0]
        for step in range(1, emissions.shape[1]):
            on = torch.logsumexp(score[:, :, None] + self.moves, dim=1) + emissions[:, step]
            score = on.where(mask[:, step, None], score)
        return (torch.logsumexp(score + self.end, dim=1) - truth).sum() / lengths.sum()


class LinearCrf(nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.EmbeddingBag(BUCKETS, len(LABELS), mode="sum", padding_idx=None)
        nn.init.zeros_(self.words.weight)
        self.here, self.before, self.after = (nn.Linear(WIDTH, len(LABELS), bias=at == 0) for at in range(3))
        self.chain = Chain()

    def forward(self, batch: Batch) -> Tensor:
        dense = _veiled(batch.dense, self.training)
        kept = (torch.rand(len(batch.words)) >= WORD_DROPOUT * self.training).float()
        words = self.words(batch.words, batch.offsets, per_sample_weights=kept).view(*dense.shape[:2], -1)
        scores = self.here(dense) + words
        before, after = self.before(dense[:, :-1]), self.after(dense[:, 1:])
        scores = scores + nn.functional.pad(before, (0, 0, 1, 0)) + nn.functional.pad(after, (0, 0, 0, 1))
        loss: Tensor = self.chain(scores, batch.labels, batch.lengths)
        return loss

    def arrays(self) -> dict[str, Tensor]:
        return {
            "words": self.words.weight, "dense.here": self.here.weight.T, "dense.before": self.before.weight.T,
            "dense.after": self.after.weight.T, "bias": self.here.bias, **_chain(self.chain),
        }  # fmt: skip


class BiLstmCrf(nn.Module):  # type: ignore[misc]
    """After Huang, Xu and Yu 2015, over lines in place of words."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.EmbeddingBag(BUCKETS, WORD_SIZE, mode="sum")
        nn.init.normal_(self.words.weight, std=0.1)
        self.lstm = nn.LSTM(WIDTH + WORD_SIZE, HIDDEN, batch_first=True, bidirectional=True)
        self.here = nn.Linear(2 * HIDDEN, len(LABELS))
        self.chain = Chain()

    def forward(self, batch: Batch) -> Tensor:
        dense = _veiled(batch.dense, self.training)
        kept = (torch.rand(len(batch.words)) >= WORD_DROPOUT * self.training).float()
        words = self.words(batch.words, batch.offsets, per_sample_weights=kept).view(*dense.shape[:2], -1)
        packed = pack_padded_sequence(torch.cat([dense, words], dim=2), batch.lengths, batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        scores = self.here(nn.functional.dropout(states, 0.3, self.training))
        loss: Tensor = self.chain(scores, batch.labels, batch.lengths)
        return loss

    def arrays(self) -> dict[str, Tensor]:
        made = {"words": self.words.weight, "dense.here": self.here.weight.T, "bias": self.here.bias, **_chain(self.chain)}
        for way, end in (("ahead", ""), ("behind", "_reverse")):
            made[f"lstm.{way}.input"] = getattr(self.lstm, f"weight_ih_l0{end}").T
            made[f"lstm.{way}.state"] = getattr(self.lstm, f"weight_hh_l0{end}").T
            made[f"lstm.{way}.bias"] = getattr(self.lstm, f"bias_ih_l0{end}") + getattr(self.lstm, f"bias_hh_l0{end}")
        return made


def _chain(chain: Chain) -> dict[str, Tensor]:
    return {"chain.moves": chain.moves, "chain.start": chain.start, "chain.end": chain.end}


def train(
    kind: str, pages: Sequence[tuple[Features, NDArray[np.int64]]], epochs: int, seed: int
) -> dict[str, NDArray[np.float32]]:
    """The weights of a tagger of this kind. The same pages and seed give the same weights on the same machine."""
    torch.manual_seed(seed)
    model = LinearCrf() if kind == "crf" else BiLstmCrf()
    rate = 0.02 if kind == "crf" else 0.004
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=1e-3)
    given = [one for one in pages if len(one[0].dense)]
    size = 32
    steps = epochs * -(-len(given) // size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.1)
    order = np.random.default_rng(seed)
    for _ in range(epochs):
        shuffled = order.permutation(len(given))
        for at in range(0, len(given), size):
            loss = model(batch_of([given[index] for index in shuffled[at : at + size]]))
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            schedule.step()
    return {name: tensor.detach().numpy().astype(np.float32, order="C") for name, tensor in model.arrays().items()}
