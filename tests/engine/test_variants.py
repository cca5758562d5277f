"""Exports in real engines: a merged one on vLLM, a GGUF on llama.cpp; one takes another's place while it is asked."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean
from typing import Any

import httpx
import pytest
from transformers import AutoTokenizer

from shared.contracts.views import DeploymentView
from tests.engine.models import gguf, peft_log_probabilities, write_merged
from tests.engine.serving import Serving, log_probabilities
from tests.engine.test_serving import AGREEMENT_NATS, TEXT, difference
from tests.servers import wait_until
from tests.unit.serving.models import publish_export

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def exports(
    vllm: Path, llama: Path, base_directory: Path, adapter_directory: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    """A controller with a merged export deployed as `merged` and a GGUF of the base as `small`."""
    running = Serving(tmp_path_factory.mktemp("exports"), vllm, llama)
    running.publish_base(base_directory)
    directory = tmp_path_factory.mktemp("merged")
    write_merged(base_directory, adapter_directory, directory)
    model = running.publish_adapter("shelf", adapter_directory)
    files = {path.name: path.read_bytes() for path in directory.iterdir()}
    running.wish("merged", model.id, variant="merged", export=publish_export(running.store, running.home, files))
    running.wish("small", model.id, variant="gguf-q4_1", export=gguf_export(running, gguf().read_bytes()))
    running.start()
    try:
        yield running
    finally:
        running.end()


def gguf_export(running: Serving, content: bytes) -> str:
    return publish_export(running.store, running.home, {f"m-{len(content)}.gguf": content})


def complete(view: DeploymentView, **more: Any) -> dict[str, Any]:
    asked = {"model": view.served_model, "prompt": TEXT, "temperature": 0, **more}
    return dict(httpx.post(f"{view.endpoints[0]}/v1/completions", json=asked, timeout=300).raise_for_status().json())


def test_a_merged_export_answers_as_the_adapter_on_its_base_does(
    exports: Serving, base_directory: Path, adapter_directory: Path
) -> None:
    tokens = list(AutoTokenizer.from_pretrained(base_directory)(TEXT)["input_ids"])
    merged = log_probabilities(exports.await_state("merged", "ready"), tokens)
    assert difference(merged, peft_log_probabilities(base_directory, adapter_directory, tokens)) < AGREEMENT_NATS


def test_a_gguf_answers_on_llama_cpp_as_its_weights_do_in_transformers(exports: Serving, base_directory: Path) -> None:
    view = exports.await_state("small", "ready")
    said = complete(view, max_tokens=12, logprobs=1)["choices"][0]["logprobs"]["content"]
    prompt = list(AutoTokenizer.from_pretrained(base_directory)(TEXT)["input_ids"])
    expected = peft_log_probabilities(base_directory, None, [*prompt, *(one["id"] for one in said)])[len(prompt) - 1 :]
    assert mean(abs(one["logprob"] - other) for one, other in zip(said, expected, strict=True)) < AGREEMENT_NATS


def test_llama_cpp_speaks_the_same_api(exports: Serving) -> None:
    view = exports.await_state("small", "ready")
    asked = {
        "model": view.served_model, "messages": [{"role": "user", "content": "What is a shaft?"}], "max_tokens": 4,
        "stream": True, "stream_options": {"include_usage": True},
    }  # fmt: skip
    streamed = httpx.post(f"{view.endpoints[0]}/v1/chat/completions", json=asked, timeout=60).text
    assert streamed.rstrip().endswith("data: [DONE]") and '"completion_tokens":4' in streamed
    long = httpx.post(f"{view.endpoints[0]}/v1/completions", json={"prompt": "word " * 4_000}, timeout=60)
    assert long.status_code == 400 and "exceeds the available context" in long.json()["error"]["message"]
    for path in ("/slots", "/props"):
        assert TEXT not in httpx.get(view.endpoints[0] + path, timeout=60).text, "nobody reads what others asked"


def test_an_export_takes_anothers_place_and_what_was_begun_is_answered_to_its_end(exports: Serving) -> None:
    before, other = exports.await_state("merged", "ready"), exports.await_state("small", "ready")
    small = exports.catalog.deployment("small")
    assert small is not None
    with ThreadPoolExecutor() as pool:
        begun = pool.submit(complete, before, max_tokens=300, ignore_eos=True)
        exports.wish("merged", small.wish.model, sequence=2, variant="gguf-q4_1", export=small.wish.export)
        wait_until(lambda: exports.catalog.deployment("merged").endpoints == other.endpoints, "the row to move")  # type: ignore[union-attr]
        assert not begun.done(), "it was on its way when its engine was let go"
        assert begun.result()["usage"]["completion_tokens"] == 300
    wait_until(lambda: [one.engine.runtime for one in exports.engines()] == ["llama.cpp"], "vLLM to be stopped", 180)


def test_a_gguf_that_llama_cpp_cannot_read_fails_with_its_words(exports: Serving) -> None:
    model = exports.await_state("small", "ready").wish.model
    exports.wish("broken", model, variant="gguf-q8_0", export=gguf_export(exports, b"GGUF, but no more"))
    view = exports.await_state("broken", "failed")
    assert "error loading model" in str(view.detail) or "llama" in str(view.detail)
    exports.wish("broken", model, sequence=2, state="stopped", variant="gguf-q8_0", export=view.wish.export)
    wait_until(lambda: len(exports.engines()) == 1, "the broken engine to be forgotten", 180)
