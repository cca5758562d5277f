"""A real controller, a real vLLM, real adapters; tests run in order on one engine."""

import os
import signal
from pathlib import Path
from statistics import mean

import httpx
import pytest
from transformers import AutoTokenizer

from shared.ids import deployment_job
from shared.template import ALPACA, render_prompt
from tests.engine.models import peft_log_probabilities, write_adapter
from tests.engine.serving import BASE, Serving, log_probabilities
from tests.servers import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

TEXT = "The pump must be switched off before the cover is opened, because its shaft turns on for a minute."
AGREEMENT_NATS = 0.15
"""Mean difference a token. Within PEFT alone, bf16 differs from float32 by 0.06 in the mean and 0.23 for one token here;
the adapter differs from its base by 1.5 in the mean."""


@pytest.fixture(scope="session")
def tokens(base_directory: Path) -> list[int]:
    return list(AutoTokenizer.from_pretrained(base_directory)(TEXT)["input_ids"])


def difference(one: list[float], other: list[float]) -> float:
    return mean(abs(a - b) for a, b in zip(one, other, strict=True))


def test_an_adapter_answers_as_peft_says_and_not_as_its_base(
    serving: Serving, base_directory: Path, adapter_directory: Path, tokens: list[int]
) -> None:
    tuned = log_probabilities(serving.await_state("tuned", "ready"), tokens)
    base = log_probabilities(serving.await_state("base", "ready"), tokens)
    assert difference(tuned, peft_log_probabilities(base_directory, adapter_directory, tokens)) < AGREEMENT_NATS
    assert difference(base, peft_log_probabilities(base_directory, None, tokens)) < AGREEMENT_NATS
    assert difference(tuned, base) > 5 * AGREEMENT_NATS


def test_deployments_of_one_base_share_its_engine_and_finish_their_jobs(serving: Serving) -> None:
    base, tuned = serving.await_state("base", "ready"), serving.await_state("tuned", "ready")
    assert base.endpoints == tuned.endpoints
    assert base.served_model == BASE and str(tuned.served_model).startswith("lectern-")
    for name in ("base", "tuned"):
        wait_until(lambda name=name: serving.catalog.job(deployment_job(name, 1)).state == "done", f"{name}'s job")  # type: ignore[misc]


def test_the_prompt_template_may_come_with_the_request(serving: Serving) -> None:
    for name in ("base", "tuned"):
        view = serving.await_state(name, "ready")
        asked = {
            "model": view.served_model, "messages": [{"role": "user", "content": "What is a shaft?"}], "max_tokens": 1,
            "chat_template": ALPACA, "return_token_ids": True,
        }  # fmt: skip
        chat = httpx.post(f"{view.endpoints[0]}/v1/chat/completions", json=asked, timeout=60).raise_for_status().json()
        prompt = {
            "model": view.served_model,
            "prompt": render_prompt("alpaca", "What is a shaft?"),
            "add_special_tokens": False,
        }
        plain = httpx.post(f"{view.endpoints[0]}/tokenize", json=prompt, timeout=60).raise_for_status().json()
        assert chat["prompt_token_ids"] == plain["tokens"]


def test_a_killed_engine_comes_back_with_its_adapter(serving: Serving, tokens: list[int]) -> None:
    before = serving.await_state("tuned", "ready")
    expected, killed = log_probabilities(before, tokens), serving.record().process.pid
    os.kill(killed, signal.SIGKILL)
    serving.await_state("tuned", "starting")
    after = serving.await_state("tuned", "ready")
    assert serving.record().process.pid != killed
    assert difference(log_probabilities(after, tokens), expected) < AGREEMENT_NATS


def test_a_new_controller_adopts_the_engine_of_a_killed_one(serving: Serving, tokens: list[int]) -> None:
    before, record = serving.await_state("tuned", "ready"), serving.record()
    serving.end(signal.SIGKILL)
    log_probabilities(before, tokens)  # It answers while no controller is there.
    model = serving.publish_adapter("late", _second_adapter(serving))
    serving.wish("late", model.id)
    serving.start()
    late = serving.await_state("late", "ready", seconds=60)
    assert late.endpoints == before.endpoints and serving.record() == record


def test_a_second_controller_on_the_same_home_refuses(serving: Serving) -> None:
    serving.await_state("tuned", "ready")
    first = serving.controller
    serving.start()
    second, serving.controller = serving.controller, first
    assert second is not None and second.wait(60) == 1


def test_a_deployment_that_moves_to_another_model_is_served_throughout(serving: Serving) -> None:
    old = serving.await_state("tuned", "ready")
    late = serving.await_state("late", "ready")
    serving.wish("tuned", "late", sequence=2)
    seen = set()
    while (view := serving.await_state("tuned", "pending", "starting", "ready")).served_model != late.served_model:
        seen.add((view.endpoints, view.served_model))
    assert seen <= {(old.endpoints, old.served_model)}

    def unloaded() -> bool:
        cards = httpx.get(f"{old.endpoints[0]}/v1/models", timeout=30).json()["data"]
        return {card["id"] for card in cards} == {BASE, late.served_model}

    wait_until(unloaded, "the old adapter to be unloaded")


def test_a_controller_told_to_end_ends_every_process_of_its_engine(serving: Serving) -> None:
    serving.await_state("late", "ready")
    processes = serving.engine_processes()
    assert len(processes) > 1
    assert serving.end() == 0
    assert not any(process.is_running() and process.status() != "zombie" for process in processes)


def _second_adapter(serving: Serving) -> Path:
    directory = serving.home / "second-adapter"
    base = next((serving.home / "cache" / "bases").glob(f"{BASE}-*[0-9a-f]"))
    write_adapter(base, directory, seed=2)
    return directory
