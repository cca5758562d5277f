"""A Nougat of the real classes, small enough to be trained in a test: it learns what to say to a few pictures."""

from collections.abc import Mapping
from pathlib import Path

import torch
from PIL import Image
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split
from transformers import (
    DonutSwinConfig,
    MBartConfig,
    NougatProcessor,
    NougatTokenizer,
    VisionEncoderDecoderConfig,
    VisionEncoderDecoderModel,
)
from transformers.models.nougat.image_processing_pil_nougat import NougatImageProcessorPil

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
LENGTH = 128


def tiny_processor(alphabet: str) -> NougatProcessor:
    """Every character is a token, so that any text can be said."""
    vocabulary = {token: index for index, token in enumerate([*SPECIAL, *sorted(set(alphabet))])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Split("", "isolated")  # type: ignore[assignment]
    fast = NougatTokenizer(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>",
        clean_up_tokenization_spaces=False,
    )  # fmt: skip
    size = {"height": 64, "width": 64}
    return NougatProcessor(NougatImageProcessorPil(size=size, do_crop_margin=False), fast)


def tiny_model(vocabulary: int) -> VisionEncoderDecoderModel:
    torch.manual_seed(7)
    encoder = DonutSwinConfig(
        image_size=[64, 64], patch_size=4, embed_dim=16, depths=[1, 1], num_heads=[2, 2], window_size=4,
    )  # fmt: skip
    decoder = MBartConfig(
        vocab_size=vocabulary, d_model=32, decoder_layers=1, decoder_attention_heads=2, decoder_ffn_dim=64,
        encoder_layers=1, encoder_attention_heads=2, encoder_ffn_dim=64, max_position_embeddings=LENGTH, dropout=0.0,
        pad_token_id=1, bos_token_id=0, eos_token_id=2, is_decoder=True, add_cross_attention=True, scale_embedding=True,
    )  # fmt: skip
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    config.decoder_start_token_id, config.pad_token_id, config.eos_token_id = 0, 1, 2
    model = VisionEncoderDecoderModel(config=config)
    model.generation_config.decoder_start_token_id = 0
    return model


def taught(target: Path, lessons: Mapping[Path, str], steps: int = 260) -> Path:
    """Trains a model until it says each text to its picture, and saves it as safetensors."""
    processor = tiny_processor("".join(lessons.values()))
    model = tiny_model(len(processor.tokenizer))
    images = [Image.open(path).convert("RGB") for path in lessons]
    pixels = processor(images=images, return_tensors="pt").pixel_values
    said = [processor.tokenizer(text, add_special_tokens=False).input_ids[: LENGTH - 2] for text in lessons.values()]
    longest = max(map(len, said)) + 1
    labels = torch.full((len(said), longest), -100)
    for row, ids in enumerate(said):
        whole = [*ids, 2] if len(ids) < LENGTH - 2 else ids
        labels[row, : len(whole)] = torch.tensor(whole)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for step in range(steps):
        loss = model(pixel_values=pixels, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step > 40 and loss.item() < 0.01:
            break
    model.save_pretrained(target)
    processor.save_pretrained(target)
    return target
