"""Jobs: listed, watched as they happen, called off and started again."""

import json
import threading
from typing import Any

import httpx

from shared.contracts.work import DocumentWork, Progress
from shared.contracts.workers import Gpu
from shared.presence import Presence
from shared.queue import open_redis
from tests.api.conftest import PDF, Gateway
from tests.servers import wait_until

SHELF = "/v1/collections/papers"


def read(client: httpx.Client, path: str, **headers: str) -> list[dict[str, Any]]:
    """All events until the server ends the stream."""
    events = []
    with client.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream")
        fields: dict[str, str] = {}
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if line == "" and "data" in fields:
                events.append({"name": fields["event"], **json.loads(fields["data"])})
                assert fields["id"] == str(events[-1]["id"])
                fields = {}
            elif name in ("event", "id", "data"):
                fields[name] = value
    return events


def job_of(client: httpx.Client, document: str) -> str:
    found: str = client.get(f"{SHELF}/documents/{document}").json()["job"]
    return found


def test_a_finished_jobs_events_are_told_and_the_stream_ends(gateway: Gateway, client: httpx.Client) -> None:
    job = job_of(client, gateway.add())
    events = read(client, f"/v1/jobs/{job}/events")
    kinds = [event["kind"] for event in events if event["kind"] != "progress"]
    assert kinds == ["queued"] + ["stage"] * 8 + ["finished"]
    assert all(event["job"] == job and event["name"] == event["kind"] for event in events)
    rest = read(client, f"/v1/jobs/{job}/events", **{"Last-Event-ID": str(events[-3]["id"])})
    assert rest == events[-2:]
    assert read(client, f"/v1/jobs/{job}/events?after={events[-1]['id']}") == []


def test_a_job_is_watched_while_it_works(gateway: Gateway, client: httpx.Client) -> None:
    job = job_of(client, gateway.add(done=False))
    found: list[dict[str, Any]] = []
    watching = threading.Thread(target=lambda: found.extend(read(client, f"/v1/jobs/{job}/events")))
    watching.start()
    work = gateway.catalog.work(job)
    assert work is not None
    gateway.catalog.begin_stage(DocumentWork.model_validate(work.work), "extraction", "k")
    gateway.catalog.touch(job, Progress(done=3, total=9, unit="page"))
    with gateway.client() as other:
        assert other.get(f"/v1/jobs/{job}").json()["progress"]["done"] == 3
    gateway.workers.run(job)
    watching.join(30)
    assert next(event["data"] for event in found if event["kind"] == "progress")["unit"] == "page"
    assert found[-1]["kind"] == "finished" and found[-1]["data"]["state"] == "done"


def test_a_collection_is_watched_until_all_of_its_documents_are_finished(gateway: Gateway, client: httpx.Client) -> None:
    documents = [gateway.add(content=PDF + bytes([at]), done=False) for at in range(3)]
    jobs = [job_of(client, document) for document in documents]
    gateway.add("other")
    found: list[dict[str, Any]] = []
    watching = threading.Thread(target=lambda: found.extend(read(client, f"{SHELF}/events")))
    watching.start()
    for job in jobs:
        gateway.workers.run(job)
    watching.join(30)
    assert not watching.is_alive()
    assert {event["job"] for event in found if event["kind"] == "finished"} == set(jobs)
    assert [event["id"] for event in found] == sorted(event["id"] for event in found)


def test_what_cannot_be_watched_is_told(client: httpx.Client) -> None:
    assert client.get("/v1/jobs/none/events").status_code == 404
    assert client.get("/v1/collections/none/events").status_code == 404


def test_an_event_id_that_is_none_is_refused(gateway: Gateway, client: httpx.Client) -> None:
    job = job_of(client, gateway.add())
    for given in ("x", "-1", "²", "9" * 30):
        answer = client.get(f"/v1/jobs/{job}/events", headers={"Last-Event-ID": given.encode("latin-1")})
        assert (answer.status_code, answer.json()["code"]) == (400, "bad-cursor")


def test_a_job_that_waits_is_called_off_at_once_and_started_again(gateway: Gateway, client: httpx.Client) -> None:
    job = job_of(client, gateway.add(done=False))
    off = client.delete(f"/v1/jobs/{job}")
    assert (off.status_code, off.json()["state"]) == (200, "cancelled")
    assert client.delete(f"/v1/jobs/{job}").status_code == 409
    again = client.post(f"/v1/jobs/{job}/retry")
    assert (again.status_code, again.json()["state"]) == (202, "queued")
    assert gateway.workers.run(job) == "done"
    assert client.post(f"/v1/jobs/{job}/retry").status_code == 409
    assert client.delete("/v1/jobs/none").status_code == client.post("/v1/jobs/none/retry").status_code == 404


def test_a_job_that_is_being_worked_on_is_asked_to_stop(gateway: Gateway, client: httpx.Client) -> None:
    job = job_of(client, gateway.add(done=False))
    work = gateway.catalog.work(job)
    assert work is not None
    gateway.catalog.begin_stage(DocumentWork.model_validate(work.work), "extraction", "k")
    off = client.delete(f"/v1/jobs/{job}")
    assert (off.status_code, off.json()["state"]) == (202, "running")
    assert gateway.catalog.touch(job) is True


def test_jobs_are_listed_by_kind_and_state(gateway: Gateway, client: httpx.Client) -> None:
    done, queued = gateway.add(content=PDF + b"1"), gateway.add(content=PDF + b"2", done=False)
    subjects = {
        state: [job["subject"] for job in client.get("/v1/jobs", params={"state": state}).json()["items"]]
        for state in ("done", "queued")
    }
    assert subjects == {"done": [done], "queued": [queued]}
    assert len(client.get("/v1/jobs", params={"kind": "document"}).json()["items"]) == 2
    assert client.get("/v1/jobs", params={"kind": "run"}).json()["items"] == []
    assert client.get("/v1/jobs", params={"kind": "dream"}).status_code == 422


def test_workers_are_listed_with_what_they_are_at_and_their_gpus_to_whoever_may_read(gateway: Gateway) -> None:
    gpu = Gpu(uuid="GPU-1", index=0, name="NVIDIA H100", memory_used_bytes=8 << 30, memory_total_bytes=80 << 30)
    presence = Presence(open_redis(gateway.parts.settings), "training", 0.05, ("training",), look=lambda: (gpu,))
    with gateway.client("read") as client, presence.shown(), presence.at_work("run.abc", "training"):
        wait_until(lambda: bool((found := client.get("/v1/workers").json()["items"]) and found[0]["at"]), "what it is at")
        (worker,) = client.get("/v1/workers").json()["items"]
    assert (worker["service"], worker["state"], worker["queues"]) == ("training", "live", ["training"])
    assert worker["at"]["job"] == "run.abc" and worker["gpus"][0]["memory_total_bytes"] == 80 << 30
    assert httpx.get(f"{gateway.url}/v1/workers", trust_env=False).status_code == 401
