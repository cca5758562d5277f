"""The prompt template, in one place: datasets render it, the adapter's tokenizer carries it, and vLLM is given it.

The wording is Stanford Alpaca's (Taori et al. 2023). A user's message is the instruction; an input, where there is one,
follows it under its own heading.
"""

from functools import cache

from jinja2.sandbox import ImmutableSandboxedEnvironment

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


@cache
def _compiled(template: str):  # type: ignore[no-untyped-def]
    return ImmutableSandboxedEnvironment().from_string(TEMPLATES[template])


def user_content(instruction: str, given: str) -> str:
    """What a user would have to say for this instruction and input (which may be empty)."""
    return instruction + (INPUT_HEADING + given if given else "")


def render_prompt(template: str, instruction: str, given: str = "") -> str:
    """The prompt up to and including the response heading; the answer and EOS follow it directly."""
    message = {"role": "user", "content": user_content(instruction, given)}
    return str(_compiled(template).render(messages=[message], eos_token=""))
