"""RayJobs without a cluster: their schema, an API server over HTTP that holds to it, an operator that runs what they start."""

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import kubernetes_validate
from jsonschema import Draft202012Validator

Manifest = dict[str, Any]
KUBERNETES = "1.37"
_SCHEMA = json.loads((Path(__file__).parent / "schemas" / "rayjob.json").read_text())


def _closed(node: Any) -> Any:
    """As the API server with strict field validation: an object has the fields that its schema names, and no more."""
    if isinstance(node, list):
        return [_closed(one) for one in node]
    if not isinstance(node, dict):
        return node
    closed = {name: _closed(one) for name, one in node.items()}
    if "properties" in closed and isinstance(closed["properties"], dict) and "additionalProperties" not in closed:
        closed["additionalProperties"] = False
    return closed


def _validator() -> Draft202012Validator:
    schema = _closed(_SCHEMA)
    schema["properties"]["metadata"] = {"type": "object"}  # every kind's own, and Kubernetes' business
    return Draft202012Validator(schema)


_VALIDATOR = _validator()


def faults_of(rayjob: Manifest) -> list[str]:
    """Why Kubernetes would refuse a RayJob: by KubeRay's schema, and of its pods by Kubernetes' own."""
    found = [f"{one.json_path}: {one.message}" for one in _VALIDATOR.iter_errors(rayjob)]
    cluster = rayjob.get("spec", {}).get("rayClusterSpec", {})
    groups = [cluster.get("headGroupSpec", {}), *cluster.get("workerGroupSpecs", [])]
    for group in groups:
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "pod"},
            "spec": group.get("template", {}).get("spec", {}),
        }
        try:
            kubernetes_validate.validate(pod, KUBERNETES, strict=True)
        except kubernetes_validate.ValidationError as error:
            found.append(f"template: {error}")
    return found


class Cluster:
    """What the API server keeps: RayJobs by name, and every change of them. `faults` are statuses that the next requests get
    instead of an answer; `rights` are the verbs that the account has."""

    def __init__(self) -> None:
        self.rayjobs: dict[str, Manifest] = {}
        self.faults: deque[int] = deque()
        self.rights = {"create", "get", "list", "watch", "delete"}
        self.token = "first"
        self.asked: list[str] = []
        self.compacted = 0
        """Watches from before this version are too old."""
        self.broken_watches = 0
        """So many watches break off at their first event, without an end."""
        self.changed = threading.Condition()
        self.changes: list[tuple[int, str, Manifest]] = []
        self._version = 0

    def put(self, kind: str, rayjob: Manifest) -> None:
        with self.changed:
            self._version += 1
            rayjob["metadata"]["resourceVersion"] = str(self._version)
            self.changes.append((self._version, kind, json.loads(json.dumps(rayjob))))
            self.changed.notify_all()

    def create(self, rayjob: Manifest) -> None:
        self.rayjobs[rayjob["metadata"]["name"]] = rayjob
        self.put("ADDED", rayjob)

    def tell(self, name: str, deployment: str, job: str = "", **more: str) -> None:
        """What the operator writes into the status."""
        rayjob = self.rayjobs[name]
        rayjob["status"] = {"jobDeploymentStatus": deployment, "jobStatus": job, **more}
        self.put("MODIFIED", rayjob)

    def leave(self, name: str) -> None:
        """A deletion in the foreground: the object stays until its cluster is gone."""
        rayjob = self.rayjobs[name]
        if "deletionTimestamp" not in rayjob["metadata"]:
            rayjob["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
            self.put("MODIFIED", rayjob)

    def remove(self, name: str) -> None:
        self.put("DELETED", self.rayjobs.pop(name))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cluster: Cluster

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        rayjob = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._may("create"):
            return
        if faults := faults_of(rayjob):
            self._fail(422, "; ".join(faults))
        elif rayjob["metadata"]["name"] in self.cluster.rayjobs:
            self._fail(409, "already exists")
        else:
            self.cluster.create(rayjob)
            self._answer(201, rayjob)

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        if not self._may("watch" if "watch" in query else "get"):
            return
        if "watch" in query:
            self._stream(int(query["resourceVersion"][0]), float(query["timeoutSeconds"][0]))
        elif (found := self.cluster.rayjobs.get(self._name())) is None:
            self._fail(404, "not found")
        else:
            self._answer(200, found)

    def do_DELETE(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if not self._may("delete"):
            return
        if self._name() not in self.cluster.rayjobs:
            self._fail(404, "not found")
            return
        self.cluster.leave(self._name())
        self._answer(200, {"kind": "Status", "status": "Success"})

    def _may(self, verb: str) -> bool:
        self.cluster.asked.append(verb)
        if self.headers["Authorization"] != f"Bearer {self.cluster.token}":
            self._fail(401, "Unauthorized")
        elif verb not in self.cluster.rights:
            self._fail(403, f'rayjobs.ray.io is forbidden: cannot {verb} resource "rayjobs"')
        elif not urlsplit(self.path).path.startswith("/apis/ray.io/v1/namespaces/lectern/rayjobs"):
            self._fail(404, "the server could not find the requested resource")
        elif self.cluster.faults:
            self._fail(self.cluster.faults.popleft(), "on purpose")
        else:
            return True
        return False

    def _name(self) -> str:
        return urlsplit(self.path).path.rsplit("/", 1)[-1]

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
            for version, kind, rayjob in news:
                if self.cluster.broken_watches:
                    self.cluster.broken_watches -= 1
                    self.connection.close()
                    return
                since = version
                self._chunk({"type": kind, "object": rayjob})

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
def api_server(cluster: Cluster) -> Iterator[str]:
    """Yields the server's URL."""
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"cluster": cluster}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


class Operator:
    """In KubeRay's place: starts the entrypoint of each RayJob as a process of this machine, with the environment of the
    head's container; tells its end in the status; ends it, and lets the RayJob go, when that is deleted."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._reconcile, daemon=True)

    def __enter__(self) -> "Operator":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for name in list(self.processes):
            self._end(name)

    def _reconcile(self) -> None:
        while not self._stop.wait(0.05):
            for name, rayjob in list(self.cluster.rayjobs.items()):
                if "deletionTimestamp" in rayjob["metadata"]:
                    self._end(name)
                    self.cluster.remove(name)
                elif name not in self.processes:
                    self.cluster.tell(name, "Initializing")
                    self.processes[name] = self._start(rayjob["spec"])
                    self.cluster.tell(name, "Running", "RUNNING")
                elif rayjob["status"]["jobDeploymentStatus"] == "Running":
                    self._look(name, self.processes[name].poll())

    def _look(self, name: str, status: int | None) -> None:
        if status == 0:
            self.cluster.tell(name, "Complete", "SUCCEEDED")
        elif status is not None:
            self.cluster.tell(name, "Failed", "FAILED", reason="AppFailed", message=f"exit status {status}")

    def _start(self, spec: Manifest) -> subprocess.Popen[bytes]:
        (container,) = spec["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["containers"]
        given = {one["name"]: one["value"] for one in container["env"]}
        python, *arguments = shlex.split(spec["entrypoint"])
        assert python == "python"
        return subprocess.Popen([sys.executable, *arguments], env={**os.environ, **given}, start_new_session=True)

    def _end(self, name: str) -> None:
        if (process := self.processes.pop(name, None)) is not None:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
