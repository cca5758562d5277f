"""A deployment tuned on a real vLLM, through the gateway, on a model whose answers repeat one word."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.isolating.place import ENGINE, Place, open_place
from shared.contracts.tunings import TuningReport
from tests.servers import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_800)]

PROMPTS = [{"prompt": "w1 w2 w3"}, {"prompt": "w4 w5 w6 w7", "mode": "completion"}]


@pytest.fixture(scope="module")
def place(vllm: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with open_place(tmp_path_factory.mktemp("tunings"), vllm) as opened:
        yield opened


def test_settings_are_measured_on_real_engines_and_their_answers_are_the_plain_ones(place: Place) -> None:
    wish = {"name": "steady", "model": place.models["red"].id, "engine_arguments": ENGINE}
    place.request("POST", "/v1/deployments", wish)
    place.await_view("steady", lambda view: view["state"] == "ready")
    asked = {"prompts": PROMPTS, "concurrency": 1, "answer_tokens": 32}
    job = place.request("POST", "/v1/deployments/steady/tunings", asked)["job"]
    wait_until(lambda: place.request("GET", f"/v1/jobs/{job}")["state"] not in ("queued", "running"), job, 1_500)
    found = place.request("GET", f"/v1/jobs/{job}")
    assert found["state"] == "done", found
    told = place.request("GET", "/v1/deployments/steady/tunings/latest")["report"]
    report = TuningReport.model_validate(told)
    assert {one.setting.engine_arguments.dtype for one in report.trials} == {ENGINE["dtype"]}, "a tuning leaves it as it is"
    assert report.near_tie_nats == 0.001
    assert [one.problem for one in report.trials] == [None] * len(report.trials) and len(report.trials) >= 4
    for one in report.trials:
        assert one.answers is not None and (one.answers.same, one.answers.of) == (2, 2), "the logits lie far apart"
        assert one.alone is not None and one.alone.requests == 4 and one.alone.tokens_per_second > 0
    guessing = [one for one in report.trials if one.setting.speculation is not None]
    assert guessing and all(one.acceptance is not None and one.acceptance > 0.5 for one in guessing), "one word is repeated"
    place.await_view("steady", lambda view: view["state"] == "ready")
    view = place.request("GET", "/v1/deployments/steady")
    assert view["wish"]["speculation"] == (report.kept.speculation.model_dump() if report.kept.speculation else None)
    place.request("DELETE", "/v1/deployments/steady")
    wait_until(lambda: place.serving.engines() == [], "no engine of a trial to be left", 120)
