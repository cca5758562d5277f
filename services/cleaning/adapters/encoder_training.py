"""Fine-tunes an encoder from a local directory to label lines."""

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from services.cleaning.adapters.encoder_tagger import MOST_TOKENS
from services.cleaning.stages.line_features import LABELS
from shared.contracts.documents import LineLabel
from shared.errors import InvalidInput

BATCH, RATE = 32, 5e-5


def train_encoder(base: Path, examples: Sequence[tuple[str, LineLabel]], out: Path, epochs: int, seed: int) -> None:
    """Writes weights (safetensors), configuration and tokenizer to `out`. Raises InvalidInput where `base` is no encoder."""
    torch.manual_seed(seed)
    names = dict(enumerate(LABELS))
    try:
        tokenizer = AutoTokenizer.from_pretrained(base, local_files_only=True)
        model = AutoModelForSequenceClassification.from_pretrained(
            base, local_files_only=True, use_safetensors=True, num_labels=len(LABELS), ignore_mismatched_sizes=True,
            id2label=names, label2id={label: at for at, label in names.items()},
        )  # fmt: skip
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{base.name} holds no encoder with a tokenizer and safetensors: {error}") from error
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    generator = torch.Generator().manual_seed(seed)
    model.train()
    for _ in range(epochs):
        order = torch.randperm(len(examples), generator=generator).tolist()
        for start in range(0, len(order), BATCH):
            batch = [examples[at] for at in order[start : start + BATCH]]
            given = tokenizer(
                [text for text, _ in batch], padding=True, truncation=True, max_length=MOST_TOKENS, return_tensors="pt"
            )
            loss = model(**given, labels=torch.tensor([LABELS.index(label) for _, label in batch])).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    model.save_pretrained(out, safe_serialization=True)
    tokenizer.save_pretrained(out)
