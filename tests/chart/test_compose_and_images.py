"""docker-compose.yml and the Dockerfiles: wired to settings that exist, in order, without secrets and without root."""

import re
from pathlib import Path

import pytest
import yaml

from shared.settings import SharedSettings
from tests.chart.rendered import RELEASES, ROOT, SETTINGS, Manifest, render, runnable

COMPOSE: Manifest = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Manifest] = COMPOSE["services"]
OURS = ("gateway", "extraction", "cleaning", "training", "serving", "migrate", "publish-base", "backup")
LONG_RUNNING = ("gateway", "extraction", "cleaning", "training", "serving")
SERVERS = ("postgres", "store", "valkey")
WATCHERS = ("grafana", "jaeger", "otel-collector", "prometheus")
ON_GPUS: dict[str, Manifest] = yaml.safe_load((ROOT / "docker-compose.gpu.yml").read_text())["services"]
DOCKERFILES = sorted((ROOT / "docker").glob("*.Dockerfile"))


def test_compose_runs_every_service_and_nothing_unknown() -> None:
    assert set(SERVICES) == {*OURS, *SERVERS, *WATCHERS}
    assert {name for name, one in SERVICES.items() if one.get("profiles") == ["observability"]} == set(WATCHERS)


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting_that_the_service_reads(name: str) -> None:
    fields = SETTINGS.get(name, SharedSettings).model_fields
    assert [one for one in SERVICES[name]["environment"] if one.removeprefix("LECTERN_").lower() not in fields] == []


