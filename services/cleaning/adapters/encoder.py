"""The other garbage classifier: a published encoder with a head for two classes, tuned on labels with transformers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from services.cleaning.stages.calibration import Floats
from services.cleaning.stages.features import MOST_CHARACTERS
from shared.contracts.review import ClassifierParameters
from shared.errors import Unsupported

BATCH = 16


@dataclass(frozen=True, slots=True)
class Encoder:
    """A model and its tokenizer, on the CPU."""

    model: Any
    tokenizer: Any
    max_tokens: int

    @classmethod
    def load(cls, directory: Path, max_tokens: int) -> "Encoder":
        """From a directory with safetensors; code that comes with a model is never run."""
        try:
            tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)
            model = AutoModelForSequenceClassification.from_pretrained(
                directory, local_files_only=True, use_safetensors=True, num_labels=2
            )
        except (OSError, ValueError, KeyError) as error:
            raise Unsupported(f"This is no encoder that transformers can read: {error}") from error
        return cls(model.eval(), tokenizer, max_tokens)

    def scores(self, texts: Sequence[str], rules: Sequence[str]) -> Floats:
        """Difference of the two logits. The rule is told in the text, as the encoder has no other ear."""
        found = []
        with torch.inference_mode():
            for batch in _batches(_told(texts, rules)):
                logits = self.model(**self._encoded(batch)).logits
                found.append((logits[:, 1] - logits[:, 0]).double().numpy())
        return np.concatenate(found) if found else np.zeros(0)

    def tune(self, texts: Sequence[str], rules: Sequence[str], truth: NDArray[np.bool_], wanted: ClassifierParameters) -> None:
        """Learns from the texts, in an order drawn by seed; both verdicts weigh the same in all."""
        torch.manual_seed(wanted.seed)
        told, lot = _told(texts, rules), np.random.default_rng(wanted.seed)
        share = float(truth.mean())
        loss_of = torch.nn.CrossEntropyLoss(weight=torch.tensor([0.5 / max(1 - share, 1e-6), 0.5 / max(share, 1e-6)]))
        optimizer = torch.optim.AdamW(self.model.parameters(), lr=wanted.learning_rate)
        self.model.train()
        for _ in range(wanted.epochs):
            for batch in _batches([int(at) for at in lot.permutation(len(told))]):
                logits = self.model(**self._encoded([told[at] for at in batch])).logits
                loss_of(logits, torch.tensor([int(truth[at]) for at in batch])).backward()
                optimizer.step()
                optimizer.zero_grad()
        self.model.eval()

    def save(self, directory: Path) -> tuple[str, ...]:
        """Writes weights as safetensors and the tokenizer; returns the files' names."""
        self.model.save_pretrained(directory, safe_serialization=True)
        self.tokenizer.save_pretrained(directory)
        return tuple(sorted(path.name for path in directory.iterdir()))

    def _encoded(self, texts: Sequence[str]) -> Any:
        return self.tokenizer(list(texts), truncation=True, max_length=self.max_tokens, padding=True, return_tensors="pt")


def _told(texts: Sequence[str], rules: Sequence[str]) -> list[str]:
    return [f"{rule or 'kept'}: {text[:MOST_CHARACTERS]}" for text, rule in zip(texts, rules, strict=True)]


def _batches(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (items[at : at + BATCH] for at in range(0, len(items), BATCH))
