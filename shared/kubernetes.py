"""The Kubernetes API, as far as Lectern needs it: objects of a few kinds in the namespace of its own pod, for runs as RayJobs
and for engines as Deployments.

The account's token is read for each request, since the kubelet replaces it every hour.
"""

import json
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

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
class Kind:
    """A kind of objects. `group` is empty for those of Kubernetes' core. `rights` are the verbs that the account needs,
    `given_by` says where they come from, and `brought_by` what to do where the cluster does not know the kind."""

    group: str
    version: str
    plural: str
    rights: tuple[str, ...]
    given_by: str
    brought_by: str = "a newer Kubernetes has them"

    @property
    def name(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural


@dataclass(frozen=True, slots=True)
class KubernetesApi:
    """Objects of a namespace. Whatever does not answer is asked again, with growing pauses, for `patience_seconds` (0: once);
    after that the methods raise Unavailable. KubernetesRefused is raised at once. `outside` says what to do where there is no
    service account."""

    url: str
    account: Path
    patience_seconds: float
    outside: str
    watch_seconds: int = 240
    _client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        authority = self.account / "ca.crt"
        verify = ssl.create_default_context(cafile=str(authority)) if authority.is_file() else True
        client = httpx.Client(base_url=self.url, verify=verify, timeout=_REQUEST_SECONDS, trust_env=False)
        object.__setattr__(self, "_client", client)

    def create(self, kind: Kind, manifest: dict[str, Any], dry_run: bool = False) -> dict[str, Any] | None:
        """The object as it now stands; None where one of that name is there already. A dry run asks whether it would be had,
        and makes nothing."""
        answer = self._ask("POST", kind, json=manifest, params=_asked_dry(dry_run))
        return None if answer.status_code == _CONFLICT else dict(answer.json())

    def get(self, kind: Kind, name: str) -> dict[str, Any] | None:
        answer = self._ask("GET", kind, f"/{name}")
        return None if answer.status_code == httpx.codes.NOT_FOUND else dict(answer.json())

    def find(self, kind: Kind, labels: Mapping[str, str]) -> list[dict[str, Any]]:
        """All that carry these labels."""
        selector = ",".join(f"{name}={value}" for name, value in labels.items())
        answer = self._ask("GET", kind, params={"labelSelector": selector})
        return [] if answer.status_code == httpx.codes.NOT_FOUND else list(answer.json()["items"])

    def replace(self, kind: Kind, manifest: dict[str, Any], dry_run: bool = False) -> bool:
        """False where somebody else changed it (its `resourceVersion` is an older one) or it is gone. A dry run asks whether
        it would be had, and changes nothing."""
        answer = self._ask("PUT", kind, f"/{manifest['metadata']['name']}", json=manifest, params=_asked_dry(dry_run))
        return answer.is_success

    def delete(self, kind: Kind, name: str) -> None:
        """Returns at once; the object stays readable until what it owns is gone. One that is gone is no error."""
        self._ask("DELETE", kind, f"/{name}", json={"propagationPolicy": "Foreground"})

    def follow(self, kind: Kind, name: str) -> Iterator[dict[str, Any] | None]:
        """The object as it stands, and again whenever it changes; None when it is deleted, and then no more. A watch that
        breaks off or is too old (410) costs a look."""
        while (found := self.get(kind, name)) is not None:
            yield found
            seen = False
            for event in self._watch(kind, name, found["metadata"]["resourceVersion"]):
                seen = True
                if event["type"] == "DELETED":
                    yield None
                    return
                yield event["object"]
            if not seen:
                time.sleep(_FIRST_PAUSE_SECONDS)
        yield None

    def namespace(self) -> str:
        """The one that the pod is in. Raises KubernetesRefused outside of one."""
        return self._account("namespace")

    def _watch(self, kind: Kind, name: str, since: str) -> Iterator[dict[str, Any]]:
        """Events until the server ends the stream, for whatever reason."""
        query: dict[str, str | int] = {
            "watch": "true", "fieldSelector": f"metadata.name={name}", "resourceVersion": since,
            "timeoutSeconds": self.watch_seconds,
        }  # fmt: skip
        timeout = httpx.Timeout(_REQUEST_SECONDS, read=self.watch_seconds + _REQUEST_SECONDS)
        try:
            with self._client.stream("GET", self._path(kind), params=query, headers=self._headers(), timeout=timeout) as stream:
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

    def _ask(self, method: str, kind: Kind, path: str = "", **more: Any) -> httpx.Response:
        """The answer, which may be 404 and 409 as well as a success. Raises KubernetesRefused, Unavailable."""
        deadline, pause = time.monotonic() + self.patience_seconds, _FIRST_PAUSE_SECONDS
        while True:
            told = ""
            try:
                answer = self._client.request(method, self._path(kind, path), headers=self._headers(), **more)
            except httpx.TransportError as error:
                told = str(error) or type(error).__name__
            else:
                if answer.status_code not in _BUSY:
                    return _allowed(answer, method, kind)
                told = f"status {answer.status_code}"
            if time.monotonic() + pause > deadline:
                raise Unavailable(f"the Kubernetes API at {self.url} does not answer ({told}): it is tried again later")
            log().warning("kubernetes.asked-again", method=method, detail=told)
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _path(self, kind: Kind, rest: str = "") -> str:
        root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
        return f"{root}/namespaces/{self.namespace()}/{kind.plural}{rest}"

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._account('token')}"}

    def _account(self, name: str) -> str:
        try:
            return (self.account / name).read_text(encoding="utf-8").strip()
        except FileNotFoundError as error:
            raise KubernetesRefused(f"there is no {name} of a service account in {self.account}: {self.outside}") from error


def _allowed(answer: httpx.Response, method: str, kind: Kind) -> httpx.Response:
    if answer.is_success or answer.status_code == _CONFLICT:
        return answer
    if answer.status_code == httpx.codes.NOT_FOUND and method != "POST":
        return answer
    told = _message(answer)
    if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise KubernetesRefused(
            f"the service account may not {method} {kind.name} ({told}): give it the rights {_listed(kind.rights)} on them "
            f"({kind.given_by})"
        )
    if answer.status_code == httpx.codes.NOT_FOUND:
        raise KubernetesRefused(f"this cluster knows no {kind.name} ({told}): {kind.brought_by}")
    raise KubernetesRefused(f"the Kubernetes API refused to {method} {kind.name} ({answer.status_code}): {told}")


def _asked_dry(dry_run: bool) -> dict[str, str]:
    return {"dryRun": "All"} if dry_run else {}


def _listed(words: tuple[str, ...]) -> str:
    return " and ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json().get("message", ""))[:500]
    except ValueError:
        return answer.text[:500]
