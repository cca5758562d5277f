"""A small base of random weights with the bundled model's own tokenizer: real examples, steps of a fraction of a second."""

from pathlib import Path

from shared import layout
from shared.bases import publish_base
from shared.contracts.learning import BaseModelManifest
from shared.objects import ObjectStore, read_contract

BUNDLED, SMALL = "smollm2-135m-instruct", "small-random"


def publish_small(store: ObjectStore, directory: Path) -> None:
    """Publish it beside the bundled base, whose tokenizer it takes."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    bundled = read_contract(store, layout.base_manifest(BUNDLED), BaseModelManifest)
    assert bundled is not None, "the bundled base is published first"
    directory.mkdir(parents=True)
    for name in bundled.files:
        if not name.endswith((".safetensors", "config.json")) or name == "tokenizer_config.json":
            path = next(one for one in store.list(f"bases/{BUNDLED}") if one.endswith(f"/{name}"))
            store.download(path, directory / name)
    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        vocab_size=49_152, max_position_embeddings=2_048, bos_token_id=1, eos_token_id=2, pad_token_id=2,
        tie_word_embeddings=True,
    )  # fmt: skip
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(directory)
    publish_base(
        store, directory, name=SMALL, source="random weights", licence="none", architecture="LlamaForCausalLM",
        eos_token=bundled.eos_token,
    )  # fmt: skip
