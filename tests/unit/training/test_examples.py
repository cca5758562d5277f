"""What the loss sees: the answer and its EOS, never the prompt, never the padding."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from services.training.adapters.trainer import PadBatch
from services.training.stages.examples import IGNORED, Encoded, chat_template, encode, own_template, pad
from services.training.stages.recipe import refuse_template
from shared.contracts.learning import Example
from shared.template import ALPACA, render_prompt, user_content
from tests.unit.training.world import END

SESSION = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture(scope="module")
def tokenizer(tiny_base: Path) -> Any:
    return AutoTokenizer.from_pretrained(tiny_base)


def example(instruction: str, given_text: str, output: str) -> Example:
    return Example(
        id="e", instruction=instruction, input=given_text, output=output, recipe="r", chunk="c", document="d", filename="f"
    )


@SESSION
@given(st.text(), st.text(), st.text())
def test_an_answer_and_its_eos_are_learnt_and_nothing_else(
    tokenizer: Any, instruction: str, given_text: str, output: str
) -> None:
    encoded = encode(example(instruction, given_text, output), "alpaca", tokenizer)
    kept = [label for label in encoded.labels if label != IGNORED]
    assert encoded.labels == (*[IGNORED] * (len(encoded.ids) - len(kept)), *kept)
    assert tuple(kept) == encoded.ids[-len(kept) :]
    assert kept[-1] == tokenizer.eos_token_id
    assert encoded.response_tokens == len(kept)


def test_the_prompt_is_tokenized_as_it_will_be_when_the_model_is_asked(tokenizer: Any) -> None:
    encoded = encode(example("Say it.", "given", "the pump."), "alpaca", tokenizer)
    prompt = tokenizer(render_prompt("alpaca", "Say it.", "given"))["input_ids"]
    assert list(encoded.ids[: len(prompt)]) == prompt
    assert tokenizer.decode(encoded.ids[len(prompt) :]) == f"the pump.{END}"


@SESSION
@given(st.text(), st.text())
def test_a_document_cannot_smuggle_in_an_eos(tokenizer: Any, before: str, after: str) -> None:
    encoded = encode(example("Say it.", f"{before}{END}", f"{before}{END}{after}"), "alpaca", tokenizer)
    assert encoded.ids.count(tokenizer.eos_token_id) == 1


rows = st.lists(
    st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=20).map(
        lambda row: Encoded(tuple(one for one, _ in row), tuple(one if kept else IGNORED for one, kept in row))
    ),
    min_size=1,
    max_size=6,
)


@given(rows, st.integers(0, 9))
def test_padding_is_masked_by_position_whatever_the_pad_token_is(examples: list[Encoded], pad_id: int) -> None:
    batch = pad(examples, pad_id)
    width = max(len(one.ids) for one in examples)
    for one, ids, mask, labels in zip(examples, batch.ids, batch.mask, batch.labels, strict=True):
        own = len(one.ids)
        assert (len(ids), len(mask), len(labels)) == (width, width, width)
        assert (tuple(ids[:own]), tuple(labels[:own]), mask[:own]) == (one.ids, one.labels, [1] * own)
        assert (ids[own:], labels[own:], mask[own:]) == (
            [pad_id] * (width - own), [IGNORED] * (width - own), [0] * (width - own)
        )  # fmt: skip


def test_eos_stays_a_label_in_the_tensors_though_it_is_the_pad_token_too(tokenizer: Any) -> None:
    assert tokenizer.eos_token_id == tokenizer.pad_token_id
    some = [encode(example("Say it.", "", text), "alpaca", tokenizer) for text in ("short", "a much longer answer than that")]
    batch = PadBatch(tokenizer.pad_token_id)([{"input_ids": one.ids, "labels": one.labels} for one in some])
    for row, one in enumerate(some):
        labels = batch["labels"][row]
        assert int((labels == tokenizer.eos_token_id).sum()) == 1
        assert int(labels[len(one.ids) - 1]) == tokenizer.eos_token_id


class WithBos:
    """A tokenizer of the kind that opens every text with a BOS."""

    eos_token_id = 1

    def encode(self, text: str, *, add_special_tokens: bool, split_special_tokens: bool) -> list[int]:
        return [0] * add_special_tokens + [ord(letter) for letter in text]


def test_a_bos_that_training_saw_is_in_the_chat_template_too(tokenizer: Any) -> None:
    assert encode(example("Say it.", "", "x"), "alpaca", WithBos()).ids[0] == 0
    assert chat_template(ALPACA, WithBos()) == "{{- bos_token -}}" + ALPACA
    assert chat_template(ALPACA, tokenizer) == ALPACA


CHATML = (
    "{% for message in messages %}{{ '<|user|>\n' + message['content'] + eos_token + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)


@pytest.fixture(scope="module")
def chatting(tiny_base: Path) -> Any:
    """A tokenizer that brings a template of its own, and tokens for it."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|user|>", "<|assistant|>"]})
    tokenizer.chat_template = CHATML
    return tokenizer


@SESSION
@given(st.text(), st.text())
def test_a_bases_own_template_is_tokenized_as_the_engine_does_it(chatting: Any, instruction: str, given_text: str) -> None:
    """transformers' own rendering, which vLLM uses too."""
    encoded = encode(example(instruction, given_text, "the pump."), "chat", chatting)
    content = user_content(instruction, given_text)
    asked = chatting.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)["input_ids"]

    assert list(encoded.ids[: len(asked)]) == list(asked)
    answer = [*chatting.encode("the pump.", add_special_tokens=False), chatting.eos_token_id]
    assert [label for label in encoded.labels if label != IGNORED] == answer == list(encoded.ids[len(asked) :])


@pytest.mark.parametrize("evil", [END, "<|assistant|>", "<|user|>"])
def test_in_a_chat_too_a_document_cannot_smuggle_in_a_token(chatting: Any, evil: str) -> None:
    encoded = encode(example("Say it.", f"a {evil} b", f"c {evil} d"), "chat", chatting)
    token = chatting.convert_tokens_to_ids(evil)
    plain = encode(example("Say it.", "a b", "c d"), "chat", chatting)

    assert encoded.ids.count(token) == plain.ids.count(token)


def test_a_base_without_a_template_of_its_own_is_refused(tokenizer: Any) -> None:
    assert own_template(tokenizer) is None
    refused = refuse_template("chat", own=False)
    assert refused is not None and refused.reason == "no-chat-template"
    assert refuse_template("chat", own=True) is None
