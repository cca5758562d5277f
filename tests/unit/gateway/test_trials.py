"""Trials of settings: which are tried, when answers are the same, and what is kept."""

from collections.abc import Mapping
from typing import Any

import pytest

from services.gateway.trials.candidates import NGRAMS, Search, following, name_of
from services.gateway.trials.measuring import Round, load
from services.gateway.trials.verdicts import Answer, Step, answer_of, chosen, compared, judged, near_tie
from shared.contracts.engines import DraftSpeculation, EngineArguments, NgramSpeculation
from shared.contracts.tunings import Answers, Load, Setting, Trial

FEWER, USUAL, MORE = (Setting(speculation=one) for one in NGRAMS)
PLAIN = Setting()


def at(*rounds: float) -> Load:
    middle = sorted(rounds)[len(rounds) // 2]
    return Load(tokens_per_second=middle, rounds=rounds, first_token_seconds=0.1, first_token_p99_seconds=0.2, requests=4)


def trial(setting: Setting, alone: tuple[float, ...] = (10, 10), together: tuple[float, ...] = (50, 50), **more: Any) -> Trial:
    same = more.pop("answers", Answers(same=4, of=4))
    return Trial(name="n", setting=setting, alone=at(*alone), together=at(*together), answers=same, **more)


def tried(search: Search, outcome: Mapping[Setting, Trial] = {}) -> list[Setting]:
    """What a search tries where each setting comes out as told, else as fast as the plain one."""
    trials: list[Trial] = []
    while (setting := following(search, trials)) is not None:
        trials.append(outcome.get(setting, trial(setting)))
        assert len(trials) < search.most, "it promised fewer"
    return [one.setting for one in trials]


def with_arguments(setting: Setting, **arguments: Any) -> Setting:
    return setting.model_copy(update={"engine_arguments": EngineArguments(**arguments)})


def test_the_plain_setting_is_first_and_each_is_tried_once() -> None:
    found = tried(Search(PLAIN, 8))
    assert found[:2] == [PLAIN, USUAL] and len(found) == len(set(found))
    assert found[2:] == [with_arguments(PLAIN, max_concurrent_requests=4)]


@pytest.mark.parametrize(("accepted", "then"), [(0.7, MORE), (0.5, MORE), (0.2, FEWER), (None, None)])
def test_accepted_guesses_say_whether_more_or_fewer_are_worth_trying(accepted: float | None, then: Setting | None) -> None:
    found = tried(Search(PLAIN, 1), {USUAL: trial(USUAL, acceptance=accepted)})
    assert {FEWER, MORE}.intersection(found) == ({then} if then else set())


def test_arguments_are_tried_on_the_best_way_of_guessing_alone() -> None:
    found = tried(Search(PLAIN, 8), {USUAL: trial(USUAL, (30, 30), (60, 60), acceptance=0.9)})
    half = {"max_concurrent_requests": 4}
    assert with_arguments(USUAL, **half) in found and with_arguments(PLAIN, **half) not in found
    parted = trial(USUAL, (30, 30), (60, 60), answers=Answers(same=3, of=4, gaps=(2.0,), beyond=1))
    assert with_arguments(PLAIN, **half) in tried(Search(PLAIN, 8), {USUAL: parted})


def test_what_a_deployment_has_is_tried_too_and_its_numbers_stay_of_their_type() -> None:
    standing = Setting(speculation=NgramSpeculation(tokens=2), engine_arguments=EngineArguments(dtype="float32"))
    found = tried(Search(standing, 8))
    assert found[:2] == [with_arguments(PLAIN, dtype="float32"), standing]
    assert {one.engine_arguments.dtype for one in found} == {"float32"}


def test_a_draft_model_is_tried_only_where_one_is_named() -> None:
    drafts = [one.speculation for one in tried(Search(PLAIN, 8, "small")) if isinstance(one.speculation, DraftSpeculation)]
    assert drafts == [DraftSpeculation(model="small", tokens=3)]


def test_llama_cpp_is_asked_for_neither_guesses_nor_arguments_of_vllms() -> None:
    found = tried(Search(PLAIN, 8, llama=True))
    slots = [with_arguments(PLAIN, max_concurrent_requests=count) for count in (4, 8)]
    assert found == [PLAIN, *slots]
    assert tried(Search(PLAIN, 1, llama=True)) == [PLAIN, with_arguments(PLAIN, max_concurrent_requests=1)]


def test_settings_have_names_for_people() -> None:
    assert name_of(PLAIN, PLAIN) == "plain"
    assert name_of(with_arguments(USUAL, prefix_caching=False), PLAIN) == "n-grams of 2 to 4, 4 guesses, prefix_caching=false"
    assert name_of(Setting(speculation=DraftSpeculation(model="small")), PLAIN) == "draft small, 3 guesses"


def said(*tokens: str, **likeliest: float) -> Answer:
    return tuple(Step(token, likeliest) for token in tokens)


def test_answers_that_part_at_a_near_tie_are_told_and_those_that_part_further_are_not_the_plain_ones() -> None:
    plain = [said("a", "b", a=-0.1, b=-0.3), said("a", "b", b=-0.5, c=-0.625), said("a", "b", b=-0.1, c=-3.0)]
    other = [said("a", "b"), said("a", "c"), said("a", "c")]
    found = compared(plain, other, near_tie(None))
    assert (found.same, found.of, found.gaps, found.beyond) == (1, 3, (0.125, 2.9), 1)
    assert compared(plain, other, near_tie("float32")).beyond == 2, "in float32 no logit is rounded by so much"


def test_a_token_that_is_not_among_the_likeliest_and_an_answer_that_ends_early_are_far() -> None:
    found = compared([said("a", a=-0.1), said("a", "b", a=-0.1)], [said("z"), said("a")], near_tie(None))
    assert (found.same, found.gaps, found.beyond) == (0, (None, None), 2)


def test_tokens_are_read_as_vllm_and_llama_cpp_tell_them() -> None:
    tops = [{"token": "token_id:7", "logprob": -0.1}, {"token": "token_id:9", "logprob": -2.5}]
    of_chat = {"logprobs": {"content": [{"token": "token_id:7", "logprob": -0.1, "top_logprobs": tops}]}}
    of_completion = {
        "logprobs": {"tokens": ["token_id:7"], "top_logprobs": [{"token_id:7": -0.1, "token_id:9": -2.5}], "token_logprobs": []}
    }
    expected = (Step("token_id:7", {"token_id:7": -0.1, "token_id:9": -2.5}),)
    assert answer_of(of_chat) == answer_of(of_completion) == expected
    of_llama = {
        "logprobs": {"content": [{"id": 7, "token": "\ufffd", "top_logprobs": [{"id": 7, "token": "\ufffd", "logprob": 0}]}]}
    }
    assert answer_of(of_llama) == (Step("7", {"7": 0}),)


def verdicts(*trials: Trial) -> list[str]:
    return [one.verdict for one in judged(trials)]


def test_a_setting_is_faster_only_by_more_than_rounds_of_one_setting_differ_by() -> None:
    quick = trial(USUAL, (11, 11), (55, 55))
    assert verdicts(trial(PLAIN), quick, trial(PLAIN)) == ["plain", "faster", "plain"]
    drifted = trial(PLAIN, (11.5, 11.5), (50, 50))
    assert verdicts(trial(PLAIN), quick, drifted) == ["plain", "not-faster", "plain"], "the machine became so much quicker"
    assert verdicts(trial(PLAIN), trial(USUAL, (10, 13), (55, 55)), trial(PLAIN))[1] == "not-faster"


def test_a_setting_that_is_slower_under_one_load_is_not_faster() -> None:
    assert verdicts(trial(PLAIN), trial(USUAL, (30, 30), (45, 45)), trial(PLAIN))[1] == "not-faster"


def test_a_setting_that_loses_something_or_never_came_up_is_not_kept_however_fast() -> None:
    parted = trial(USUAL, (90, 90), (500, 500), answers=Answers(same=3, of=4, gaps=(2.0,), beyond=1))
    failed = Trial(name="n", setting=MORE, problem="no memory")
    found = judged([trial(PLAIN), parted, failed, trial(PLAIN)])
    assert [one.verdict for one in found] == ["plain", "answers-part", "failed", "plain"]
    kept, reason = chosen(found)
    assert kept.setting == PLAIN and "could be measured" in reason


def test_the_fastest_is_kept_and_plain_where_none_beats_the_noise() -> None:
    found = judged([trial(PLAIN), trial(USUAL, (12, 12), (60, 60)), trial(MORE, (20, 20), (70, 70)), trial(PLAIN)])
    kept, reason = chosen(found)
    assert kept.setting == MORE and reason.startswith("1.67 times as fast")
    kept, reason = chosen(judged([trial(PLAIN), trial(USUAL, (10.1, 10.1)), trial(PLAIN, (9, 9))]))
    assert kept.setting == PLAIN and "noise" in reason


def test_a_later_setting_takes_an_earlier_ones_place_only_by_more_than_noise() -> None:
    child = with_arguments(USUAL, max_concurrent_requests=4)
    first, noisy = trial(USUAL, (20, 20), (100, 100)), trial(child, (20, 20.8), (100, 104))
    found = judged([trial(PLAIN), first, noisy, trial(PLAIN)])
    assert found[2].verdict == "faster" and (found[2].gain or 0) > (found[1].gain or 0)
    assert chosen(found)[0].setting == USUAL
    clearly = judged([trial(PLAIN), first, trial(child, (24, 24), (120, 120)), trial(PLAIN)])
    assert chosen(clearly)[0].setting == child


def test_alone_alone_counts_where_nothing_was_asked_at_once() -> None:
    def one(setting: Setting, speed: float) -> Trial:
        return trial(setting, (speed, speed)).model_copy(update={"together": None})

    found = judged([one(PLAIN, 10), one(USUAL, 20), one(PLAIN, 10)])
    assert (found[1].gain, found[1].verdict) == (2.0, "faster")


def test_rounds_become_medians_and_the_slowest_in_a_hundred() -> None:
    found = load([Round(2.0, 20, (0.1, 0.3)), Round(1.0, 20, (0.2, 0.9))])
    assert (found.rounds, found.tokens_per_second, found.requests) == ((10.0, 20.0), 15.0, 4)
    assert (found.first_token_seconds, found.first_token_p99_seconds) == (0.25, 0.9)
