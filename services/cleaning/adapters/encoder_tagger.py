"""A fine-tuned encoder (DistilBERT class) that labels lines: each is read with what stands around it. Needs torch."""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from services.cleaning.stages.habits import Habits
from services.cleaning.stages.line_features import HEAD, LABELS
from services.cleaning.stages.page_lines import Tag
from services.cleaning.stages.ruled_pages import RuledPage
from shared.contracts.documents import LineLabel
from shared.errors import InvalidInput

BATCH, MOST_TOKENS, AROUND = 64, 128, 60
_BANDS = ("top", "upper", "middle", "lower", "bottom")


class EncoderTagger:
    """A directory with a sequence classifier over our labels, its weights as safetensors, and its tokenizer."""

    def __init__(self, directory: Path) -> None:
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)
            self._model = AutoModelForSequenceClassification.from_pretrained(
                directory, local_files_only=True, use_safetensors=True
            ).eval()
        except (OSError, ValueError) as error:
            raise InvalidInput(f"{directory.name} holds no encoder that labels lines: {error}") from error
        labels = [self._model.config.id2label.get(at) for at in range(self._model.config.num_labels)]
        if sorted(labels, key=str) != sorted(LABELS):
            raise InvalidInput(
                "the encoder was not trained for our labels: train it with `lectern cleaner train --kind encoder`"
            )
        self._labels: list[LineLabel] = labels

    def tag(self, pages: Sequence[RuledPage], known: Habits) -> list[list[Tag]]:
        texts = [list(readings(page)) for page in pages]
        tags = chain.from_iterable(self._tagged(batch) for batch in _batches(list(chain.from_iterable(texts))))
        return [[next(tags) for _ in own] for own in texts]

    def _tagged(self, texts: list[str]) -> Iterator[Tag]:
        given = self._tokenizer(texts, padding=True, truncation=True, max_length=MOST_TOKENS, return_tensors="pt")
        with torch.inference_mode():
            shares = self._model(**given).logits.softmax(dim=1)
        for share, at in zip(*(values.tolist() for values in shares.max(dim=1)), strict=True):
            yield Tag(self._labels[at], round(share, 4))


def readings(page: RuledPage) -> Iterator[str]:
    """Each line as an encoder reads it: what rules and extraction say of it, where it stands, itself, and its neighbours."""
    rows = [
        (block.kind, label, line)
        for block, label, own in zip(page.page.blocks, page.ruled, page.lines, strict=True)
        for line in own
    ]
    for at, (kind, label, line) in enumerate(rows):
        middle = (line.box[1] + line.box[3]) / 2 / max(1.0, page.page.height) if line.box else 0.5
        band = _BANDS[min(4, max(0, int(middle * 5)))]
        before = rows[at - 1][2].text[-AROUND:] if at else ""
        after = rows[at + 1][2].text[:AROUND] if at + 1 < len(rows) else ""
        yield f"{kind} {label} {band} | {line.text[:HEAD]} | {before} | {after}"


def _batches(texts: list[str]) -> Iterator[list[str]]:
    return (texts[start : start + BATCH] for start in range(0, len(texts), BATCH))