@pytest.mark.parametrize("name", [*OURS, *WATCHERS])
def test_our_containers_are_read_only_and_without_capabilities(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", [*SERVERS, "gateway"])
def test_what_others_wait_for_says_when_it_is_healthy(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_for_others_by_a_condition_that_they_can_meet(name: str) -> None:
    for other, wait in SERVICES[name].get("depends_on", {}).items():
        if wait["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[other]
        else:
            assert wait["condition"] == "service_completed_successfully"
            assert SERVICES[other]["restart"] == "no"


@pytest.mark.parametrize("name", LONG_RUNNING)
def test_no_service_starts_before_the_schema_is_there(name: str) -> None:
    def before(one: str) -> set[str]:
        waits = SERVICES[one].get("depends_on", {})
        return set(waits) | {other for wait in waits for other in before(wait)}

    assert {"migrate", *SERVERS} <= before(name)


def test_no_secret_has_a_default() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    secrets = re.findall(r"\$\{(\w*(?:PASSWORD|SECRET|ACCESS)\w*)([^}]*)\}", text)
    assert secrets
    assert {rule for _, rule in secrets} == {":?fill in .env"}
    example = dict(line.split("=", 1) for line in (ROOT / ".env.example").read_text().splitlines() if re.match(r"\w+=", line))
    assert all(not value for name, value in example.items() if re.search("PASSWORD|SECRET", name))


def test_the_example_environment_names_what_compose_reads() -> None:
    files = ("docker-compose.yml", "docker-compose.gpu.yml")
    read = {name for file in files for name in re.findall(r"\$\{(\w+)", (ROOT / file).read_text())}
    told = set(re.findall(r"^(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert read == told


def test_nothing_is_published_beyond_this_host() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_volume_is_named_and_used() -> None:
    mounts = [mount.split(":")[0] for service in SERVICES.values() for mount in service["volumes"] if ":" in mount]
    assert {one for one in mounts if not one.startswith("./")} == set(COMPOSE["volumes"])
    assert [one for one in mounts if one.startswith("./") and not (ROOT / one).exists()] == []


def test_the_engines_of_serving_share_the_loopback_of_the_gateway() -> None:
    assert SERVICES["serving"]["network_mode"] == "service:gateway"


def test_images_of_others_are_pinned() -> None:
    for name in (*SERVERS, *WATCHERS):
        assert re.search(r":v?\d|@sha256:[0-9a-f]{64}$", SERVICES[name]["image"]), name


def test_there_is_a_dockerfile_for_every_service() -> None:
    assert {path.stem for path in DOCKERFILES} == {*LONG_RUNNING, "serving-gpu"}
    assert all(SERVICES[name]["build"]["dockerfile"] == f"docker/{name}.Dockerfile" for name in LONG_RUNNING)
    assert ON_GPUS["serving"]["build"]["dockerfile"] == "docker/serving-gpu.Dockerfile"


@pytest.mark.parametrize("name", ON_GPUS)
def test_on_gpus_the_same_services_are_told_so_and_given_one(name: str) -> None:
    assert name in LONG_RUNNING
    fields = SETTINGS[name].model_fields
    assert [one for one in ON_GPUS[name]["environment"] if one.removeprefix("LECTERN_").lower() not in fields] == []
    (device,) = ON_GPUS[name]["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])


def test_vllm_is_of_one_version_on_cpus_and_on_gpus() -> None:
    (ours,) = re.findall(r"vllm=([\d.]+)", (ROOT / "scripts" / "install_vllm.sh").read_text())
    assert f"ARG VLLM_IMAGE=vllm/vllm-openai:v{ours}\n" in (ROOT / "docker" / "serving-gpu.Dockerfile").read_text()


def test_prometheus_in_compose_heeds_the_charts_alerts_and_scrapes_what_they_ask_for() -> None:
    (rule,) = [one for one in render(RELEASES["watched"]) if one["kind"] == "PrometheusRule"]
    assert yaml.safe_load((ROOT / "docker" / "observability" / "alerts.yml").read_text()) == rule["spec"]
    (job,) = yaml.safe_load((ROOT / "docker" / "observability" / "prometheus.yml").read_text())["scrape_configs"]
    (target,) = job["static_configs"]
    port = SERVICES["gateway"]["environment"]["LECTERN_PORT"]
    assert target["targets"] == [f"gateway:{port}"]
    for name, value in target["labels"].items():
        assert f'{name}="{value}"' in str(rule["spec"])


def test_spans_go_from_the_services_to_the_collector_and_on_to_jaeger_where_grafana_looks() -> None:
    observability = ROOT / "docker" / "observability"
    collector = yaml.safe_load((observability / "collector.yml").read_text())
    listens = collector["receivers"]["otlp"]["protocols"]["http"]["endpoint"].partition(":")[2]
    assert f"LECTERN_OTLP_ENDPOINT, below, is http://otel-collector:{listens}" in (ROOT / ".env.example").read_text()
    assert "./docker/observability/collector.yml:/etc/otelcol/config.yaml:ro" in SERVICES["otel-collector"]["volumes"]
    (pipeline,) = collector["service"]["pipelines"].values()
    for kind in ("receivers", "processors", "exporters"):
        assert set(pipeline[kind]) == set(collector[kind]), "nothing is named that does not work, and the other way round"
    assert pipeline["processors"][0] == "memory_limiter", "before anything is kept"
    sources = {one["type"]: one["url"] for one in yaml.safe_load((observability / "datasource.yml").read_text())["datasources"]}
    assert sources["jaeger"] == "http://jaeger:16686" and "16686" in SERVICES["jaeger"]["ports"][0]


@pytest.mark.parametrize("name", ["gateway", "extraction", "cleaning", "training"])
def test_a_collector_is_named_to_whoever_tells_spans(name: str) -> None:
    assert SERVICES[name]["environment"]["LECTERN_OTLP_ENDPOINT"] is None, "as .env has it"


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)
def test_an_image_is_built_in_two_steps_and_does_not_run_as_root(path: Path) -> None:
    text = path.read_text()
    assert text.count("\nFROM ") == 2
    user = re.findall(r"^USER (\d+)", text, re.MULTILINE)
    assert user
    assert int(user[-1]) > 0


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)
def test_an_image_holds_its_own_service_and_installs_its_own_extra_from_the_lock(path: Path) -> None:
    text = path.read_text()
    copied = re.findall(r"^COPY services/(\w+)/", text, re.MULTILINE)
    service = path.stem.removesuffix("-gpu")
    assert copied == [service]
    assert re.search(rf'--constraint requirements/main\.lock "\.\[{service}(,mlflow,wandb)?\]"', text)


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)
def test_what_a_dockerfile_copies_is_there_and_is_sent_to_the_builder(path: Path) -> None:
    sent = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    sources = [
        one for line in re.findall(r"^COPY (?!--from)(.+)$", path.read_text(), re.MULTILINE) for one in line.split()[:-1]
    ]
    assert sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert source.split("/")[0] in sent, source


@pytest.mark.parametrize("name", OURS)
def test_every_entry_point_of_compose_exists(name: str) -> None:
    module = SERVICES[name].get("command", [f"services.{name}"])[0]
    assert runnable(module)
