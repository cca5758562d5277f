"""Kubernetes without a cluster: an API server over HTTP that validates what it is sent, keeps it, knows rights and fails."""

import json
import os
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import kubernetes_validate

Manifest = dict[str, Any]
KUBERNETES = "1.37"
NAMESPACE = "lectern"
PLACES = {
    "deployments": "/apis/apps/v1", "services": "/api/v1", "pods": "/api/v1", "rayjobs": "/apis/ray.io/v1",
}  # fmt: skip
"""The kinds that the server knows, and where each lies."""
SEAT = "lectern.dev/seat"


class Objects:
    """What the API server keeps: objects by kind and name, and every change of them. `faults` are statuses that the next
    requests get instead of an answer; `rights` are the verbs that the account has, by kind."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Manifest]] = {plural: {} for plural in PLACES}
        self.faults: deque[int] = deque()
        self.rights = {plural: {"create", "get", "list", "watch", "update", "delete"} for plural in PLACES}
        self.away = False
        """Whether it answers nobody."""
        self.token = "first"
        self.asked: list[str] = []
        self.compacted = 0
        """Watches from before this version are too old."""
        self.broken_watches = 0
        """So many watches break off at their first event, without an end."""
        self.changed = threading.Condition()
        self.changes: list[tuple[int, str, Manifest]] = []
        self._version = 0
        self._addresses: dict[str, str] = {}

    def faults_of(self, plural: str, manifest: Manifest) -> list[str]:
        """Why Kubernetes would refuse an object."""
        try:
            kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
        except kubernetes_validate.ValidationError as error:
            return [str(error)]
        return []

    def add(self, plural: str, manifest: Manifest) -> Manifest:
        """An object as it stands once it was created."""
        metadata = manifest["metadata"]
        metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": f"2026-01-01T00:00:00.{time.time_ns()}Z"}
        if plural == "services":
            manifest["spec"]["clusterIP"] = self.address(manifest["spec"]["selector"][SEAT])
        self.kept[plural][metadata["name"]] = manifest
        self.put("ADDED", manifest)
        return manifest

    def put(self, kind: str, manifest: Manifest) -> None:
        with self.changed:
            self._version += 1
            manifest["metadata"]["resourceVersion"] = str(self._version)
            self.changes.append((self._version, kind, json.loads(json.dumps(manifest))))
            self.changed.notify_all()

    def leave_object(self, plural: str, name: str) -> None:
        """A deletion in the foreground: the object stays until what it owns is gone."""
        found = self.kept[plural][name]
        if "deletionTimestamp" not in found["metadata"]:
            found["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
            self.put("MODIFIED", found)

    def drop(self, plural: str, name: str) -> None:
        self.put("DELETED", self.kept[plural].pop(name))

    def address(self, seat: str) -> str:
        """Of a seat's Service, and of its pods: one of the loopback's own, so that all may listen on the same ports, and
        those of two runs of the tests beside each other as well."""
        number = len(self._addresses)
        return self._addresses.setdefault(seat, f"127.{os.getpid() % 250 + 1}.{number // 250}.{number % 250 + 1}")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cluster: Objects

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._may("create"):
            return
        if faults := self.cluster.faults_of(self._plural(), given):
            self._fail(422, "; ".join(faults))
        elif given["metadata"]["name"] in self._kept():
            self._fail(409, "already exists")
        elif self._is_dry():
            self._answer(201, given)
        else:
            self._answer(201, self.cluster.add(self._plural(), given))

    def do_PUT(self) -> None:
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._may("update"):
            return
        standing = self._kept().get(self._name())
        if standing is None:
            self._fail(404, "not found")
        elif faults := self.cluster.faults_of(self._plural(), given):
            self._fail(422, "; ".join(faults))
        elif given["metadata"].get("resourceVersion") != standing["metadata"]["resourceVersion"]:
            self._fail(409, "the object has been modified")
        elif given["spec"].get("selector") != standing["spec"].get("selector"):
            self._fail(422, "spec.selector: field is immutable")
        elif self._is_dry():
            self._answer(200, given)
        else:
            kept = {name: standing["metadata"][name] for name in ("uid", "creationTimestamp")}
            standing |= {"metadata": {**given["metadata"], **kept}, "spec": given["spec"]}
            self.cluster.put("MODIFIED", standing)
            self._answer(200, standing)

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        if not self._may("watch" if "watch" in query else "get" if self._name() else "list"):
            return
        if "watch" in query:
            self._stream(int(query["resourceVersion"][0]), float(query["timeoutSeconds"][0]))
        elif not self._name():
            self._answer(200, {"kind": "List", "items": self._selected(query.get("labelSelector", [""])[0])})
        elif (found := self._kept().get(self._name())) is None:
            self._fail(404, "not found")
        else:
            self._answer(200, found)

    def do_DELETE(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if not self._may("delete"):
            return
        if self._name() not in self._kept():
            self._fail(404, "not found")
            return
        self.cluster.leave_object(self._plural(), self._name())
        self._answer(200, {"kind": "Status", "status": "Success"})

    def _may(self, verb: str) -> bool:
        if self.cluster.away:
            self.close_connection = True
            self.connection.close()
            return False
        self.cluster.asked.append(verb)
        plural, path = self._plural(), urlsplit(self.path).path
        if self.headers["Authorization"] != f"Bearer {self.cluster.token}":
            self._fail(401, "Unauthorized")
        elif not path.startswith(f"{PLACES.get(plural, 'nowhere')}/namespaces/{NAMESPACE}/{plural}"):
            self._fail(404, "the server could not find the requested resource")
        elif verb not in self.cluster.rights[plural]:
            self._fail(403, f'{plural} is forbidden: cannot {verb} resource "{plural}"')
        elif self.cluster.faults:
            self._fail(self.cluster.faults.popleft(), "on purpose")
        else:
            return True
        return False

    def _is_dry(self) -> bool:
        return parse_qs(urlsplit(self.path).query).get("dryRun") == ["All"]

    def _parts(self) -> list[str]:
        return urlsplit(self.path).path.partition("/namespaces/")[2].split("/")[1:]

    def _plural(self) -> str:
        return next(iter(self._parts()), "")

    def _name(self) -> str:
        return "/".join(self._parts()[1:])

    def _kept(self) -> dict[str, Manifest]:
        return self.cluster.kept[self._plural()]

    def _selected(self, selector: str) -> list[Manifest]:
        wanted = dict(one.split("=", 1) for one in selector.split(",") if one)
        return [one for one in list(self._kept().values()) if wanted.items() <= one["metadata"].get("labels", {}).items()]

    def _stream(self, since: int, seconds: float) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if since < self.cluster.compacted:
            self._chunk({"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}})
        else:
            self._changes(since, time.monotonic() + seconds)
        self.wfile.write(b"0\r\n\r\n")

    def _changes(self, since: int, until: float) -> None:
        while time.monotonic() < until:
            with self.cluster.changed:
                self.cluster.changed.wait(0.1)
                news = [one for one in self.cluster.changes if one[0] > since]
            for version, kind, found in news:
                if self.cluster.broken_watches:
                    self.cluster.broken_watches -= 1
                    self.connection.close()
                    return
                since = version
                self._chunk({"type": kind, "object": found})

    def _chunk(self, event: Manifest) -> None:
        line = json.dumps(event).encode() + b"\n"
        self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
        self.wfile.flush()

    def _fail(self, status: int, message: str) -> None:
        self._answer(status, {"kind": "Status", "status": "Failure", "message": message, "code": status})

    def _answer(self, status: int, body: Manifest) -> None:
        sent = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client that goes away in the middle of a watch is no fault."""


@contextmanager
def api_server(cluster: Objects) -> Iterator[str]:
    """Yields the server's URL."""
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"cluster": cluster}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
