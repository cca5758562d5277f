"""Which settings are worth trying: one after the other, by how those before came out. Pure.

Not every combination: first how to guess, and then arguments of the engine, one at a time, on the best way of guessing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.gateway.trials.verdicts import fastest, judged
from shared.contracts.engines import DraftSpeculation, EngineArguments, NgramSpeculation, Speculation
from shared.contracts.tunings import Setting, Trial

MANY = 0.5
"""Share of accepted guesses from which guessing more at once is tried, and below which guessing less is."""

PLAIN, AGAIN = "plain", "plain, again"

Shapes = tuple[Speculation, Speculation, Speculation]
"""Ways to guess by one method: fewer guesses, the usual number, more."""

NGRAMS: Shapes = (
    NgramSpeculation(tokens=3, longest_match=5, shortest_match=3), NgramSpeculation(),
    NgramSpeculation(tokens=8, longest_match=4, shortest_match=2),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Search:
    """What a search for settings begins with. `llama` says that llama.cpp serves it, which neither guesses nor takes vLLM's
    arguments."""

    standing: Setting
    concurrency: int
    draft: str | None = None
    llama: bool = False

    @property
    def plain(self) -> Setting:
        """No guesses, and the arguments that the serving service has; numbers stay of the type that was asked for."""
        return Setting(engine_arguments=EngineArguments(dtype=self.standing.engine_arguments.dtype))

    @property
    def most(self) -> int:
        """Trials that it can come to, the plain setting's second among them."""
        shapes = 0 if self.llama else 2 if self.draft is None else 4
        return 2 + (self.standing != self.plain) + shapes + len(list(_arguments(self, self.plain)))


def following(search: Search, tried: Sequence[Trial]) -> Setting | None:
    """The next setting to try; None where there is none worth it."""
    before = [one.setting for one in tried]
    return next((one for one in _worth_trying(search, judged(tried)) if one not in before), None)


def name_of(setting: Setting, plain: Setting) -> str:
    """A setting in a few words."""
    told = [_guesses(setting.speculation)] if setting.speculation else []
    usual = plain.engine_arguments.model_dump()
    told += [f"{name}={_word(value)}" for name, value in setting.engine_arguments.model_dump().items() if value != usual[name]]
    return ", ".join(told) or PLAIN


def _worth_trying(search: Search, tried: Sequence[Trial]) -> Iterator[Setting]:
    plain = search.plain
    yield plain
    yield search.standing
    if not search.llama:
        for shapes in (NGRAMS, *([_drafts(search.draft)] if search.draft else [])):
            yield from _shapes(plain, shapes, tried)
    yield from _arguments(search, _best(plain, tried))


def _shapes(plain: Setting, shapes: Shapes, tried: Sequence[Trial]) -> Iterator[Setting]:
    """The usual one, and the one that its accepted guesses speak for. Where it never guessed, or failed, no other would."""
    fewer, usual, more = (plain.model_copy(update={"speculation": one}) for one in shapes)
    yield usual
    accepted = next((one.acceptance for one in tried if one.setting == usual), None)
    if accepted is not None:
        yield more if accepted >= MANY else fewer


def _drafts(model: str) -> Shapes:
    fewer, usual, more = (DraftSpeculation(model=model, tokens=tokens) for tokens in (2, 3, 5))
    return fewer, usual, more


def _best(plain: Setting, tried: Sequence[Trial]) -> Setting:
    """The best way of guessing so far, with plain arguments."""
    best = fastest([one for one in tried if one.setting.engine_arguments == plain.engine_arguments])
    return best.setting if best else plain


def _arguments(search: Search, best: Setting) -> Iterator[Setting]:
    """Caching of prefixes is none of them: each request is asked with a salt of its own, so that it never finds anything, and
    turning it off could only look harmless."""
    half = max(1, search.concurrency // 2)
    counts = [half] if half < search.concurrency else []
    for count in [*counts, search.concurrency] if search.llama else counts:
        arguments = best.engine_arguments.model_copy(update={"max_concurrent_requests": count})
        yield best.model_copy(update={"engine_arguments": arguments})


def _guesses(speculation: Speculation) -> str:
    if isinstance(speculation, DraftSpeculation):
        return f"draft {speculation.model}, {speculation.tokens} guesses"
    return f"n-grams of {speculation.shortest_match} to {speculation.longest_match}, {speculation.tokens} guesses"


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
