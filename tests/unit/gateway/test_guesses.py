"""Guesses, counted from an engine's metrics."""

import pytest

from services.gateway.guesses import counted, counts

METRICS = """# HELP vllm:spec_decode_num_drafts_total Number of spec decoding drafts.
# TYPE vllm:spec_decode_num_drafts_total counter
vllm:spec_decode_num_drafts_total{engine="0",model_name="m"} 20.0
# TYPE vllm:spec_decode_num_drafts_created gauge
vllm:spec_decode_num_drafts_created{engine="0",model_name="m"} 1.79e+09
# TYPE vllm:spec_decode_num_draft_tokens_total counter
vllm:spec_decode_num_draft_tokens_total{engine="0",model_name="m"} 80.0
# TYPE vllm:spec_decode_num_accepted_tokens_total counter
vllm:spec_decode_num_accepted_tokens_total{engine="0",model_name="m"} 30.0
# TYPE vllm:spec_decode_num_accepted_tokens_per_pos_total counter
vllm:spec_decode_num_accepted_tokens_per_pos_total{engine="0",model_name="m",position="0"} 18.0
"""


def test_acceptance_is_of_the_tokens_that_were_guessed() -> None:
    told = counted([counts(METRICS)])
    assert (told.times, told.guessed, told.accepted, told.acceptance) == (20, 80, 30, 0.375)


def test_the_guesses_of_replicas_are_told_together() -> None:
    other = {"times": 10, "guessed": 20, "accepted": 20}
    told = counted([counts(METRICS), other])
    assert (told.times, told.guessed, told.accepted, told.acceptance) == (30, 100, 50, 0.5)


def test_before_the_first_guess_there_is_no_acceptance() -> None:
    assert counted([counts("# nothing yet\n")]).acceptance is None


def test_what_is_no_metrics_is_refused() -> None:
    with pytest.raises(ValueError):
        counts("<html>{</html> x\n")
