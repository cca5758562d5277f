"""A Llama of some hundred thousand weights that is taught the small language from nothing, in seconds, on a CPU."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from benchmarks.reinforcement.language import example
from services.training.adapters.models import response_nll
from services.training.stages.examples import Encoded, encode, pad
from shared.template import render_prompt

END = "<|end|>"
STEPS, BATCH, RATE = 500, 32, 3e-3


def tokenizer(directory: Path) -> PreTrainedTokenizerFast:
    """Byte-level BPE whose EOS is its pad token too."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=440, special_tokens=[END], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    told = (example(index, 0) for index in range(400))
    core.train_from_iterator((render_prompt("alpaca", one.instruction) + one.output for one in told), trainer)
    made = PreTrainedTokenizerFast(tokenizer_object=core, model_max_length=256, eos_token=END, pad_token=END)
    made.save_pretrained(directory)
    return made


def teach(directory: Path) -> list[Encoded]:
    """Write the base that knows the language; returns examples of it, for their prompts."""
    told = tokenizer(directory)
    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=64, intermediate_size=192, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        vocab_size=len(told), max_position_embeddings=256, eos_token_id=told.eos_token_id, tie_word_embeddings=False,
    )  # fmt: skip
    model = LlamaForCausalLM(config).train()
    encoded = [encode(example(index, 1), "alpaca", told) for index in range(2_000)]
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        rows = [encoded[int(index)] for index in torch.randint(len(encoded), (BATCH,))]
        batch = pad(rows, int(told.eos_token_id))
        losses = response_nll(model, *(torch.tensor(one) for one in (batch.ids, batch.mask, batch.labels)))
        optimizer.zero_grad()
        (losses.sum() / sum(one.response_tokens for one in rows)).backward()
        optimizer.step()
        schedule.step()
    model.save_pretrained(directory)
    return encoded
