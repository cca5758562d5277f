"""Supervision of engines that never come up: real processes that end at once."""

import os
import signal
import threading
from pathlib import Path

import httpx
import pytest

from services.serving.adapters.commands import free_port
from services.serving.adapters.engine import EngineProcess, EngineRecord, record_path
from services.serving.adapters.engine_api import EngineApi
from services.serving.adapters.supervisor import GIVES_UP_AFTER, SupervisedEngines
from services.serving.settings import ServingSettings
from services.serving.stages.identity import EngineIdentity, Seat
from services.serving.stages.plan import EngineSpec
from shared.errors import NotFound, Unsupported
from tests.engines_on_kubernetes import stand_in
from tests.servers import wait_until

TINY = EngineIdentity(base="tiny")
FIRST = Seat(engine=TINY)
SPEC = EngineSpec(TINY, 2_048, 16)
LIVING = """#!/bin/sh
while sleep 0.1; do :; done
"""
DYING = """#!/bin/sh
echo "(EngineCore pid=7) ERROR 11-24 21:00:00 [core.py:1] ValueError: the model is not to my liking"
echo "(APIServer pid=6) RuntimeError: Engine core initialization failed. See root cause above."
exit 1
"""


def settings(tmp_path: Path, script: str | None) -> ServingSettings:
    command = tmp_path / "vllm"
    if script is not None:
        command.write_text(script)
        command.chmod(0o755)
    return ServingSettings(
        home=tmp_path / "home", cache_dir=tmp_path, vllm_command=command, engine_device="gpu", retry_base_seconds=0.01,
        max_back_off_seconds=0.02,
    )  # fmt: skip


def test_an_engine_that_dies_again_and_again_is_told_to_have_failed_and_why(tmp_path: Path) -> None:
    engines = SupervisedEngines(settings(tmp_path, DYING), lambda _: tmp_path, {"PATH": "/usr/bin:/bin"})
    for _ in range(GIVES_UP_AFTER):
        assert FIRST not in engines.observe() or engines.observe()[FIRST].problem is None
        engines.start(FIRST, SPEC)
        wait_until(lambda: engines.observe()[FIRST].status == "down", "the engine to die")
        wait_until(lambda: engines.observe()[FIRST].retry_due, "the back-off to pass")
    problem = engines.observe()[FIRST].problem
    assert problem is not None and "the model is not to my liking" in problem.detail and "log/engine-tiny.log" in problem.detail
    assert not list((tmp_path / "home" / "run" / "engines").iterdir())


def test_a_machine_without_vllm_is_told_at_once(tmp_path: Path) -> None:
    engines = SupervisedEngines(settings(tmp_path, None), lambda _: tmp_path, {})
    engines.start(FIRST, SPEC)
    problem = engines.observe()[FIRST].problem
    assert problem is not None and problem.code == "unsupported" and "install_vllm" in problem.detail


def test_a_base_that_is_not_published_is_the_engines_problem(tmp_path: Path) -> None:
    def missing(engine: EngineIdentity) -> Path:
        raise NotFound(f"no base model {engine.base} is published")

    engines = SupervisedEngines(settings(tmp_path, DYING), missing, {})
    engines.start(FIRST, SPEC)
    problem = engines.observe()[FIRST].problem
    assert problem is not None and problem.code == "not-found"


def test_a_kind_that_vllms_cpu_build_cannot_run_is_told_before_any_work(tmp_path: Path) -> None:
    on_cpu = settings(tmp_path, DYING).model_copy(update={"engine_device": "cpu"})
    with pytest.raises(Unsupported, match="LECTERN_ENGINE_DEVICE=gpu"):
        SupervisedEngines(on_cpu, lambda _: tmp_path, {}).check_architecture(TINY, "mamba")
    SupervisedEngines(on_cpu, lambda _: tmp_path, {}).check_architecture(TINY, "mamba2")
    on_gpu = SupervisedEngines(settings(tmp_path, DYING), lambda _: tmp_path, {})
    on_gpu.check_architecture(TINY, "mamba")
    with pytest.raises(Unsupported, match="no model of the kind rwkv"):
        on_gpu.check_architecture(TINY, "rwkv")


@pytest.mark.parametrize("text", ["", "{", '{"base": "tiny"}'])
def test_a_record_that_cannot_be_read_is_dropped(text: str, tmp_path: Path) -> None:
    given = settings(tmp_path, DYING)
    record = given.home / "run" / "engines" / "tiny.json"
    record.parent.mkdir(parents=True)
    record.write_text(text)
    assert SupervisedEngines(given, lambda _: tmp_path, {}).observe() == {}
    assert not record.exists()


