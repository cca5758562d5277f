"""A preference as the model sees it: one prompt, and after it either answer with its EOS."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.training.stages.examples import IGNORED, Encoded, Tokenizer, completion, encode
from services.training.stages.packing import Row
from shared.contracts.feedback import Preference
from shared.contracts.learning import Example
from shared.contracts.recipes import TrainingRecipe
from shared.contracts.work import Rejected


@dataclass(frozen=True, slots=True)
class Pair:
    """Token ids; both answers end in EOS."""

    prompt: tuple[int, ...]
    chosen: tuple[int, ...]
    rejected: tuple[int, ...]

    @property
    def longest(self) -> int:
        """Tokens of the prompt with the longer answer."""
        return len(self.prompt) + max(len(self.chosen), len(self.rejected))

    @property
    def answers(self) -> tuple[Encoded, Encoded]:
        """The prompt with the chosen answer, and with the rejected one: the prompt masked."""
        hidden = (IGNORED,) * len(self.prompt)
        chosen, rejected = (Encoded(self.prompt + one, hidden + one) for one in (self.chosen, self.rejected))
        return chosen, rejected


def encode_pair(preference: Preference, template: str, tokenizer: Tokenizer) -> Pair:
    """A chat's prompt stands in the template as it does when the model is asked; a completion's stands bare."""
    chosen, rejected = (_encoded(preference, text, template, tokenizer) for text in (preference.chosen, preference.rejected))
    begin = len(chosen.ids) - chosen.response_tokens
    return Pair(chosen.ids[:begin], chosen.ids[begin:], rejected.ids[begin:])


def _encoded(preference: Preference, answer: str, template: str, tokenizer: Tokenizer) -> Encoded:
    if preference.mode == "completion":
        return completion(preference.prompt, answer, tokenizer)
    asked = Example(
        id="", instruction=preference.prompt, input="", output=answer, recipe="preference", chunk="", document="", filename=""
    )
    return encode(asked, template, tokenizer)


def row_of(pair: Pair) -> Row:
    """A pair end to end, so that it travels as examples do; its lengths are those of the three parts."""
    ids = pair.prompt + pair.chosen + pair.rejected
    return Row(ids, ids, (len(pair.prompt), len(pair.chosen), len(pair.rejected)))


def pair_of(row: Row) -> Pair:
    """The pair that a row was made of."""
    first, second = row.lengths[0], row.lengths[0] + row.lengths[1]
    return Pair(row.ids[:first], row.ids[first:second], row.ids[second:])


def refuse_pairs(pairs: Sequence[Pair], recipe: TrainingRecipe) -> Rejected | None:
    """Preferences that cannot be trained on: fewer than one pair a worker, or with pairs over the limit."""
    if len(pairs) < recipe.workers:
        return Rejected(
            reason="no-preferences",
            detail=f"The preference set has {len(pairs)} pairs to train on, and {recipe.workers} workers need at least one "
            "each. Collect more feedback, upload pairs, or ask for fewer workers.",
        )
    long = [one.longest for one in pairs if one.longest > recipe.max_tokens]
    if not long:
        return None
    return Rejected(
        reason="example-too-long",
        detail=f"{len(long)} pairs are longer than the recipe's max_tokens of {recipe.max_tokens} (prompt, answer and EOS; the "
        f"longest has {max(long)}). Raise max_tokens, or build the set without them.",
    )
