"""The Kubernetes API, as far as RayJobs need it: create, read, watch and delete one kind of object in one namespace.

The account's token is read for each request, since the kubelet replaces it while a run trains.
"""

import json
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from services.training.stages.rayjob import GROUP, PLURAL, VERSION
from shared.errors import LecternError, Unavailable
from shared.telemetry import log

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 15.0
_REQUEST_SECONDS = 10.0
_BUSY = frozenset({429, 500, 502, 503, 504})
_CONFLICT = httpx.codes.CONFLICT


class KubernetesRefused(LecternError):
    """The API server will not: for want of a right, or since the object is not one that it knows."""

    code = "kubernetes-refused"


@dataclass(frozen=True, slots=True)
class RayJobApi:
    """RayJobs of a namespace. Whatever does not answer is asked again, with growing pauses, for `patience_seconds`; after
    that the methods raise Unavailable. KubernetesRefused is raised at once."""

    url: str
    account: Path
    patience_seconds: float
    watch_seconds: int = 240
    _client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        authority = self.account / "ca.crt"
        verify = ssl.create_default_context(cafile=str(authority)) if authority.is_file() else True
        client = httpx.Client(base_url=self.url, verify=verify, timeout=_REQUEST_SECONDS, trust_env=False)
        object.__setattr__(self, "_client", client)

    def create(self, manifest: dict[str, Any]) -> bool:
        """False where one of that name is there already."""
        answer = self._ask("POST", "", json=manifest)
        return answer.status_code != _CONFLICT

    def get(self, name: str) -> dict[str, Any] | None:
        answer = self._ask("GET", f"/{name}")
        return None if answer.status_code == httpx.codes.NOT_FOUND else dict(answer.json())

    def delete(self, name: str) -> None:
        """Returns at once; the object stays readable until its cluster and pods are gone."""
        self._ask("DELETE", f"/{name}", json={"propagationPolicy": "Foreground"})

    def follow(self, name: str) -> Iterator[dict[str, Any] | None]:
        """The object as it stands, and again whenever it changes; None when it is deleted, and then no more. A watch that
        breaks off or is too old (410) costs a look."""
        while (found := self.get(name)) is not None:
            yield found
            seen = False
            for event in self._watch(name, found["metadata"]["resourceVersion"]):
                seen = True
                if event["type"] == "DELETED":
                    yield None
                    return
                yield event["object"]
            if not seen:
                time.sleep(_FIRST_PAUSE_SECONDS)
        yield None

    def _watch(self, name: str, since: str) -> Iterator[dict[str, Any]]:
        """Events until the server ends the stream, for whatever reason."""
        query: dict[str, str | int] = {
            "watch": "true", "fieldSelector": f"metadata.name={name}", "resourceVersion": since,
            "timeoutSeconds": self.watch_seconds,
        }  # fmt: skip
        timeout = httpx.Timeout(_REQUEST_SECONDS, read=self.watch_seconds + _REQUEST_SECONDS)
        try:
            with self._client.stream("GET", self._path(), params=query, headers=self._headers(), timeout=timeout) as stream:
                if stream.status_code != httpx.codes.OK:
                    log().warning("kubernetes.watch-refused", status=stream.status_code)
                    return  # the look that follows raises what is to be raised
                for line in stream.iter_lines():
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        log().info("kubernetes.watch-ended", code=event["object"].get("code"))
                        return
                    if event["type"] != "BOOKMARK":
                        yield event
        except (httpx.TransportError, ValueError) as error:
            log().warning("kubernetes.watch-lost", detail=str(error))

    def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """The answer, which may be 404 and 409 as well as a success. Raises KubernetesRefused, Unavailable."""
        deadline, pause = time.monotonic() + self.patience_seconds, _FIRST_PAUSE_SECONDS
        while True:
            told = ""
            try:
                answer = self._client.request(method, self._path(path), headers=self._headers(), **more)
            except httpx.TransportError as error:
                told = str(error) or type(error).__name__
            else:
                if answer.status_code not in _BUSY:
                    return _allowed(answer, method)
                told = f"status {answer.status_code}"
            if time.monotonic() + pause > deadline:
                raise Unavailable(f"the Kubernetes API at {self.url} does not answer ({told}): the run is tried again later")
            log().warning("kubernetes.asked-again", method=method, detail=told)
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _path(self, rest: str = "") -> str:
        return f"/apis/{GROUP}/{VERSION}/namespaces/{self._account('namespace')}/{PLURAL}{rest}"

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._account('token')}"}

    def _account(self, name: str) -> str:
        try:
            return (self.account / name).read_text(encoding="utf-8").strip()
        except FileNotFoundError as error:
            raise KubernetesRefused(
                f"there is no {name} of a service account in {self.account}: run the training worker in a pod whose account "
                "token is mounted (the chart does with workers.training.settings.rayAddress=kuberay), or set "
                "LECTERN_RAY_ADDRESS=local"
            ) from error


def _allowed(answer: httpx.Response, method: str) -> httpx.Response:
    if answer.is_success or answer.status_code == _CONFLICT:
        return answer
    if answer.status_code == httpx.codes.NOT_FOUND and method != "POST":
        return answer
    told = _message(answer)
    if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise KubernetesRefused(
            f"the service account may not {method} {PLURAL}.{GROUP} ({told}): give it the rights create, get, list, watch and "
            "delete on them (the chart does with workers.training.settings.rayAddress=kuberay)"
        )
    if answer.status_code == httpx.codes.NOT_FOUND:
        raise KubernetesRefused(f"this cluster knows no {PLURAL}.{GROUP} ({told}): install the KubeRay operator and its CRDs")
    raise KubernetesRefused(f"the Kubernetes API refused to {method} the RayJob ({answer.status_code}): {told}")


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json().get("message", ""))[:500]
    except ValueError:
        return answer.text[:500]
