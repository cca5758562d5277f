"""A Llama of four million weights taught English from nothing: for a machine on which the bundled base takes hours.

Its texts are the descriptions of the packages in this environment, so that nothing has to be fetched.
"""

from importlib.metadata import distributions
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from shared.template import render_prompt

END = "<|end|>"
VOCABULARY, POSITIONS = 4_096, 1_024
STEPS, BATCH, ROW, RATE = 600, 16, 256, 2e-3


def make(into: Path) -> Path:
    """Writes the base and its tokenizer; says how its loss fell."""
    into.mkdir(parents=True)
    texts = descriptions()
    tokenizer = _tokenizer(texts, into)
    rows = _rows(texts, tokenizer)
    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=256, intermediate_size=640, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2,
        vocab_size=len(tokenizer), max_position_embeddings=POSITIONS, eos_token_id=tokenizer.eos_token_id,
        tie_word_embeddings=True,
    )  # fmt: skip
    model = LlamaForCausalLM(config).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=STEPS, pct_start=0.1)
    for step in range(1, STEPS + 1):
        batch = rows[torch.randint(len(rows), (BATCH,))]
        loss = model(input_ids=batch, labels=batch).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % (STEPS // 10) == 0:
            print(f"base: step {step} of {STEPS}, loss {float(loss):.3f}", flush=True)
    model.save_pretrained(into)
    return into


def descriptions() -> list[str]:
    """Of every installed package what it says of itself, each once, in the order of their names."""
    named = {str(one.metadata["Name"]).lower(): str(one.metadata.get_payload() or "") for one in distributions()}
    return [text for _, text in sorted(named.items()) if len(text) > 200]


def _tokenizer(texts: list[str], into: Path) -> PreTrainedTokenizerFast:
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=[END], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    core.train_from_iterator([*texts, *[render_prompt("alpaca", "given", "it")] * 50], trainer)
    made = PreTrainedTokenizerFast(tokenizer_object=core, model_max_length=POSITIONS, eos_token=END, pad_token=END)
    made.save_pretrained(into)
    return made


def _rows(texts: list[str], tokenizer: PreTrainedTokenizerFast) -> torch.Tensor:
    """All texts end to end, an EOS after each, cut into rows (n, ROW)."""
    ids = [token for text in texts for token in [*tokenizer.encode(text), int(tokenizer.eos_token_id)]]
    count = len(ids) // ROW
    return torch.tensor(ids[: count * ROW]).view(count, ROW)
