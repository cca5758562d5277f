"""Nougat (Blecher et al. 2023, arXiv 2308.13418) through transformers: pictures of pages → MMD with LaTeX, in batches.

Greedy decoding; a page that loops is stopped and given up (section 5.4), as is one without end or without text.
"""

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import torch
from PIL import Image
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    NougatProcessor,
    StoppingCriteria,
    StoppingCriteriaList,
    VisionEncoderDecoderModel,
)

from services.extraction.adapters.transcription import Transcript
from services.extraction.stages.repetition import exact_loop, is_looping, loop_start
from services.extraction.stages.transcript import MISSING
from shared.errors import Unsupported

CHECK_EVERY = 10
"""Steps between two looks for loops."""


class Nougat:
    """A model at `weights` (a directory, or a name on the Hugging Face hub), loaded when the first page comes."""

    def __init__(self, weights: str, batch_size: int = 4, device: str | None = None) -> None:
        self._weights = weights
        self._batch_size = batch_size
        self._device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self._loaded: tuple[Any, Any] | None = None
        self._lock = Lock()

    def read(self, pictures: Sequence[Path]) -> list[Transcript]:
        """A transcript a picture, in order. Raises Unsupported where the weights cannot be loaded."""
        with self._lock:
            made: list[Transcript] = []
            for start in range(0, len(pictures), self._batch_size):
                made += self._read_batch(pictures[start : start + self._batch_size])
            return made

    def _read_batch(self, pictures: Sequence[Path]) -> list[Transcript]:
        processor, model = self._load()
        images = [_opened(picture) for picture in pictures]
        pixels = processor(images=images, return_tensors="pt").pixel_values.to(self._device, model.dtype)
        watch = _Watch(len(pictures))
        limit = int(model.decoder.config.max_position_embeddings)
        tokenizer = processor.tokenizer
        with torch.inference_mode():
            out = model.generate(
                pixels, max_length=limit, do_sample=False, num_beams=1,
                bad_words_ids=[[tokenizer.unk_token_id]] if tokenizer.unk_token_id is not None else None,
                pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id,
                logits_processor=LogitsProcessorList([watch]),
                stopping_criteria=StoppingCriteriaList([_Looped(watch, tokenizer.eos_token_id)]),
            )  # fmt: skip
        return [self._transcript(processor, tokens.tolist(), watch, row, limit) for row, tokens in enumerate(out)]

    def _transcript(self, processor: Any, tokens: list[int], watch: "_Watch", row: int, limit: int) -> Transcript:
        tokenizer = processor.tokenizer
        said = tokens[1:]
        ended = tokenizer.eos_token_id in said
        said = said[: said.index(tokenizer.eos_token_id)] if ended else said
        logits = watch.logits(row)[: len(said)]
        text = tokenizer.decode(said, skip_special_tokens=True).strip()
        fault = _fault(said, logits, ended or len(tokens) < limit, text)
        return Transcript(text=text, confidence=watch.confidence(row, len(said)), fault=fault)

    def _load(self) -> tuple[Any, Any]:
        if self._loaded is None:
            try:
                processor = NougatProcessor.from_pretrained(self._weights, backend="pil")
                dtype = torch.bfloat16 if self._device != "cpu" else torch.float32
                model = VisionEncoderDecoderModel.from_pretrained(self._weights, dtype=dtype, use_safetensors=True)
            except (OSError, ValueError) as error:
                detail = f"Nougat's weights cannot be loaded from {self._weights}. LECTERN_NOUGAT_WEIGHTS names a directory"
                raise Unsupported(f"{detail} with safetensors, or a model of the Hugging Face hub.") from error
            self._loaded = processor, model.to(self._device).eval()
        return self._loaded


def _opened(picture: Path) -> Image.Image:
    with Image.open(picture, formats=["PNG"]) as image:
        return image.convert("RGB")


def _fault(said: Sequence[int], logits: Sequence[float], ended: bool, text: str) -> str | None:
    if loop_start(logits) is not None or exact_loop(said) is not None:
        return "Nougat repeats itself on it"
    if not ended:
        return "Nougat finds no end to it"
    if MISSING.search(text):
        return "Nougat takes it for no page of a paper"
    return None if text else "Nougat finds no text on it"


class _Watch(LogitsProcessor):  # type: ignore[misc]
    """Keeps each step's largest logit, and the log-probability of the token that it belongs to."""

    def __init__(self, rows: int) -> None:
        self._steps: list[list[float]] = [[] for _ in range(rows)]
        self._sure: list[list[float]] = [[] for _ in range(rows)]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        largest = scores.float().max(dim=-1).values
        sure = largest - torch.logsumexp(scores.float(), dim=-1)
        for row, (logit, log_probability) in enumerate(zip(largest.tolist(), sure.tolist(), strict=True)):
            self._steps[row].append(logit)
            self._sure[row].append(log_probability)
        return scores

    def logits(self, row: int) -> list[float]:
        return self._steps[row]

    def confidence(self, row: int, steps: int) -> float:
        """The geometric mean of the tokens' probabilities."""
        sure = self._sure[row][:steps]
        return float(torch.tensor(sure).mean().exp()) if sure else 0.0


class _Looped(StoppingCriteria):  # type: ignore[misc]
    """Ends the rows that run in a loop, so that they do not hold up their batch to the longest length there is."""

    def __init__(self, watch: _Watch, eos: int) -> None:
        self._watch = watch
        self._eos = eos

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        rows, steps = input_ids.shape
        if steps % CHECK_EVERY:
            return torch.zeros(rows, dtype=torch.bool, device=input_ids.device)
        stops = [
            is_looping(self._watch.logits(row)) or exact_loop(input_ids[row, 1:].tolist()) is not None for row in range(rows)
        ]
        return torch.tensor(stops, dtype=torch.bool, device=input_ids.device)
