"""Prompt templates: our own, a base model's own, and what a template may not do."""

import json

import pytest

from shared.errors import Unsupported
from shared.template import ALPACA, PromptTemplate, chat_template_of, render_prompt, template_of

CHATML = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nHelp.<|im_end|>\n' }}"
    "{% endif %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def test_alpaca_is_rendered_alike_by_name_and_as_a_template() -> None:
    assert render_prompt("alpaca", "Say it.", "given") == PromptTemplate(ALPACA).prompt("Say it.", "given")
    assert render_prompt("alpaca", "Say it.").endswith("### Instruction:\nSay it.\n\n### Response:\n")


@pytest.mark.parametrize(
    ("config", "own"),
    [
        ({"chat_template": CHATML}, None),
        ({"chat_template": [{"name": "tool", "template": "x"}, {"name": "default", "template": CHATML}]}, None),
        ({"chat_template": "old"}, CHATML),
    ],
)
def test_a_bases_own_template_is_found_wherever_it_is_kept(config: dict[str, object], own: str | None) -> None:
    found = template_of("chat", json.dumps(config).encode(), own.encode() if own else None)

    assert found is not None
    said = found.prompt("Say it.")
    assert said == "<|im_start|>system\nHelp.<|im_end|>\n<|im_start|>user\nSay it.<|im_end|>\n<|im_start|>assistant\n"


@pytest.mark.parametrize("config", [b"{}", b"[]", None, b'{"chat_template": 3}', b'{"chat_template": [{"name": "tool"}]}'])
def test_a_base_without_a_template_has_none(config: bytes | None) -> None:
    assert template_of("chat", config, None) is None
    assert template_of("alpaca", config, None) == PromptTemplate(ALPACA)


def test_a_template_may_name_its_tokens_and_is_told_one_date_for_ever() -> None:
    config = {"chat_template": "{{ bos_token }}{{ strftime_now('%d') }} {{ messages[0]['content'] | tojson }}{{ eos_token }}",
              "bos_token": {"content": "<s>"}, "eos_token": "</s>"}  # fmt: skip
    found = chat_template_of(config, None)

    assert found is not None and found.prompt("a < b") == '<s>01 Jan 2025 "a < b"</s>'


@pytest.mark.parametrize(
    "evil",
    [
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ messages.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.append(1) }}",
        "{{ raise_exception('no') }}",
        "{% for",
        "{{ 'x' * none }}",
        "{% for one in range(10 ** 12) %}{% endfor %}",
    ],
)
def test_a_template_that_reaches_out_or_breaks_is_refused(evil: str) -> None:
    with pytest.raises(Unsupported, match="alpaca"):
        PromptTemplate(evil).prompt("Say it.")
