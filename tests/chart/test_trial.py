"""The servers that the chart brings for a trial: those of compose, with one password that is kept, up before the services."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import helm_python
import pytest
import yaml

from tests.chart.policies import POLICIES
from tests.chart.rendered import BROUGHT, CHART, ELSEWHERE, OWN_SECRET, RELEASES, ROOT, Manifest, containers, render

SERVICES = {"lectern-gateway", "lectern-extraction", "lectern-cleaning", "lectern-training", "lectern-publish-base"}


def named(manifests: list[Manifest], kind: str) -> dict[str, Manifest]:
    return {one["metadata"]["name"]: one for one in manifests if one["kind"] == kind}


def secret(manifests: list[Manifest]) -> dict[str, str]:
    return dict(named(manifests, "Secret")["lectern"]["stringData"])


def test_they_are_the_servers_of_compose() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    brought = {name.rpartition("/")[2]: one for name, one in containers(render(BROUGHT))}
    for ours, theirs in {"store": "store", "catalog": "postgres", "queue": "valkey"}.items():
        assert brought[ours]["image"] == compose[theirs]["image"]
        variables = {one["name"] for one in brought[ours]["env"]} - {"HOME"}
        assert variables == set(compose[theirs]["environment"])
    assert brought["store"]["args"] == compose["store"]["command"]
    command = compose["valkey"]["command"][-1].replace("$$", "$").replace("valkey-server", "valkey-server --dir /data")
    assert brought["queue"]["command"][-1] == command
    assert brought["catalog"]["readinessProbe"]["exec"]["command"] == compose["postgres"]["healthcheck"]["test"][1:]


def test_every_service_is_told_where_they_are_and_by_which_password() -> None:
    manifests = render(BROUGHT)
    told = secret(manifests)
    password = BROUGHT["trial"]["password"]
    assert told["trial-password"] == told["s3-secret-key"] == password
    ports = {(name, port["port"]) for name, one in named(manifests, "Service").items() for port in one["spec"]["ports"]}
    for url in (told["catalog-url"], told["queue-url"]):
        parts = urlsplit(url)
        assert (parts.hostname, parts.port) in ports
        assert parts.password == password
    endpoints = {
        variable["value"]
        for _, one in containers(manifests)
        for variable in one.get("env", [])
        if variable["name"] == "LECTERN_S3_ENDPOINT"
    }
    (endpoint,) = endpoints
    assert (urlsplit(endpoint).hostname, urlsplit(endpoint).port) in ports


def test_no_service_starts_before_bucket_and_schema_are_there_and_nothing_waits_for_servers_that_come_later() -> None:
    manifests = render(BROUGHT)
    jobs = named(manifests, "Job")
    assert not [name for name, one in jobs.items() if "pre-install" in one["metadata"]["annotations"]["helm.sh/hook"]]
    first = {name.partition("/")[0]: one["args"] for name, one in containers(manifests) if name.endswith("/prepare")}
    assert first == {name: ["shared.prepare", "--wait", "300"] for name in SERVICES}


def test_a_queue_alone_leaves_the_migration_where_it_is() -> None:
    manifests = render(RELEASES["trial that brings queue alone"])
    assert named(manifests, "Job")["lectern-migrate"]["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert not [name for name, _ in containers(manifests) if name.endswith("/prepare")]


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_server_that_is_turned_off_is_looked_for_where_the_values_say(name: str) -> None:
    manifests = render(RELEASES[f"trial that brings all but {name}"])
    assert set(named(manifests, "StatefulSet")) == {f"lectern-{one}" for one in ELSEWHERE if one != name}
    text = json.dumps(manifests)
    for value in [*ELSEWHERE[name].get("secret", {}).values(), *ELSEWHERE[name].get("store", {}).values()]:
        assert value in text


def test_without_a_trial_no_server_is_brought() -> None:
    assert not named(render(OWN_SECRET), "StatefulSet")


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"secret": {"existingSecret": "credentials"}}, r"secret\.existingSecret"),
        (ELSEWHERE["store"], r"store\.endpoint"),
        ({"secret": {"s3SecretKey": "mine"}}, r"secret\.s3SecretKey"),
        (ELSEWHERE["catalog"], r"secret\.catalogUrl"),
        (ELSEWHERE["queue"], r"secret\.queueUrl"),
        ({"backup": {"restoreFrom": "s3://kept"}}, r"backup\.restoreFrom"),
        ({"trial": {"enabled": True, "password": "with/slash:and@sign"}}, "password"),
        ({"trial": {"enabled": True, "catalog": {"enabled": False}}}, r"secret\.catalogUrl"),
    ],
    ids=str,
)
def test_values_that_contradict_a_trial_are_refused_with_what_to_set(values: Manifest, word: str) -> None:
    with pytest.raises(helm_python.HelmError, match=word):
        render({**BROUGHT, **values})


@contextmanager
def a_cluster(secrets: dict[str, dict[str, str]]) -> Iterator[helm_python.Config]:
    """An API server that has these secrets and nothing else."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kinds = [{"name": "secrets", "kind": "Secret", "namespaced": True, "verbs": ["get", "list"]}]
            path = urlsplit(self.path).path
            name = path.rpartition("/")[2]
            if path == "/api/v1":
                self._say(200, {"kind": "APIResourceList", "groupVersion": "v1", "resources": kinds})
            elif path.startswith("/api/v1/namespaces/lectern/secrets/") and name in secrets:
                data = {key: base64.b64encode(value.encode()).decode() for key, value in secrets[name].items()}
                self._say(200, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data})
            else:
                self._say(404, {"apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404})

        def _say(self, code: int, body: Manifest) -> None:
            raw = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    kubeconfig = {
        "apiVersion": "v1", "kind": "Config", "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        "clusters": [{"name": "here", "cluster": {"server": address}}], "users": [{"name": "me", "user": {}}],
    }  # fmt: skip
    config = helm_python.Config(kubeconfig_content=yaml.safe_dump(kubeconfig), namespace="lectern")
    try:
        yield config
    finally:
        config.close()
        server.shutdown()
        server.server_close()


def upgraded(values: Manifest, secrets: dict[str, dict[str, str]], install: bool = False) -> list[Manifest]:
    chart = helm_python.Chart.load(str(CHART))
    try:
        with a_cluster(secrets) as config:
            how = {"is_install": True} if install else {"is_upgrade": True, "revision": 2}
            texts = config.render(chart, values, name="lectern", namespace="lectern", **how)
    finally:
        chart.close()
    files = [text for path, text in texts.items() if path.endswith(".yaml")]
    return [document for text in files for document in yaml.safe_load_all(text) if document]


def test_a_drawn_password_is_kept_over_upgrades_and_found_again_by_a_new_install_on_the_old_volumes() -> None:
    drawn = {"trial": {"enabled": True}}
    first = secret(render(drawn))
    assert len(first["trial-password"]) == 32
    assert secret(render(drawn))["trial-password"] != first["trial-password"]
    for install in (False, True):
        assert secret(upgraded(drawn, {"lectern": first}, install)) == first


def test_a_release_that_brings_servers_from_now_on_draws_a_password_beside_what_its_secret_had() -> None:
    made = secret(upgraded({"trial": {"enabled": True}}, {"lectern": {"catalog-url": "elsewhere"}}))
    assert len(made["trial-password"]) == 32


def test_a_password_that_would_lock_the_servers_out_is_refused() -> None:
    standing = {"lectern": {"trial-password": "thestandingone"}}
    assert (
        secret(upgraded({"trial": {"enabled": True, "password": "thestandingone"}}, standing))["s3-secret-key"]
        == "thestandingone"
    )
    with pytest.raises(helm_python.HelmError, match="Postgres keeps that one"):
        upgraded(BROUGHT, standing)
    with pytest.raises(helm_python.HelmError, match=r"set trial\.password"):
        upgraded({"trial": {"enabled": True}}, {})


def _pod(one: Manifest) -> Manifest:
    return dict(one["spec"]["template"]["spec"])


FAULTS: dict[str, tuple[str, Callable[[Manifest], object]]] = {
    "no_container_runs_as_root": ("StatefulSet", lambda one: _pod(one)["securityContext"].update(runAsUser=0)),
    "no_container_can_write_to_its_image": ("StatefulSet", lambda one: _pod(one)["containers"][0]["securityContext"].clear()),
    "every_container_that_listens_has_probes": ("StatefulSet", lambda one: _pod(one)["containers"][0].pop("livenessProbe")),
    "every_container_says_what_it_needs": ("StatefulSet", lambda one: _pod(one)["containers"][0]["resources"].pop("limits")),
    "no_image_floats": ("StatefulSet", lambda one: _pod(one)["containers"][0].update(image="pgsty/silo")),
    "no_secret_stands": (
        "StatefulSet", lambda one: _pod(one)["containers"][0]["env"].append({"name": "A_PASSWORD", "value": "x"})),
    "every_mount_has_its_volume": ("StatefulSet", lambda one: one["spec"]["volumeClaimTemplates"].clear()),
    "what_a_server_of_a_trial_keeps": (
        "StatefulSet", lambda one: one["spec"].update(persistentVolumeClaimRetentionPolicy={"whenDeleted": "Delete"})),
    "every_service_finds_its_pods": (
        "Service", lambda one: one["spec"]["selector"].update({"app.kubernetes.io/component": "x"})),
    "every_deployment_takes_connections": ("NetworkPolicy", lambda one: one["spec"]["ingress"].clear()),
    "no_server_of_a_trial_takes_connections": ("NetworkPolicy", lambda one: one["spec"]["ingress"][0].pop("from")),
}  # fmt: skip


@pytest.mark.parametrize("server", ELSEWHERE)
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_a_server_is_caught(name: str, server: str) -> None:
    manifests = deepcopy(render(BROUGHT))
    policy = next(one for one in POLICIES if one.__name__.startswith(name))
    assert policy(manifests) == []
    kind, spoil = FAULTS[name]
    spoil(named(manifests, kind)[f"lectern-{server}"])
    assert policy(manifests) != []
