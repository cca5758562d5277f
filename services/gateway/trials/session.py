"""One tuning's measurements: the plain setting, each that is worth trying, the plain one again; and what comes of them."""

import secrets
from collections.abc import Callable, Collection, Sequence

from services.gateway.engines import find_target
from services.gateway.guesses import guessed
from services.gateway.parts import Parts
from services.gateway.trials.candidates import AGAIN, PLAIN, Search, following, name_of
from services.gateway.trials.measuring import Asker, EngineLost, Refused, Round, load
from services.gateway.trials.place import NeverReady, TrialPlace, setting_of
from services.gateway.trials.prompts import Drawn, NoPrompts
from services.gateway.trials.verdicts import Answer, chosen, compared, judged, near_tie
from services.gateway.trials.wishes import serves_by_llama
from shared.clock import now
from shared.contracts.learning import DeploymentWish
from shared.contracts.tunings import Setting, Trial, TuningReport, TuningWish
from shared.contracts.views import DeploymentView, Guesses
from shared.contracts.work import Progress
from shared.errors import InvalidInput, LecternError

ROUNDS = 2
"""Of each load, alone and at once in turn."""


class PlainFailed(LecternError):
    """The plain setting could not be measured, so there is nothing to compare others with."""

    code = "plain-failed"


class PromptTooLong(InvalidInput):
    """The engine does not take a prompt that came with a tuning."""

    code = "prompt-too-long"


class Session:
    """Tries one setting after another of one deployment. `tell` may raise to end it. `left` are endpoints of a trial that an
    earlier attempt left."""

    def __init__(
        self, parts: Parts, tuning: TuningWish, wish: DeploymentWish, drawn: Drawn, tell: Callable[[Progress], None],
        left: Collection[str] = (),
    ) -> None:  # fmt: skip
        self._parts, self._tuning, self._wish, self._drawn, self._tell = parts, tuning, wish, drawn, tell
        asked = tuning.parameters
        self._search = Search(setting_of(wish), asked.concurrency, asked.draft, serves_by_llama(wish))
        self._place = TrialPlace(parts.catalog, wish.name, parts.settings.event_poll_seconds, self._doing, left)
        self._near_tie = near_tie(wish.engine_arguments.dtype)
        self._plain: list[Answer] | None = None
        self._trials: list[Trial] = []
        self._now = (PLAIN, "")

    def report(self) -> TuningReport:
        """Where the plain setting cannot be measured again at the end, nothing is changed. Raises PlainFailed, NoPrompts,
        PromptTooLong, and what `tell` and the trials' place raise."""
        begun_at, plain = now(), self._search.plain
        self._try(plain, PLAIN)
        while (setting := following(self._search, self._trials)) is not None:
            self._try(setting, name_of(setting, plain))
        self._try(plain, AGAIN)
        trials = judged(self._trials)
        kept, kept_name, reason = self._kept(trials)
        return TuningReport(
            deployment=self._wish.name, model=self._wish.model, base=self._wish.base, variant=self._wish.variant,
            parameters=self._tuning.parameters, prompts=self._drawn.counts, near_tie_nats=self._near_tie, trials=tuple(trials),
            kept=kept, kept_name=kept_name, reason=reason, changes=kept != self._search.standing, begun_at=begun_at,
            finished_at=now(),
        )  # fmt: skip

    def _kept(self, trials: Sequence[Trial]) -> tuple[Setting, str, str]:
        """The setting, its name, and why."""
        if trials[-1].problem is None:
            kept, reason = chosen(trials)
            return kept.setting, kept.name, reason
        standing = self._search.standing
        return standing, name_of(standing, self._search.plain), (
            f"The plain setting could not be measured again at the end ({trials[-1].problem}), so nobody knows what changed "
            "meanwhile, and what the deployment has stays."
        )  # fmt: skip

    def _try(self, setting: Setting, name: str) -> None:
        self._now = (name, "")
        try:
            with self._place.up(self._wish, setting) as view:
                self._trials.append(self._measured(setting, name, view))
        except (NeverReady, EngineLost) as error:
            if name == PLAIN:
                raise PlainFailed(
                    f"The plain setting of {self._wish.name} could not be measured: {error.message}. Its engine runs beside "
                    "the one that serves, so both need memory."
                ) from error
            self._trials.append(Trial(name=name, setting=setting, problem=error.message))

    def _measured(self, setting: Setting, name: str, view: DeploymentView) -> Trial:
        target = find_target(view.name, [view], self._parts.catalog.model)
        settings = self._parts.settings
        answer_tokens, salt = self._tuning.parameters.answer_tokens, secrets.token_hex(4)
        asker = Asker(target, settings.engine_headers(), answer_tokens, salt, self._heard)
        before = guessed(view, settings)
        self._doing("asking for greedy answers")
        said = asker.greedy(self._drawn.prompts)
        answers = self._accepted(said) if self._plain is None else _all_accepted(said)
        self._plain = self._plain or answers
        alone, together = self._rounds(asker)
        return Trial(
            name=name, setting=setting, alone=load(alone), together=load(together) if together else None,
            acceptance=_accepted_share(before, guessed(view, settings)), answers=compared(self._plain, answers, self._near_tie),
        )  # fmt: skip

    def _rounds(self, asker: Asker) -> tuple[list[Round], list[Round]]:
        """In turn, so that a change of the machine's load meets both."""
        alone, together, many = [], [], self._tuning.parameters.concurrency
        for at in range(ROUNDS):
            self._doing("asking alone")
            alone.append(asker.round(self._drawn.prompts, 1, f"alone {at}"))
            if many > 1:
                self._doing(f"asking {many} at once")
                together.append(asker.round(self._drawn.prompts, many, f"at once {at}"))
        return alone, together

    def _accepted(self, said: Sequence[Answer | Refused]) -> list[Answer]:
        """The first answers of all; recorded prompts that the engine refuses are left out from here on."""
        refused = {at: one for at, one in enumerate(said) if isinstance(one, Refused)}
        if refused and self._drawn.counts.given:
            at, one = next(iter(refused.items()))
            raise PromptTooLong(
                f"The engine refuses prompt {at + 1} of those given: {one.reason} Leave it out, or deploy "
                f"{self._wish.name} with a longer context than {self._wish.context_tokens} tokens."
            )
        if len(refused) == len(said):
            raise NoPrompts(
                f"The engine refuses all {len(said)} recorded prompts: {next(iter(refused.values())).reason} Give shorter "
                "ones of your own with `--prompts FILE.jsonl`."
            )
        self._drawn = self._drawn.without(frozenset(refused))
        return [one for one in said if not isinstance(one, Refused)]

    def _doing(self, doing: str) -> None:
        self._now = (self._now[0], doing)
        self._heard()

    def _heard(self) -> None:
        trying, doing = self._now
        fields: dict[str, float | int | str] = {"trying": trying, "doing": doing}
        self._tell(Progress(done=len(self._trials), total=self._search.most, unit="setting", fields=fields))


def _all_accepted(said: Sequence[Answer | Refused]) -> list[Answer]:
    refused = next((one for one in said if isinstance(one, Refused)), None)
    if refused is not None:
        raise EngineLost(f"the engine refuses a prompt that the plain setting takes: {refused.reason}")
    return [one for one in said if not isinstance(one, Refused)]


def _accepted_share(before: Guesses | None, after: Guesses | None) -> float | None:
    """Of the tokens guessed in between."""
    if before is None or after is None or after.guessed <= before.guessed:
        return None
    return round((after.accepted - before.accepted) / (after.guessed - before.guessed), 4)
