"""What trials come to: whether answers are the plain setting's, what is noise, and which setting is kept. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from shared.contracts.tunings import Answers, Trial, Verdict

NEAR_TIE = {"bfloat16": 0.25, "float16": 0.03125, "float32": 0.001}
"""Nats between two tokens under which either may be the likeliest, by the type that the engine computes in. In bfloat16 one
step of a logit between 16 and 32 is 0.125, and both may be rounded the other way; answers with and without speculation were
seen to part at 0 to 0.125 (docs/measurements.md, benchmarks/speculation.py). float16 has steps an eighth of that; in float32 no
answer was seen to part, and sums in another order make thousandths."""

LIKELIEST = 5
"""Tokens at each place whose log-probabilities are asked for."""


@dataclass(frozen=True, slots=True)
class Step:
    """One token of an answer, and the log-probabilities of the likeliest in its place."""

    token: str
    likeliest: Mapping[str, float]


Answer = tuple[Step, ...]


def near_tie(dtype: str | None) -> float:
    """Of what is not told, engines compute in bfloat16."""
    return NEAR_TIE[dtype or "bfloat16"]


def answer_of(choice: Mapping[str, Any]) -> Answer:
    """An answer's tokens, as vLLM tells them of chats and of completions, and llama.cpp of both."""
    told = choice.get("logprobs") or {}
    if "content" in told:
        return tuple(
            Step(_named(one), {_named(top): top["logprob"] for top in one["top_logprobs"]}) for one in told["content"] or ()
        )
    return tuple(Step(token, likeliest or {}) for token, likeliest in zip(told["tokens"], told["top_logprobs"], strict=True))


def _named(token: Mapping[str, Any]) -> str:
    """By its number where that is told: two tokens may spell the same."""
    return str(token.get("id", token["token"]))


def compared(plain: Sequence[Answer], said: Sequence[Answer], near_tie: float) -> Answers:
    """Answers to the same prompts beside those of the plain setting."""
    gaps = [_gap(*both) for both in zip(plain, said, strict=True) if _tokens(both[0]) != _tokens(both[1])]
    beyond = sum(gap is None or gap > near_tie for gap in gaps)
    told = tuple(None if gap is None else round(gap, 4) for gap in gaps)
    return Answers(same=len(plain) - len(gaps), of=len(plain), gaps=told, beyond=beyond)


def _tokens(answer: Answer) -> list[str]:
    return [step.token for step in answer]


def _gap(plain: Answer, said: Answer) -> float | None:
    """At the first token that differs. None where the other's is not among the plain one's likeliest, or one answer ends where
    the other goes on."""
    parted = next(((one, other) for one, other in zip(plain, said, strict=False) if one.token != other.token), None)
    if parted is None or parted[1].token not in parted[0].likeliest:
        return None
    own, other = parted[0].token, parted[1].token
    return parted[0].likeliest.get(own, max(parted[0].likeliest.values())) - parted[0].likeliest[other]


def gain(trial: Trial, plains: Sequence[Trial]) -> float:
    """Over the plain setting: 1 is as fast. Of a trial that was measured."""
    return math.exp(fmean(math.log(ratio) for ratio in _ratios(trial, plains)))


def noise(trial: Trial, plains: Sequence[Trial]) -> float:
    """The most that rounds of one setting under one load differ by, of this one and the plain one, first and last together."""
    rounds = [*_rounds([trial]), *_rounds(plains)]
    return max((max(one) / min(one) - 1 for one in rounds if one), default=0.0)


def judged(trials: Sequence[Trial]) -> list[Trial]:
    """Trials with their figures over the plain setting, which is the first of them, and their verdicts."""
    plains = [one for one in trials if one.alone is not None and one.setting == trials[0].setting]
    return [_judged(one, plains) for one in trials]


def _judged(trial: Trial, plains: Sequence[Trial]) -> Trial:
    if trial.alone is None or not plains:
        return trial.model_copy(update={"verdict": "failed"})
    found = {"gain": round(gain(trial, plains), 4), "noise": round(noise(trial, plains), 4)}
    return trial.model_copy(update={**found, "verdict": _verdict(trial, plains)})


def _verdict(trial: Trial, plains: Sequence[Trial]) -> Verdict:
    if trial.setting == plains[0].setting:
        return "plain"
    if trial.answers is not None and trial.answers.beyond:
        return "answers-part"
    within = noise(trial, plains)
    slower = min(_ratios(trial, plains)) < 1 - within
    return "faster" if gain(trial, plains) > 1 + within and not slower else "not-faster"


def chosen(trials: Sequence[Trial]) -> tuple[Trial, str]:
    """Of judged trials the one that is kept, and why."""
    best = fastest(trials)
    if best is not None:
        told = f"{best.gain:.2f} times as fast as the plain setting, where rounds of one setting differ by {best.noise:.0%}."
        return best, told
    quickest = max((one for one in trials if one.verdict == "not-faster"), key=lambda one: one.gain or 0, default=None)
    if quickest is None:
        return trials[0], "No other setting could be measured that gives the same answers."
    told = f"{quickest.gain:.2f} times as fast, where rounds of one setting differ by {quickest.noise:.0%}"
    return trials[0], f"No setting is faster than the plain one by more than the noise: the quickest is {told}."


def fastest(trials: Sequence[Trial]) -> Trial | None:
    """Of judged trials the fastest; None where none beats the plain setting. They are tried from the simple to the special, so
    a later one takes an earlier one's place only by more than noise."""
    best: Trial | None = None
    for one in trials:
        if one.verdict == "faster" and (best is None or (one.gain or 0) > (best.gain or 0) * (1 + (one.noise or 0))):
            best = one
    return best


def _ratios(trial: Trial, plains: Sequence[Trial]) -> list[float]:
    mine, theirs = _rounds([trial]), _rounds(plains)
    return [median(one) / median(other) for one, other in zip(mine, theirs, strict=True) if one and other]


def _rounds(trials: Sequence[Trial]) -> tuple[list[float], list[float]]:
    """Tokens a second of each round alone, and of each at once."""
    alone = [speed for one in trials if one.alone for speed in one.alone.rounds]
    return alone, [speed for one in trials if one.together for speed in one.together.rounds]
