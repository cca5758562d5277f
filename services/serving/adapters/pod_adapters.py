"""Adapters on the disk of an engine's pod: the server beside the engine that fetches them, and how the controller asks it."""

import hmac
import json
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import httpx

from services.serving.adapters.commands import address
from services.serving.adapters.lora import AdapterCache, StoredAdapter
from shared.errors import InvalidInput, LecternError, NotFound, Unavailable
from shared.telemetry import log

PORT = 8001
_LARGEST_QUESTION = 4096


def bring_adapter(
    host: str, stored: StoredAdapter, headers: dict[str, str], timeout_seconds: float, connect_seconds: float = 10
) -> str:
    """The directory in the pod in which the adapter now lies, whole and verified. A fetch is waited for up to
    `timeout_seconds`, the connection up to `connect_seconds`. Raises NotFound, InvalidInput; Unavailable where nobody answers,
    or the store does not."""
    try:
        answer = httpx.post(
            f"{address(host, PORT)}/adapters", content=stored.model_dump_json(), headers=headers, trust_env=False,
            timeout=httpx.Timeout(timeout_seconds, connect=connect_seconds),
        )  # fmt: skip
        told = answer.json()
        if answer.status_code == httpx.codes.OK:
            return str(told["directory"])
        code, detail = str(told["code"]), str(told["detail"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise Unavailable(f"the pod of the engine at {host} does not fetch adapters ({type(error).__name__})") from error
    raise {NotFound.code: NotFound, InvalidInput.code: InvalidInput}.get(code, Unavailable)(detail)


class AdapterServer(ThreadingHTTPServer):
    """`POST /adapters` with a StoredAdapter fetches it and answers where it lies, for whoever has the key. Where it lies is a
    digest, and the store must have the adapter by it: one who has the key can fill the pod's disk with adapters that training
    left, and have no other file written, nor one adapter under another's name."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, host: str, port: int, cache: AdapterCache, authorization: str) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.cache = cache
        self.authorization = authorization
        super().__init__((host, port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout: ClassVar[float] = 60.0
    server: AdapterServer

    def log_message(self, *_: object) -> None:
        """Quiet: what is fetched is told as an event."""

    def do_GET(self) -> None:
        self._answer(200 if self.path == "/healthz" else 404, {})

    def do_POST(self) -> None:
        given = self.headers.get("Authorization", "")
        length = int(self.headers.get("Content-Length") or 0)
        if not hmac.compare_digest(given.encode(), self.server.authorization.encode()):
            self._answer(401, {"code": "unauthorized", "detail": "the engines' key is wanted"})
        elif self.path != "/adapters" or not 0 < length <= _LARGEST_QUESTION:
            self._answer(404, {"code": "not-found", "detail": "POST a stored adapter to /adapters"})
        else:
            self._fetch(self.rfile.read(length))

    def _fetch(self, body: bytes) -> None:
        try:
            stored = StoredAdapter.model_validate_json(body)
            directory = self.server.cache.bring(stored)
        except ValueError:
            self._answer(422, {"code": InvalidInput.code, "detail": "that is no stored adapter"})
        except LecternError as error:
            self._answer(409, {"code": error.code, "detail": error.message})
        except Exception as error:  # The store's own errors: it is asked again.
            log().warning("adapter.not-fetched", error=type(error).__name__)
            self._answer(503, {"code": Unavailable.code, "detail": f"the store does not answer ({type(error).__name__})"})
        else:
            log().info("adapter.fetched", model=stored.model)
            self._answer(200, {"directory": str(directory)})

    def _answer(self, status: int, body: dict[str, str]) -> None:
        sent = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(sent)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(sent)
        self.close_connection = True
