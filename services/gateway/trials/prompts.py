"""The prompts that a tuning asks: those that came with it, else what people gave feedback on and what was held out of training.

Requests are recorded nowhere, so these are the only prompts there are. They are read anew each time and written down nowhere.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import nsmallest

from services.gateway.pairs import MAX_PROMPT
from services.gateway.parts import Parts
from shared import layout
from shared.catalog.protocol import Slice
from shared.contracts.learning import DeploymentWish, Example
from shared.contracts.tunings import PromptCounts, TuningPrompt, TuningWish
from shared.errors import InvalidInput, NotFound
from shared.jsonl import lines_of
from shared.keys import digest
from shared.objects import ObjectStore
from shared.pipeline import DATASET
from shared.results import committed
from shared.template import user_content

LOOKED_AT = 500
"""Latest words of people on a model, among which different prompts are looked for."""


class NoPrompts(InvalidInput):
    """There is nothing to measure settings on."""

    code = "no-prompts"


@dataclass(frozen=True, slots=True)
class Drawn:
    """Prompts and where they came from."""

    prompts: tuple[TuningPrompt, ...]
    counts: PromptCounts

    def without(self, refused: frozenset[int]) -> "Drawn":
        """Those that the engine takes, by their places."""
        kept = tuple(one for at, one in enumerate(self.prompts) if at not in refused)
        return Drawn(kept, self.counts.model_copy(update={"too_long": len(refused), "sha256": digest_of(kept)}))


def recorded(parts: Parts, wish: DeploymentWish, most: int) -> Drawn:
    """What people gave feedback on, newest first, filled up with examples that the model's dataset holds out. Raises
    NoPrompts."""
    said = _of_feedback(parts, wish, most)
    held = [one for one in _held_out(parts, wish, most) if one not in said][: most - len(said)]
    prompts = (*said, *held)
    if not prompts:
        raise NoPrompts(
            f"There are no recorded prompts of {wish.model or wish.base}: nobody gave feedback on its answers, and no dataset "
            "holds examples of it out. Give prompts of your own: `lectern deploy --name NAME --tune --prompts FILE.jsonl`, in "
            "REST `prompts`."
        )
    return Drawn(prompts, PromptCounts(feedback=len(said), heldout=len(held), sha256=digest_of(prompts)))


def given(store: ObjectStore, job: str) -> Drawn:
    """Those that came with a tuning. Raises NotFound where they are gone."""
    try:
        lines = list(lines_of(store, layout.tuning_prompts(job)))
    except NotFound:
        raise NotFound("The prompts that came with this tuning are gone: ask for it again, with them.") from None
    prompts = tuple(TuningPrompt.model_validate_json(line) for line in lines)
    return Drawn(prompts, PromptCounts(given=len(prompts), sha256=digest_of(prompts)))


def keep(store: ObjectStore, job: str, prompts: Sequence[TuningPrompt]) -> None:
    """Keep prompts until their tuning ends."""
    store.create(layout.tuning_prompts(job), b"".join(one.model_dump_json().encode() + b"\n" for one in prompts))


def drawn(parts: Parts, job: str, tuning: TuningWish, wish: DeploymentWish) -> Drawn:
    """The prompts of a tuning. Raises NoPrompts, NotFound."""
    return given(parts.store, job) if tuning.given else recorded(parts, wish, tuning.parameters.sample)


def digest_of(prompts: Sequence[TuningPrompt]) -> str:
    return digest([(one.mode, one.prompt) for one in prompts])


def _of_feedback(parts: Parts, wish: DeploymentWish, most: int) -> list[TuningPrompt]:
    said = parts.catalog.all_feedback(Slice(LOOKED_AT), wish.model or wish.base)
    return list(dict.fromkeys(TuningPrompt(prompt=one.prompt, mode=one.mode) for one in said))[:most]


def _held_out(parts: Parts, wish: DeploymentWish, most: int) -> list[TuningPrompt]:
    """Drawn by a digest of their ids: the same ones each time."""
    examples = (one for one in _examples(parts, wish) if len(user_content(one.instruction, one.input)) <= MAX_PROMPT)
    return [_asked(one) for one in nsmallest(most, examples, key=lambda one: hashlib.sha256(one.id.encode()).digest())]


def _examples(parts: Parts, wish: DeploymentWish) -> Iterator[Example]:
    model = parts.catalog.model(wish.model) if wish.model else None
    dataset = parts.catalog.dataset(model.dataset) if model else None
    manifest = committed(parts.store, DATASET.name, dataset.wish.key) if dataset else None
    if manifest is not None and "heldout.jsonl" in manifest.files:
        yield from (Example.model_validate_json(line) for line in lines_of(parts.store, manifest.files["heldout.jsonl"].path))


def _asked(example: Example) -> TuningPrompt:
    return TuningPrompt(prompt=user_content(example.instruction, example.input))
