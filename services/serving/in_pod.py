"""`python -m services.serving.in_pod weights|engine|adapters`: what the containers of an engine's pod run, each its own part.

`weights` and `adapters` hold the object store's credentials; `engine`, which runs models and answers, holds none of Lectern's
but the key that it demands. A part that fails ends with its reason as its last line, which Kubernetes shows with the pod.
"""

import argparse
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from services.serving.adapters.bases import BaseCache
from services.serving.adapters.commands import Launch
from services.serving.adapters.draining import Leaving
from services.serving.adapters.engine_api import EngineApi
from services.serving.adapters.last_words import TAIL_BYTES, last_error
from services.serving.adapters.launching import launch
from services.serving.adapters.lora import AdapterCache
from services.serving.adapters.pod_adapters import AdapterServer
from services.serving.adapters.weights import ExportCache
from services.serving.settings import ServingSettings, engine_environment
from services.serving.stages.engine_pods import Asked
from shared.contracts.base import Contract
from shared.contracts.engines import DraftSpeculation
from shared.errors import LecternError, NotReady, Unsupported
from shared.objects import open_store
from shared.telemetry import configure_logs, log

_LOOK_SECONDS = 0.25


class Brought(Contract):
    """Where the weights lie that one container fetched, for the other that serves them."""

    weights: Path
    draft: Path | None = None


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="services.serving.in_pod")
    parser.add_argument("part", choices=("weights", "engine", "adapters"))
    parser.add_argument("--asked", required=True, type=Asked.model_validate_json)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args(arguments)
    settings = ServingSettings()
    configure_logs(settings.log_level, settings.log_json)
    try:
        return PARTS[given.part](settings, given.asked, given.host, given.port)
    except LecternError as error:
        return _last_line(error.code, error.message, error.retryable)
    except Exception as error:  # Of the store, or of the disk: Kubernetes starts it again.
        return _last_line("unavailable", f"{type(error).__name__}: {str(error)[:300]}", True)


def bring_weights(settings: ServingSettings, asked: Asked, *_: object) -> int:
    """Fetch what the engine is started on to the pod's disk. Raises LecternError."""
    store, engine = open_store(settings), asked.seat.engine
    bases = BaseCache(store, settings.cache_dir)
    guesses = engine.speculation
    brought = Brought(
        weights=bases.fetch(engine.base)
        if engine.export is None
        else ExportCache(store, settings.cache_dir).fetch(engine.export),
        draft=bases.fetch(guesses.model) if isinstance(guesses, DraftSpeculation) else None,
    )
    _brought(settings).write_text(brought.model_dump_json(), encoding="utf-8")
    log().info("weights.brought", engine=engine.name)
    return 0


def run_engine(settings: ServingSettings, asked: Asked, host: str, port: int) -> int:
    """Run the engine until it ends or is told to; its log is this process's. One that ends of itself has failed, whatever its
    status: vLLM's front ends in peace when its engine has died. Raises Unsupported, NotReady."""
    path = _brought(settings)
    if not path.is_file():
        raise NotReady(f"{path} is not there: the container weights has not written it")
    brought = Brought.model_validate_json(path.read_bytes())
    started = launch(
        settings, asked.spec, brought.weights, engine_environment(), port, brought.draft, host
    )  # fmt: skip
    status, tail, told_to_end = _run(started, settings)
    if told_to_end and status in (0, -signal.SIGTERM):
        return 0
    return _last_line("engine-failed", last_error(tail) or f"exit status {status}", True)


def serve_adapters(settings: ServingSettings, _: Asked, host: str, port: int) -> int:
    """Fetch adapters for whoever has the key, until told to end. Raises Unsupported where there is no key."""
    authorization = settings.engine_headers().get("Authorization")
    if authorization is None:
        raise Unsupported("adapters are fetched for whoever has the engines' key: set LECTERN_ENGINE_API_KEY")
    server = AdapterServer(host, port, AdapterCache(open_store(settings), settings.cache_dir), authorization)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever(poll_interval=0.2)
    return 0


PARTS: dict[str, Callable[[ServingSettings, Asked, str, int], int]] = {
    "weights": bring_weights, "engine": run_engine, "adapters": serve_adapters,
}  # fmt: skip


def _run(started: Launch, settings: ServingSettings) -> tuple[int, bytes, bool]:
    """Its exit status, the end of what it wrote, and whether it was told to end. Told so, it first answers what it began: a
    node that is drained tells nobody else."""
    child = subprocess.Popen(
        list(started.command), env=dict(started.environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    api = EngineApi(started.endpoint, settings.probe_timeout_seconds, settings.engine_headers())
    leave = threading.Thread(target=_leave, args=(child, api, settings.drain_timeout_seconds), daemon=True)

    def told_to_end(*_: object) -> None:
        if leave.ident is None:
            leave.start()

    signal.signal(signal.SIGTERM, told_to_end)
    tail = bytearray()
    assert child.stdout is not None
    copying = threading.Thread(target=_copy, args=(child.stdout, tail), daemon=True)
    copying.start()
    status = child.wait()
    copying.join(1.0)  # What it started may hold its output open; it ends with this container.
    return status, bytes(tail), leave.ident is not None


def _leave(child: subprocess.Popen[bytes], api: EngineApi, longest_seconds: float) -> None:
    """An engine that does not tell its requests is not up, and has nothing to answer."""
    leaving = Leaving(time.monotonic())
    while child.poll() is None and leaving.answers(api.requests() or 0, time.monotonic(), longest_seconds):
        time.sleep(_LOOK_SECONDS)
    child.terminate()


def _copy(source: IO[bytes], tail: bytearray) -> None:
    for line in source:
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
        tail += line
        del tail[:-TAIL_BYTES]


def _brought(settings: ServingSettings) -> Path:
    return settings.home / "brought.json"


def _last_line(code: str, detail: str, retryable: bool) -> int:
    print(json.dumps({"code": code, "detail": detail, "retryable": retryable}), flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
