"""The prompt template, in one place: datasets render it, the adapter's tokenizer carries it, and vLLM is given it.

`alpaca` is Stanford Alpaca's wording (Taori et al. 2023); `chat` is whatever the base model's own tokenizer brings. A
user's message is the instruction; an input, where there is one, follows it under its own heading.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from shared.errors import Unsupported

INPUT_HEADING = "\n\n### Input:\n"

ALPACA = (
    "{%- for message in messages -%}"
    "{%- if message['role'] == 'user' -%}"
    "{%- if '### Input:' in message['content'] -%}"
    "{{ 'Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request.\\n\\n### Instruction:\\n' }}"
    "{%- else -%}"
    "{{ 'Below is an instruction that describes a task. "
    "Write a response that appropriately completes the request.\\n\\n### Instruction:\\n' }}"
    "{%- endif -%}"
    "{{ message['content'] + '\\n\\n### Response:\\n' }}"
    "{%- elif message['role'] == 'assistant' -%}"
    "{{ message['content'] + (eos_token or '') + '\\n\\n' }}"
    "{%- endif -%}"
    "{%- endfor -%}"
)

TEMPLATES = {"alpaca": ALPACA}
CHAT = "chat"
"""The name of the base model's own template: datasets, runs and engines each take it from the base they use."""

CONFIG, OWN = "tokenizer_config.json", "chat_template.jinja"
"""The files of a base model that its own template may be in."""

_DAY = "01 Jan 2025"
"""What a template that asks for the date is told: the same dataset must be the same on any day."""


@dataclass(frozen=True, slots=True)
class PromptTemplate:
    """A chat template as Jinja, and the tokens it may name."""

    text: str
    bos_token: str = ""
    eos_token: str = ""

    def prompt(self, instruction: str, given: str = "") -> str:
        """The prompt up to where the answer begins; the answer and EOS follow it directly. Raises Unsupported where the
        template cannot be rendered."""
        message = {"role": "user", "content": user_content(instruction, given)}
        try:
            return str(
                _compiled(self.text).render(
                    messages=[message], add_generation_prompt=True, bos_token=self.bos_token, eos_token=self.eos_token
                )
            )
        except Exception as error:  # a template is a program, and may fail as any other
            raise Unsupported(
                f"The base model's chat template cannot be rendered ({type(error).__name__}: {error}). "
                "Use the template alpaca instead."
            ) from error


def chat_template_of(config: Mapping[str, Any], own: str | None) -> PromptTemplate | None:
    """The template that a base model brings, by its tokenizer_config.json and its chat_template.jinja; None without one."""
    text = own or _default(config.get("chat_template"))
    if not text:
        return None
    return PromptTemplate(text, _token(config.get("bos_token")), _token(config.get("eos_token")))


def template_of(name: str, config: bytes | None, own: bytes | None) -> PromptTemplate | None:
    """The template of that name for a base model with these files; None for `chat` where the base has none."""
    if name != CHAT:
        return PromptTemplate(TEMPLATES[name])
    told = json.loads(config) if config else {}
    return chat_template_of(told if isinstance(told, dict) else {}, own.decode() if own else None)


def user_content(instruction: str, given: str) -> str:
    """What a user would have to say for this instruction and input (which may be empty)."""
    return instruction + (INPUT_HEADING + given if given else "")


def render_prompt(template: str, instruction: str, given: str = "") -> str:
    """The prompt by one of our own templates."""
    return PromptTemplate(TEMPLATES[template]).prompt(instruction, given)


@cache
def _compiled(text: str) -> Template:
    """As transformers compiles chat templates: in a sandbox, since they are programs that come with a model."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"], keep_trailing_newline=False
    )
    environment.filters["tojson"] = _tojson
    environment.globals.update(raise_exception=_refuse, strftime_now=lambda format: _DAY)
    return environment.from_string(text)


def _tojson(value: object, **options: Any) -> str:
    """Without the escapes for HTML that Jinja's own has."""
    return json.dumps(value, ensure_ascii=False, **options)


def _refuse(message: str) -> None:
    raise TemplateError(message)


def _default(told: object) -> str | None:
    """One template, or a list of named ones."""
    if isinstance(told, str):
        return told
    named = {one.get("name"): one.get("template") for one in told if isinstance(one, dict)} if isinstance(told, list) else {}
    found = named.get("default")
    return found if isinstance(found, str) else None


def _token(told: object) -> str:
    content = told.get("content") if isinstance(told, dict) else told
    return content if isinstance(content, str) else ""