def test_each_replica_is_a_process_with_a_port_a_log_and_a_record_of_its_own_and_dies_alone(tmp_path: Path) -> None:
    given, second = settings(tmp_path, LIVING), Seat(engine=TINY, replica=1)
    engines = SupervisedEngines(given, lambda _: tmp_path, {"PATH": "/usr/bin:/bin"})
    try:
        for seat in (FIRST, second):
            engines.start(seat, SPEC)
        assert {path.name for path in (given.home / "run" / "engines").iterdir()} == {"tiny.json", "tiny~1.json"}
        assert {path.name for path in (given.home / "log").iterdir()} == {"engine-tiny.log", "engine-tiny~1.log"}
        assert len({engine.endpoint for engine in engines.observe().values()}) == 2
        heirs = SupervisedEngines(given, lambda _: tmp_path, {})
        assert {seat: engine.endpoint for seat, engine in heirs.observe().items()} == {
            seat: engine.endpoint for seat, engine in engines.observe().items()
        }, "whoever comes next finds them in their seats"
        record = EngineRecord.model_validate_json(record_path(given, second).read_bytes())
        os.kill(record.process.pid, signal.SIGKILL)
        wait_until(lambda: engines.observe()[second].status == "down", "the replica to be seen dead")
        assert engines.observe()[FIRST].status == "starting"
        assert engines.stop(second) and list(engines.observe()) == [FIRST]
    finally:
        engines.stop_all()
    assert not list((given.home / "run" / "engines").iterdir())


def at_work(tmp_path: Path) -> ServingSettings:
    """An engine that answers one request at a time, and whose controller is not patient."""
    more = {
        "vllm_command": stand_in(tmp_path),
        "cache_dir": tmp_path / "cache",
        "max_concurrent_requests": 1,
        "probe_timeout_seconds": 1.0,
    }
    return settings(tmp_path, None).model_copy(update=more)


def complete(endpoint: str, prompt: str) -> None:
    httpx.post(f"{endpoint}/v1/completions", json={"model": TINY.served_name, "prompt": prompt}, timeout=60)


def test_an_engine_that_is_adopted_with_all_its_hands_full_counts_as_ready(tmp_path: Path) -> None:
    given = at_work(tmp_path)
    engines = SupervisedEngines(given, lambda _: tmp_path, dict(os.environ))
    asked: list[threading.Thread] = []
    try:
        engines.start(FIRST, SPEC)
        wait_until(lambda: engines.observe()[FIRST].status == "ready", "the engine's first token")
        endpoint = str(engines.observe()[FIRST].endpoint)
        asked = [threading.Thread(target=complete, args=(endpoint, "wait"))]
        asked[0].start()
        api = EngineApi(endpoint, 10)
        wait_until(lambda: api.requests() == 1, "the request to be taken")
        seen = SupervisedEngines(given, lambda _: tmp_path, {}).observe()[FIRST]
        assert not EngineApi(endpoint, 1).gives_a_token(TINY.served_name), "a token would have to wait its turn"
        assert (seen.status, seen.endpoint) == ("ready", endpoint)
    finally:
        (given.cache_dir / "vllm" / "go").touch()
        for one in asked:
            one.join()
        engines.stop_all()


def test_the_questions_that_a_controller_gave_up_on_are_no_proof_that_the_engine_works(tmp_path: Path) -> None:
    given = at_work(tmp_path)
    (tmp_path / "hangs").touch()
    engines = SupervisedEngines(given, lambda _: tmp_path, dict(os.environ))
    try:
        engines.start(FIRST, SPEC)
        api = EngineApi(str(engines.observe()[FIRST].endpoint), 10)
        wait_until(api.is_healthy, "the engine's server")
        assert [engines.observe()[FIRST].status for _ in range(3)] == ["starting"] * 3
        assert api.requests() > 0, "for it has not forgotten them"
        (given.cache_dir / "vllm" / "go").touch()
        wait_until(lambda: engines.observe()[FIRST].status == "ready", "the engine's first token")
    finally:
        engines.stop_all()


def test_an_engine_that_was_written_down_before_there_were_replicas_is_the_first(tmp_path: Path) -> None:
    engine = TINY.model_dump_json()
    process = '{"schema_version":1,"pid":1,"created_at":1.0,"command":["vllm"]}'
    old = f'{{"engine":{engine},"context_tokens":512,"lora_rank":0,"endpoint":"http://127.0.0.1:1","process":{process}}}'
    assert EngineProcess(EngineRecord.model_validate_json(old), settings(tmp_path, None)).seat == FIRST


def test_a_port_that_an_engine_has_been_given_is_not_given_again() -> None:
    taken = {free_port() for _ in range(50)}
    assert free_port(taken) not in taken
