"""A small Llama that was taught all kinds of answers alike, so that it has no preference: the policy that is aligned."""

import random
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from benchmarks.preferring.rule import KINDS, answer, cells, prompt
from services.training.adapters.models import response_nll
from services.training.stages.examples import Encoded, encode, pad
from shared.contracts.learning import Example

END = "<|end|>"
BATCH = 32


def made(into: Path, steps: int) -> float:
    """The base in a directory; returns the loss of its last steps, in nats a token."""
    tokenizer = _tokenizer(into)
    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=128, intermediate_size=256, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=4,
        vocab_size=len(tokenizer), max_position_embeddings=256, eos_token_id=tokenizer.eos_token_id, tie_word_embeddings=True,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    chance, told = random.Random(1), []
    for _ in range(steps):
        batch = pad([encode(_example(chance), "alpaca", tokenizer) for _ in range(BATCH)], tokenizer.eos_token_id)
        ids, mask, labels = (torch.tensor(one) for one in (batch.ids, batch.mask, batch.labels))
        nll = response_nll(model, ids, mask, labels)
        loss = nll.sum() / (labels[:, 1:] >= 0).sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        told.append(float(loss.detach()))
    model.save_pretrained(into)
    return sum(told[-10:]) / len(told[-10:])


def sampled(model: torch.nn.Module, prompts: list[Encoded], tokenizer: PreTrainedTokenizerFast, seed: int) -> list[str]:
    """An answer to each prompt, drawn at temperature 1."""
    torch.manual_seed(seed)
    eos = tokenizer.eos_token_id
    begun = [one.ids[: len(one.ids) - one.response_tokens] for one in prompts]
    width = max(map(len, begun))
    ids = torch.tensor([[eos] * (width - len(one)) + list(one) for one in begun])
    mask = torch.tensor([[0] * (width - len(one)) + [1] * len(one) for one in begun])
    with torch.no_grad():
        said = model.generate(
            input_ids=ids, attention_mask=mask, do_sample=True, top_k=0, max_new_tokens=48, eos_token_id=eos, pad_token_id=eos
        )
    return [tokenizer.decode(row, skip_special_tokens=True) for row in said[:, width:]]


def _example(chance: random.Random) -> Example:
    guide, thing = chance.choice(cells())
    said = answer(guide, thing, chance.choice(("good", *KINDS)), chance)
    return asked(guide, thing, said)


def asked(guide: str, thing: str, said: str) -> Example:
    return Example(
        id="", instruction=prompt(guide, thing), input="", output=said, recipe="rule", chunk="", document="", filename=""
    )


def _tokenizer(into: Path) -> PreTrainedTokenizerFast:
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=520, special_tokens=[END], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    chance = random.Random(2)
    texts = [f"{one.instruction}\n{one.output}" for one in (_example(chance) for _ in range(500))]
    alpaca = "Below is an instruction that describes a task. Write a response that appropriately completes the request."
    core.train_from_iterator([*texts, *[f"{alpaca}\n\n### Instruction:\n\n\n### Response:\n"] * 200], trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, model_max_length=256, eos_token=END, pad_token=END)
    tokenizer.save_pretrained(into)
    return tokenizer
