"""What the containers of an engine's pod run, each as a process or a server of its own."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from services.serving.adapters.lora import AdapterCache, AdapterIndex, StoredAdapter, stored_adapter
from services.serving.adapters.pod_adapters import AdapterServer, bring_adapter
from services.serving.stages.engine_pods import Asked
from services.serving.stages.identity import EngineIdentity, Seat
from services.serving.stages.plan import EngineSpec
from shared.bases import publish_base
from shared.errors import NotFound, Unavailable
from shared.objects import ObjectStore
from tests.engines_on_kubernetes import KEY, stand_in
from tests.servers import free_port, wait_until
from tests.unit.serving.models import publish_export, publish_model

HEADERS = {"Authorization": f"Bearer {KEY}"}
TINY = EngineIdentity(base="tiny")


@pytest.fixture
def server(store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    port = free_port()
    monkeypatch.setattr("services.serving.adapters.pod_adapters.PORT", port)
    serving = AdapterServer("127.0.0.1", port, AdapterCache(store, tmp_path / "cache"), HEADERS["Authorization"])
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{port}"
    serving.shutdown()
    serving.server_close()


def test_an_adapter_lies_in_the_pod_where_the_controller_reckoned(server: str, store: ObjectStore, tmp_path: Path) -> None:
    model = publish_model(store, tmp_path)
    known = AdapterIndex(store, tmp_path / "cache").fetch(model)
    assert not known.directory.exists(), "the controller reads its configuration alone"
    directory = bring_adapter("127.0.0.1", known.stored, HEADERS, 10)
    assert Path(directory) == known.directory and (known.directory / "adapter_model.safetensors").is_file()
    assert AdapterCache(store, tmp_path / "cache").fetch(model) == known


def test_nobody_without_the_key_has_anything_fetched(server: str, store: ObjectStore, tmp_path: Path) -> None:
    asked = stored_adapter(publish_model(store, tmp_path)).model_dump_json()
    for headers in ({}, {"Authorization": "Bearer another"}, {"Authorization": KEY}):
        assert httpx.post(f"{server}/adapters", content=asked, headers=headers).status_code == 401
    assert not (tmp_path / "cache" / "adapters").exists()
    assert httpx.get(f"{server}/healthz").status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [("/adapters", b"{}", 422), ("/adapters", b"no json", 422), ("/adapters", b"x" * 5_000, 404), ("/elsewhere", b"{}", 404)],
)
def test_a_bad_question_is_refused(path: str, body: bytes, status: int, server: str) -> None:
    assert httpx.post(f"{server}{path}", content=body, headers=HEADERS).status_code == status


@pytest.mark.parametrize("digest", ["", "..", "../bases", "A" * 64, "0" * 63, f"{'0' * 64}\n", f"../{'0' * 61}"])
@pytest.mark.parametrize("field", ["key", "digest"])
def test_what_is_no_digest_names_neither_a_directory_nor_an_object(
    field: str, digest: str, server: str, tmp_path: Path
) -> None:
    asked = {"model": "m", "key": "0" * 64, "digest": "1" * 64, field: digest}
    assert httpx.post(f"{server}/adapters", json=asked, headers=HEADERS).status_code == 422
    assert not (tmp_path / "cache").exists()


def test_an_adapter_is_not_brought_under_the_digest_of_another(server: str, store: ObjectStore, tmp_path: Path) -> None:
    ours, other = (stored_adapter(publish_model(store, tmp_path, name=name)) for name in ("shelf", "other"))
    with pytest.raises(NotFound, match="another than the one"):
        bring_adapter("127.0.0.1", ours.model_copy(update={"key": other.key}), HEADERS, 10)
    assert not (tmp_path / "cache" / "adapters").exists()


def test_what_stands_against_an_adapter_is_told_as_what_it_is(server: str, store: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="train it again"):
        bring_adapter("127.0.0.1", StoredAdapter(model="m", key="0" * 64, digest="1" * 64), HEADERS, 10)
    model = publish_model(store, tmp_path)
    stored = next(path for path in store.list("stages/training") if path.endswith(".safetensors"))
    store.delete(stored)
    store.create(stored, b"other weights")
    with pytest.raises(Unavailable, match="came damaged"):
        bring_adapter("127.0.0.1", stored_adapter(model), HEADERS, 10)
    with pytest.raises(Unavailable, match="engines' key"):
        bring_adapter("127.0.0.1", stored_adapter(model), {}, 10)


def test_a_pod_that_does_not_answer_is_asked_again_later() -> None:
    with pytest.raises(Unavailable, match="does not fetch adapters"):
        bring_adapter("127.0.0.2", StoredAdapter(model="m", key="0" * 64, digest="1" * 64), HEADERS, 1)


class Place:
    """A pod's disk, and the parts that run on it."""

    def __init__(self, tmp_path: Path) -> None:
        self.port = free_port()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LECTERN_")},
            "LECTERN_STORE_URL": f"file://{tmp_path}/store", "LECTERN_CACHE_DIR": f"{tmp_path}/cache",
            "LECTERN_HOME": f"{tmp_path}/home", "LECTERN_VLLM_COMMAND": str(stand_in(tmp_path)),
            "LECTERN_ENGINE_DEVICE": "gpu", "LECTERN_ENGINE_API_KEY": KEY,
        }  # fmt: skip
        (tmp_path / "home").mkdir()

    def start(self, part: str, engine: EngineIdentity = TINY, host: str = "127.0.0.3") -> subprocess.Popen[str]:
        asked = Asked.of(Seat(engine=engine), EngineSpec(engine, 2_048, 16)).model_dump_json()
        arguments = [part, "--asked", asked, "--host", host, "--port", str(self.port)]
        command = [sys.executable, "-m", "services.serving.in_pod", *arguments]
        return subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, part: str, engine: EngineIdentity = TINY, host: str = "127.0.0.3") -> tuple[int, str]:
        """Its exit status, and its last line."""
        part_run = self.start(part, engine, host)
        out, _ = part_run.communicate(timeout=120)
        return part_run.returncode, (out.strip().splitlines() or [""])[-1]


