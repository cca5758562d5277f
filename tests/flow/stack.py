"""A whole Lectern for the flow tests, started by its own launcher, with ways to hurt it."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from shared.contracts.views import FINISHED
from tests.servers import free_port, wait_until


class Stack:
    """`lectern up` under a home of its own."""

    def __init__(self, home: Path, bases: Path) -> None:
        self.home = home
        self.port = free_port()
        (home / "store").mkdir(parents=True)
        shutil.copytree(bases, home / "store" / "bases", copy_function=os.link)

    def up(self, *options: str) -> None:
        self.lectern("up", "--port", str(self.port), *options)

    def down(self) -> None:
        self.lectern("down")

    def lectern(self, *arguments: str, fails: bool = False) -> Any:
        """Run the command; its JSON answer. With `fails`, the completed process instead."""
        command = [sys.executable, "-m", "cli.main", *arguments, "--home", str(self.home), "--json"]
        finished = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
        if fails:
            return finished
        assert finished.returncode == 0, f"lectern {' '.join(arguments)}: {finished.stdout}\n{finished.stderr}"
        return json.loads(finished.stdout) if finished.stdout.strip() else None

    @property
    def api(self) -> httpx.Client:
        key = (self.home / "key").read_text().strip()
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=30, trust_env=False)

    def get(self, path: str, **query: Any) -> Any:
        with self.api as api:
            answer = api.get(path, params=query)
            assert answer.status_code == 200, answer.text
            return answer.json()

    def post(self, path: str, body: Any = None) -> Any:
        with self.api as api:
            answer = api.post(path, json=body)
            assert answer.status_code in (200, 201, 202), answer.text
            return answer.json()

    def upload(self, files: list[Path], collection: str) -> None:
        with self.api as api:
            for file in files:
                answer = api.post(
                    f"/v1/collections/{collection}/documents", params={"filename": file.name}, content=file.read_bytes(),
                    headers={"Content-Type": "application/pdf"},
                )  # fmt: skip
                assert answer.status_code in (200, 202), answer.text

    def documents(self, collection: str) -> list[dict[str, Any]]:
        return list(self.get(f"/v1/collections/{collection}/documents", limit=200)["items"])

    def wait_for_documents(self, collection: str, seconds: float = 180) -> list[dict[str, Any]]:
        wait_until(
            lambda: all(one["state"] in FINISHED for one in self.documents(collection)), "the documents to be finished", seconds
        )
        return self.documents(collection)

    def wait_for_job(self, job: str, seconds: float = 300) -> dict[str, Any]:
        wait_until(lambda: self.get(f"/v1/jobs/{job}")["state"] in FINISHED, f"job {job} to be finished", seconds)
        return dict(self.get(f"/v1/jobs/{job}"))

    def pids(self, service: str) -> list[int]:
        """The processes of a service that supervisord keeps just now."""
        rows = self.lectern("ps")
        return [row["pid"] for row in rows if row["pid"] and row["name"].split(":")[0].split("_")[0] == service]

    def kill(self, service: str) -> list[int]:
        """Kill -9 every process of a service; returns their pids."""
        killed = self.pids(service)
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        return killed

    def manifests(self, stage: str) -> list[Path]:
        return sorted((self.home / "store" / "stages" / stage).glob("*/manifest.json"))

    def dataset(self, collection: str) -> dict[str, Any]:
        """Build a dataset of a collection and wait for it."""
        asked = self.post("/v1/datasets", {"name": "set", "collection": collection})
        assert self.wait_for_job(asked["job"])["state"] == "done"
        return dict(self.get(f"/v1/datasets/{asked['id']}"))


def dataset_digest(dataset: dict[str, Any]) -> str:
    return str(next(stage["result"]["digest"] for stage in dataset["stages"] if stage["stage"] == "dataset"))
