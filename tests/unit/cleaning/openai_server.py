"""A small server that speaks OpenAI's chat protocol over HTTP, told what to answer; for what happens around a model."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[dict[str, Any]], tuple[int, str]]
"""The request's body → the status and the model's words (or what went wrong)."""


class Told:
    """What the server was asked, and under which key."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        self.url = ""
        self.seconds = 0.0


@contextmanager
def openai_server(answer: Answer) -> Iterator[Told]:
    told = Told(answer)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told.asked.append({"path": self.path, **body})
            told.keys.add(self.headers.get("Authorization", ""))
            time.sleep(told.seconds)
            status, words = told.answer(body)
            choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": words}}
            good = {"id": "c", "object": "chat.completion", "created": 0, "model": body["model"], "choices": [choice]}
            content = json.dumps(good if status == 200 else {"error": {"message": words, "type": "t", "code": "c"}}).encode()
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