@pytest.fixture
def place(store: ObjectStore, tmp_path: Path) -> Place:
    directory = tmp_path / "base"
    directory.mkdir()
    (directory / "config.json").write_text("{}")
    publish_base(store, directory, name="tiny", source="", licence="", architecture="", eos_token="")
    return Place(tmp_path)


def test_weights_are_fetched_for_the_engine_which_is_told_where_they_lie(
    place: Place, store: ObjectStore, tmp_path: Path
) -> None:  # fmt: skip
    merged = EngineIdentity(base="tiny", variant="merged", export=publish_export(store, tmp_path))
    assert place.run("weights", merged)[0] == 0
    assert (Path(json.loads((tmp_path / "home" / "brought.json").read_text())["weights"]) / "model.safetensors").is_file()


def test_what_cannot_be_fetched_is_the_last_line(place: Place) -> None:
    status, told = place.run("weights", EngineIdentity(base="nobody"))
    assert (status, json.loads(told)["code"], json.loads(told)["retryable"]) == (1, "not-found", False)
    status, told = place.run("engine")
    assert (status, json.loads(told)["code"]) == (1, "not-ready"), "the weights are not there"


@pytest.mark.parametrize("part", ["engine", "adapters"])
def test_nothing_listens_to_others_without_a_key(part: str, place: Place) -> None:
    assert place.run("weights")[0] == 0
    del place.environment["LECTERN_ENGINE_API_KEY"]
    status, told = place.run(part)
    assert status == 1 and json.loads(told)["code"] == "unsupported" and "LECTERN_ENGINE_API_KEY" in told


def test_an_engine_that_is_told_to_end_answers_first_what_it_began(place: Place, tmp_path: Path) -> None:
    assert place.run("weights")[0] == 0
    engine = place.start("engine")
    url = f"http://127.0.0.3:{place.port}"
    wait_until(lambda: _healthy(url), "the engine", 120)
    answers: list[int] = []
    asking = threading.Thread(target=lambda: answers.append(_ask(url)))
    asking.start()
    wait_until(lambda: "} 1.0" in httpx.get(f"{url}/metrics").text, "the question")
    engine.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        engine.wait(2)
    (tmp_path / "cache" / "vllm" / "go").touch()
    asking.join(30)
    assert answers == [200] and engine.wait(30) == 0


def test_an_engine_that_ends_of_itself_has_failed_whatever_its_status(place: Place, tmp_path: Path) -> None:
    assert place.run("weights")[0] == 0
    (tmp_path / "vllm").write_text("#!/bin/sh\necho EngineDeadError: gone; exit 0\n")
    status, told = place.run("engine")
    assert (status, json.loads(told)) == (1, {"code": "engine-failed", "detail": "exit status 0", "retryable": True})


def _healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health").status_code == 200
    except httpx.TransportError:
        return False


def _ask(url: str) -> int:
    body = {"model": "tiny", "prompt": "wait"}
    return httpx.post(f"{url}/v1/completions", json=body, headers=HEADERS, timeout=60).status_code
