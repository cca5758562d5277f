"""A tiny base model of random weights with a tokenizer of its own, and the dataset and the run that use it."""

import json
import random
from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from shared import layout
from shared.bases import publish_base
from shared.contracts.base import Contract
from shared.contracts.documents import Chunk
from shared.contracts.learning import (
    DatasetParameters,
    DatasetResult,
    DatasetWish,
    Example,
    Parent,
    RunWish,
)
from shared.contracts.recipes import TrainingRecipe
from shared.contracts.work import File, Manifest
from shared.ids import short
from shared.objects import ObjectStore, create_contract
from shared.pipeline import training_key
from shared.template import render_prompt

END = "<|end|>"
NAME = "tiny"
WORDS = [
    "the",
    "pump",
    "valve",
    "gauge",
    "must",
    "be",
    "set",
    "before",
    "an",
    "operator",
    "opens",
    "main",
    "line",
    "and",
    "checks",
    "seal",
    "for",
    "wear",
]


def make_tokenizer(directory: Path, eos: bool = True) -> PreTrainedTokenizerFast:
    """Byte-level BPE whose EOS is its pad token too, as SmolLM2's is."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420, special_tokens=[END], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    core.train_from_iterator([render_prompt("alpaca", "Say it.", "given"), *WORDS] * 4, trainer)
    ends = {"eos_token": END, "pad_token": END} if eos else {}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, model_max_length=512, **ends)
    tokenizer.save_pretrained(directory)
    return tokenizer


def make_base(directory: Path, eos: bool = True) -> Path:
    """A Llama of a few thousand weights, the same every time."""
    tokenizer = make_tokenizer(directory, eos)
    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        vocab_size=len(tokenizer), max_position_embeddings=512, eos_token_id=tokenizer.eos_token_id, tie_word_embeddings=True,
    )  # fmt: skip
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(directory)
    return directory


def examples(count: int, seed: int = 0) -> list[Example]:
    chance = random.Random(seed)

    def say(words: int) -> str:
        return " ".join(chance.choice(WORDS) for _ in range(words)) + "."

    return [
        Example(
            id=f"e{seed}-{index:03d}", instruction="Continue.", input=say(chance.randint(3, 20)),
            output=say(chance.randint(2, 12)), recipe="continuation", chunk=f"c{index}", document="d", filename="a.pdf",
        )
        for index in range(count)
    ]  # fmt: skip


def write_lines(path: Path, rows: Sequence[Contract]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{row.model_dump_json()}\n" for row in rows), encoding="utf-8")
    return path


def publish_tiny(store: ObjectStore, directory: Path, name: str = NAME) -> str:
    """Publish the tiny base; returns its digest."""
    manifest = publish_base(
        store, directory, name=name, source="test", licence="none", architecture="LlamaForCausalLM", eos_token=END
    )
    return manifest.digest


def put_dataset(
    store: ObjectStore,
    scratch: Path,
    train: Sequence[Example],
    heldout: Sequence[Example],
    key: str = "d" * 64,
    parameters: DatasetParameters | None = None,
) -> DatasetWish:
    """A dataset as the cleaning service would have committed it."""
    wish = DatasetWish(
        key=key, name="set", collection="shelf", base=NAME, parameters=parameters or DatasetParameters(), inputs=(),
        created_at="t",
    )  # fmt: skip
    create_contract(store, layout.dataset(short(key)), wish)
    files = {}
    chunks = [Chunk(id=one.chunk, document=one.document, index=0, text=one.output, tokens=1) for one in train]
    for name, rows in (("train.jsonl", train), ("heldout.jsonl", heldout), ("chunks.jsonl", chunks)):
        stored = store.upload(layout.attempt_file("dataset", key, "a", name), write_lines(scratch / name, rows))
        files[name] = File(path=stored.path, size_bytes=stored.size_bytes, sha256=stored.sha256)
    result = DatasetResult(
        digest="0" * 64, documents=1, chunks=1, train=len(train), heldout=len(heldout), heldout_documents=1, split="chunk"
    )
    manifest = Manifest(
        stage="dataset", stage_version=1, key=key, work={}, files=files, result=result.model_dump(mode="json"),
        started_at="t", finished_at="t", seconds=0.0,
    )  # fmt: skip
    create_contract(store, layout.manifest("dataset", key), manifest)
    return wish


def put_run(
    store: ObjectStore, dataset: DatasetWish, recipe: TrainingRecipe, base_digest: str, parent: Parent | None = None
) -> RunWish:
    key = training_key(dataset.key, recipe, base_digest, parent)
    wish = RunWish(
        key=key, name="run", dataset=short(dataset.key), recipe=recipe, base_digest=base_digest, parent=parent, created_at="t"
    )
    create_contract(store, layout.run(short(key)), wish)
    return wish


def read_json_lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
