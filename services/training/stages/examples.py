"""An instruction example as the model sees it: token ids, and labels that count the answer and its EOS and nothing else.

Positions are masked by where they are, never by which token stands there: in many tokenizers (SmolLM2's among them) the
pad token *is* EOS, and a model whose EOS is masked by id never learns to stop.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from shared.contracts.learning import Example
from shared.errors import Unsupported
from shared.template import CHAT, PromptTemplate, chat_template_of, render_prompt, user_content

IGNORED = -100
"""The label of a position that the loss leaves out (torch.nn.CrossEntropyLoss's default)."""


class Tokenizer(Protocol):
    """What is asked of a base model's tokenizer."""

    eos_token_id: Any
    bos_token: Any
    eos_token: Any
    chat_template: Any
    all_special_tokens: Any

    def encode(self, text: str, *, add_special_tokens: bool, split_special_tokens: bool) -> list[int]: ...


@dataclass(frozen=True, slots=True)
class Encoded:
    """One example: `ids` and `labels` have the same length; the last position of both is EOS."""

    ids: tuple[int, ...]
    labels: tuple[int, ...]

    @property
    def response_tokens(self) -> int:
        return sum(label != IGNORED for label in self.labels)


@dataclass(frozen=True, slots=True)
class Batch:
    """Examples padded on the right to the longest: three lists of shape [batch, seq]."""

    ids: list[list[int]]
    mask: list[list[int]]
    labels: list[list[int]]


def encode(example: Example, template: str, tokenizer: Tokenizer, loss: Literal["response", "all"] = "response") -> Encoded:
    """With loss on the response: prompt masked, answer and EOS not. On all: nothing masked but the first token, which
    nothing precedes.

    The prompt is tokenized apart from the answer, as it will be when the model is asked. Text that spells a special
    token stays text: a document cannot smuggle in an EOS.
    """
    prompt = _chat_prompt(example, tokenizer) if template == CHAT else _prompt(example, template, tokenizer)
    answer = [*_plain(tokenizer, example.output), int(tokenizer.eos_token_id)]
    hidden = len(prompt) if loss == "response" else 1
    ids = (*prompt, *answer)
    return Encoded(ids=ids, labels=(*([IGNORED] * hidden), *ids[hidden:]))


def completion(prompt: str, answer: str, tokenizer: Tokenizer) -> Encoded:
    """A text to be gone on with, in no template: the prompt masked, what follows it and EOS not."""
    before = [*_begin(tokenizer), *_plain(tokenizer, prompt)]
    after = (*_plain(tokenizer, answer), int(tokenizer.eos_token_id))
    return Encoded(ids=(*before, *after), labels=(*([IGNORED] * len(before)), *after))


def pad(examples: Sequence[Encoded], pad_id: int) -> Batch:
    """Make the examples of a batch equally long. What was padded is masked and never a label, whatever `pad_id` is."""
    width = max(len(one.ids) for one in examples)
    gaps = [width - len(one.ids) for one in examples]
    return Batch(
        ids=[[*one.ids, *[pad_id] * gap] for one, gap in zip(examples, gaps, strict=True)],
        mask=[[*[1] * len(one.ids), *[0] * gap] for one, gap in zip(examples, gaps, strict=True)],
        labels=[[*one.labels, *[IGNORED] * gap] for one, gap in zip(examples, gaps, strict=True)],
    )


def begins_with_bos(tokenizer: Tokenizer) -> bool:
    """Whether this tokenizer opens every text with a BOS of its own accord."""
    return bool(_begin(tokenizer))


def own_template(tokenizer: Tokenizer) -> PromptTemplate | None:
    """The chat template that the base's tokenizer brings, or None."""
    told = {"chat_template": tokenizer.chat_template, "bos_token": tokenizer.bos_token, "eos_token": tokenizer.eos_token}
    return chat_template_of(told, None)


def _prompt(example: Example, template: str, tokenizer: Tokenizer) -> list[int]:
    return _begin(tokenizer) + _plain(tokenizer, render_prompt(template, example.instruction, example.input))


def _chat_prompt(example: Example, tokenizer: Tokenizer) -> list[int]:
    """As the engine tokenizes a chat: the template's special tokens are tokens, and no BOS is added to what it says. Only
    where the example itself spells one are its words kept apart."""
    template = own_template(tokenizer)
    if template is None:
        raise Unsupported("the base model's tokenizer has no chat template")
    said = user_content(example.instruction, example.input)
    text = template.prompt(example.instruction, example.input)
    if not any(token in said for token in tokenizer.all_special_tokens):
        return _marked(tokenizer, text)
    before, _, after = text.partition(said)
    return [*_marked(tokenizer, before), *_plain(tokenizer, said), *_marked(tokenizer, after)]


def chat_template(template: str, tokenizer: Tokenizer) -> str:
    """The prompt template for an adapter's tokenizer: with the BOS that training saw, where there was one."""
    return "{{- bos_token -}}" + template if begins_with_bos(tokenizer) else template


def _begin(tokenizer: Tokenizer) -> list[int]:
    special = tokenizer.encode("", add_special_tokens=True, split_special_tokens=True)
    return [token for token in special[:1] if token != tokenizer.eos_token_id]


def _plain(tokenizer: Tokenizer, text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True))


def _marked(tokenizer: Tokenizer, text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False, split_special_tokens=False))
