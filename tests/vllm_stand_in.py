"""`serve DIRECTORY --host … --port … --served-model-name …`: an engine that speaks vLLM's HTTP API as far as Lectern asks it,
holds adapters by the files that it is shown, and says who answered. The real one is met in the engine tier.

It leaves the names of the variables that it was given in `environment.json` in its cache, and answers a prompt `wait` when a
file `go` lies there; every prompt, where a file `hangs` lies beside the weights. What is beyond `--max-num-seqs` waits.
"""

import argparse
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

CACHE = Path(os.environ["VLLM_CACHE_ROOT"])
KEY = os.environ.get("VLLM_API_KEY")


class State:
    def __init__(self, name: str, takes_adapters: bool, sequences: int, hangs: bool) -> None:
        self.name = name
        self.takes_adapters = takes_adapters
        self.adapters: dict[str, str] = {}
        self.running = 0
        self.lock = threading.Lock()
        self.slots = threading.BoundedSemaphore(sequences)
        self.hangs = hangs


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: State

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        if self.path == "/health":
            self._answer(200, {})
        elif self.path == "/metrics":
            self._answer(200, f'vllm:num_requests_running{{engine="0"}} {float(self.state.running)}\n')
        elif self.path == "/v1/models" and self._may():
            cards = [{"id": self.state.name, "parent": None}]
            self._answer(200, {"data": [*cards, *({"id": one, "parent": self.state.name} for one in self.state.adapters)]})
        else:
            self._answer(401, {"error": "Unauthorized"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._may():
            self._answer(401, {"error": "Unauthorized"})
        elif self.path == "/v1/load_lora_adapter":
            self._load(body)
        elif self.path == "/v1/unload_lora_adapter":
            self.state.adapters.pop(body["lora_name"], None)
            self._answer(200, {})
        elif body["model"] not in {self.state.name, *self.state.adapters}:
            self._answer(404, {"error": {"message": "no such model"}})
        else:
            self._complete(body)

    def _load(self, body: dict[str, str]) -> None:
        weights = Path(body["lora_path"]) / "adapter_model.safetensors"
        if not self.state.takes_adapters or not weights.is_file() or weights.read_bytes() == b"no adapter":
            self._answer(400, {"error": {"message": "it is no adapter of mine"}})
            return
        self.state.adapters[body["lora_name"]] = weights.read_text()
        self._answer(200, {})

    def _complete(self, body: dict[str, Any]) -> None:
        with self.state.lock:
            self.state.running += 1
        try:
            with self.state.slots:
                while (self.state.hangs or body.get("prompt") == "wait") and not (CACHE / "go").exists():
                    time.sleep(0.05)
        finally:
            with self.state.lock:
                self.state.running -= 1
        text = f"{self.state.adapters.get(body['model'], body['model'])} on {self.server.server_address[0]}"
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        choice = {"index": 0, "text": text, "finish_reason": "stop"}
        self._answer(200, {"id": "c", "model": body["model"], "choices": [choice], "usage": usage})

    def _may(self) -> bool:
        return KEY is None or self.headers.get("Authorization") == f"Bearer {KEY}"

    def _answer(self, status: int, body: Any) -> None:
        sent = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("serve")
    parser.add_argument("directory", type=Path)
    for name in ("--host", "--served-model-name"):
        parser.add_argument(name)
    parser.add_argument("--port", type=int)
    parser.add_argument("--max-num-seqs", type=int, default=64)
    parser.add_argument("--enable-lora", action="store_true")
    given, _ = parser.parse_known_args()
    if (given.directory / "broken").exists():
        print("(EngineCore pid=7) ERROR 11-24 21:00:00 [core.py:1] ValueError: the model is not to my liking", flush=True)
        sys.exit(int((given.directory / "broken").read_text()))
    CACHE.mkdir(parents=True, exist_ok=True)
    (CACHE / "environment.json").write_text(json.dumps(sorted(os.environ)))
    hangs = (given.directory / "hangs").exists()
    state = State(given.served_model_name, given.enable_lora, given.max_num_seqs, hangs)
    server = ThreadingHTTPServer((given.host, given.port), type("Own", (Handler,), {"state": state}))
    print(f"serving {given.directory.name}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
