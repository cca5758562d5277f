"""Tidying: what killed work left goes, and what stands stays."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from services.gateway.chores.tidying import Tidying
from shared import layout
from shared.halves import open_halves
from shared.settings import StoreSettings
from tests.api.conftest import Gateway
from tests.conftest import s3_settings

LEFT = {"uploads": 1, "attempts": 3, "kept": 1, "checkpoints": 0, "halves": 0}


def leave(gateway: Gateway, document: str) -> list[str]:
    """What a killed upload, a killed worker, a worker that came second, and an unfinished long document leave."""
    committed = next(path for path in gateway.store.list("stages/cleaning") if path.endswith("manifest.json")).split("/")[2]
    paths = [
        layout.upload("broken-off"),
        layout.attempt_file("cleaning", committed, layout.attempt(document, "second"), "clean.mmd"),
        layout.attempt_file("extraction", "0" * 64, layout.attempt(document, "killed"), "pages.jsonl"),
        layout.attempt_file("dataset", "1" * 64, "killed", "train.jsonl"),
        f"{layout.kept('extraction', '0' * 64)}/{document[:16]}/range.jsonl",
    ]
    for path in paths:
        gateway.store.create(path, b"left")
    return paths


def test_a_dry_run_counts_and_a_tidying_removes_just_that(gateway: Gateway, client: httpx.Client) -> None:
    document = gateway.add()
    standing = sorted(gateway.store.list("stages"))
    leave(gateway, document)
    told = client.post("/v1/tidy", params={"dry_run": True, "older_hours": 0}).json()["would_remove"]
    assert {name: told[name] for name in LEFT} == LEFT and told["bytes"] == 20
    result = gateway.await_job(client.post("/v1/tidy", params={"older_hours": 0})).result
    assert result is not None and {name: result[name] for name in LEFT} == LEFT
    assert sorted(gateway.store.list("stages")) == standing
    assert list(gateway.store.list("uploads")) == []
    assert client.get(f"/v1/collections/papers/documents/{document}/mmd").status_code == 200


def test_what_is_young_or_leased_is_left_alone(gateway: Gateway, client: httpx.Client) -> None:
    left = leave(gateway, gateway.add())
    assert gateway.await_job(client.post("/v1/tidy")).state == "done"
    assert all(gateway.store.size(path) == 4 for path in left)
    with gateway.parts.leases.hold("0" * 64), gateway.parts.leases.hold("1" * 64):
        assert gateway.await_job(client.post("/v1/tidy", params={"older_hours": 0})).state == "done"
    assert [path for path in left if gateway.store.size(path)] == left[2:]


def test_it_is_done_regularly_and_once_a_period(gateway: Gateway, client: httpx.Client) -> None:
    gateway.parts.woken.set()
    kinds = []
    while not kinds:
        kinds = client.get("/v1/jobs", params={"kind": "tidy"}).json()["items"]
    gateway.parts.woken.set()
    assert len(client.get("/v1/jobs", params={"kind": "tidy"}).json()["items"]) == 1


def test_answers_past_their_time_are_not_remembered(gateway: Gateway, client: httpx.Client) -> None:
    headers = {"Idempotency-Key": "once"}
    client.post("/v1/keys", json={"name": "other", "scopes": ["read"]}, headers=headers)
    assert client.post("/v1/keys", json={"name": "more", "scopes": ["read"]}, headers=headers).status_code == 422
    result = gateway.await_job(client.post("/v1/tidy", params={"older_hours": 0})).result
    assert result is not None and result["answers"] == 1
    assert client.post("/v1/keys", json={"name": "more", "scopes": ["read"]}, headers=headers).status_code == 201


def test_it_needs_an_admin(gateway: Gateway) -> None:
    with gateway.client("write") as writer:
        assert writer.post("/v1/tidy").status_code == 403
        assert writer.post("/v1/reindex").status_code == 403


@pytest.fixture(params=["local", "s3"])
def half_settings(request: pytest.FixtureRequest, tmp_path: Path) -> StoreSettings:
    if request.param == "local":
        return StoreSettings(store_url=f"file://{tmp_path}/halves")
    return s3_settings(request.getfixturevalue("s3_url"))


def begin(settings: StoreSettings) -> None:
    """An object whose writer is killed before it is whole."""
    code = f"""
import os
import obstore
from obstore.store import LocalStore, S3Store
backend = {_backend(settings)}
writer = obstore.open_writer(backend, "uploads/half", buffer_size=5 << 20)
writer.write(b"a" * (11 << 20))
writer.flush()
os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9


def _backend(settings: StoreSettings) -> str:
    if settings.store_url.startswith("file://"):
        return f"LocalStore({settings.store_url.removeprefix('file://')!r}, mkdir=True)"
    bucket, _, prefix = settings.store_url.removeprefix("s3://").partition("/")
    return (
        f"S3Store({bucket!r}, prefix={prefix!r}, endpoint={settings.s3_endpoint!r}, region='us-east-1', "
        "access_key_id='test', secret_access_key='test-secret', virtual_hosted_style_request=False, "
        "client_options={'allow_http': True})"
    )


def test_halves_of_objects_are_found_and_dropped(half_settings: StoreSettings) -> None:
    halves = open_halves(half_settings)
    begin(half_settings)
    found = list(halves.found())
    assert [half.path for half in found] == ["uploads/half"]
    assert abs(found[0].touched_at - datetime.now(UTC)) < timedelta(minutes=5)
    halves.drop(found[0])
    assert list(halves.found()) == []


def test_a_tidying_drops_halves(gateway: Gateway, half_settings: StoreSettings) -> None:
    begin(half_settings)
    tidying = Tidying(gateway.store, gateway.catalog, gateway.parts.leases, open_halves(half_settings))
    assert tidying.run(3600, lambda done, total, unit: None)["halves"] == 0
    assert tidying.run(0, lambda done, total, unit: None)["halves"] == 1
    assert list(open_halves(half_settings).found()) == []
