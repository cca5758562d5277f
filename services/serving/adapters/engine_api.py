"""An engine's HTTP API, as far as serving uses it."""

import re
from collections.abc import Mapping

import httpx

from shared.engine_words import refusal
from shared.errors import InvalidInput, Unavailable

_REQUESTS = re.compile(
    r"^(?:vllm:num_requests_(?:running|waiting)|llamacpp:requests_(?:processing|deferred))(?:{[^}]*})? ([\d.e+]+)$",
    re.MULTILINE,
)
"""What vLLM and llama.cpp tell of their requests among their metrics."""


class EngineApi:
    """A client of one engine. No connection is waited for longer than `timeout_seconds`, however patiently an answer is."""

    def __init__(self, endpoint: str, timeout_seconds: float, headers: Mapping[str, str] | None = None) -> None:
        self.endpoint = endpoint
        self._connect_seconds = timeout_seconds
        self._in_vain = 0
        self._client = httpx.Client(base_url=endpoint, timeout=timeout_seconds, trust_env=False, headers=headers)

    @property
    def host(self) -> str:
        return self._client.base_url.host

    def is_healthy(self) -> bool:
        try:
            return self._client.get("/health").status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def generates(self, model: str) -> bool:
        """Whether it does: it gives a token, or has requests that are not this client's, behind which one may wait for longer
        than it is waited for. Those that were given up on may still be among what it tells, and prove nothing."""
        if not self.is_healthy():
            return False
        if (self.requests() or 0) > self._in_vain:
            return True
        given = self.gives_a_token(model)
        self._in_vain = 0 if given else self._in_vain + 1
        return given

    def gives_a_token(self, model: str) -> bool:
        """Whether it generates: a server may answer before its engine can."""
        asked = {"model": model, "prompt": "Hello", "max_tokens": 1}
        try:
            return self._client.post("/v1/completions", json=asked).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def models(self) -> dict[str, str | None]:
        """Served names and the base each goes on, None for a base. Raises Unavailable."""
        try:
            answer = self._client.get("/v1/models").raise_for_status()
            return {str(card["id"]): card.get("parent") for card in answer.json()["data"]}
        except (httpx.HTTPError, KeyError, ValueError) as error:
            raise Unavailable("the engine does not tell its models") from error

    def requests(self) -> int | None:
        """Requests that are answered or wait; None where it does not tell."""
        try:
            told = self._client.get("/metrics").raise_for_status().text
        except httpx.HTTPError:
            return None
        return int(sum(map(float, _REQUESTS.findall(told))))

    def load_adapter(self, name: str, path: str, timeout_seconds: float) -> None:
        """Raises InvalidInput where the engine refuses the adapter, Unavailable where it does not answer."""
        self._post("/v1/load_lora_adapter", {"lora_name": name, "lora_path": path}, timeout_seconds)

    def unload_adapter(self, name: str, timeout_seconds: float) -> None:
        """Requests in flight are finished with it. Raises InvalidInput, Unavailable."""
        self._post("/v1/unload_lora_adapter", {"lora_name": name}, timeout_seconds)

    def close(self) -> None:
        self._client.close()

    def _post(self, path: str, body: dict[str, str], timeout_seconds: float) -> None:
        try:
            answer = self._client.post(path, json=body, timeout=httpx.Timeout(timeout_seconds, connect=self._connect_seconds))
        except httpx.HTTPError as error:
            raise Unavailable(f"the engine did not answer {path}") from error
        if answer.status_code != httpx.codes.OK:
            raise InvalidInput(f"the engine refuses it: {refusal(answer.content, answer.status_code)}")
