"""A Lectern that was lost and restored answers as before: whatever people and workers left, and what keys may do."""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.gateway.app import create_app
from services.gateway.settings import GatewaySettings
from shared.backup.settings import BackupSettings
from shared.backup.work import back_up, restore
from shared.catalog.database import migrate, open_database
from shared.catalog.sql import SqlCatalog
from shared.errors import Conflict
from shared.objects import ObjectStore, open_store
from tests.api.conftest import PDF, Gateway, Server
from tests.api.shelved import Authors, dataset_of_shelf, model_of

LISTS = (
    "collections", "collections/papers/documents", "datasets", "runs", "tuned-models", "deployments", "keys", "keys/audit",
    "feedback", "garbage", "garbage/labels", "review", "classifiers", "forgotten",
)  # fmt: skip


@pytest.fixture
def lived_in(gateway: Gateway, client: httpx.Client, base: str) -> Gateway:
    """A Lectern that has been worked with: documents, labels, feedback, models promoted and deployed, a document forgotten."""
    gateway.workers = Authors(gateway.workers.runner)
    documents = [gateway.add(content=PDF + bytes([at])) for at in range(4)]
    dataset = dataset_of_shelf(gateway, client, "first")
    model = model_of(gateway, client, "papers", dataset)
    item = next(one for one in client.get("/v1/garbage").json()["items"] if one["document"] == documents[0])
    said = {"document": documents[0], "item": item["id"]}
    for answer in (
        client.post(f"/v1/tuned-models/{model}/promotion", json={}),
        client.post("/v1/deployments", json={"name": "answers", "model": "papers"}),
        client.post("/v1/keys", json={"name": "limited", "scopes": ["read"], "requests_per_minute": 3}),
        client.post("/v1/garbage/labels", json={"labels": [{**said, "verdict": "garbage"}]}),
        client.post("/v1/feedback", json={"model": model, "prompt": "Why?", "answer": "So.", "rating": "up"}),
        forgetting := client.post(f"/v1/documents/{documents[3]}/forget", json={"confirm": documents[3]}),
    ):
        assert answer.is_success, answer.text
    gateway.await_job(forgetting)
    return gateway


def answers(url: str, headers: dict[str, str]) -> dict[str, Any]:
    """All that the API tells of what people and workers left."""
    found: dict[str, Any] = {}
    with httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False) as client:
        for name in LISTS:
            answer = client.get(f"/v1/{name}", params={"limit": 100})
            assert answer.is_success, f"{name}: {answer.text}"
            found[name] = answer.json()
    return found


@pytest.fixture
def restored_at(gateway: Gateway) -> Iterator[Callable[[ObjectStore, SqlCatalog], str]]:
    servers: list[Server] = []

    def start(store: ObjectStore, catalog: SqlCatalog) -> str:
        servers.append(Server(create_app(dataclasses.replace(gateway.parts, store=store, catalog=catalog))))
        return servers[-1].url

    yield start
    for server in servers:
        server.stop()


def test_all_that_the_api_tells_survives(
    lived_in: Gateway, client: httpx.Client, tmp_path: Path, restored_at: Callable[[ObjectStore, SqlCatalog], str]
) -> None:
    headers = {"Authorization": client.headers["Authorization"]}
    old = BackupSettings(**lived_in.parts.settings.model_dump(include=set(BackupSettings.model_fields)))
    back_up(old, f"{tmp_path}/backups", None, False, lambda *_: None)
    before = answers(lived_in.url, headers)
    new = old.model_copy(update={"store_url": f"file://{tmp_path}/new/store", "catalog_url": f"sqlite:///{tmp_path}/new.db"})
    _, counts = restore(new, f"{tmp_path}/backups", None, False, lambda *_: None)
    assert (counts["documents"], counts["models"], counts["promotions"], counts["labels"]) == (3, 1, 1, 1)
    engine = open_database(new.catalog_url)
    assert answers(restored_at(open_store(new), SqlCatalog(engine)), headers) == before
    engine.dispose()


def test_a_catalog_that_is_in_use_is_not_restored_over(gateway: Gateway, tmp_path: Path, settings: GatewaySettings) -> None:
    gateway.add(done=False)
    old = BackupSettings(**settings.model_dump())
    back_up(old, f"{tmp_path}/backups", None, False, lambda *_: None)
    with pytest.raises(Conflict, match="catalog is not empty"):
        restore(
            old.model_copy(update={"store_url": f"file://{tmp_path}/new"}), f"{tmp_path}/backups", None, False, lambda *_: None
        )


def test_the_commands_take_check_and_restore_a_home(tmp_path: Path) -> None:
    def run(*arguments: str) -> Any:
        command = [sys.executable, "-m", "cli.main", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    migrate(f"sqlite:///{tmp_path}/home/catalog.db")
    store = open_store(BackupSettings(store_url=f"file://{tmp_path}/home/store"))
    store.create("audit/2026-01-01/a.json", b"{}")
    place = str(tmp_path / "backups")
    home, other = ("--home", str(tmp_path / "home")), ("--home", str(tmp_path / "other"))
    taken = run("backup", place, *home, "--json")
    assert json.loads(taken.stdout)["objects"] == 1, taken.stderr
    told = run("restore", place, "--check", *home)
    assert "is whole: 1 object" in told.stdout
    refused = run("restore", place, *home)
    assert refused.returncode == 6 and "not empty" in refused.stderr
    assert run("restore", place, "--at", "20250101T000000.000000Z", *other).returncode == 5
