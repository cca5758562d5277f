"""docker-compose.yml and the Dockerfiles: wired to settings that exist, in order, without secrets and without root."""

import re
from pathlib import Path

import pytest
import yaml

from shared.settings import SharedSettings
from tests.chart.rendered import ROOT, SETTINGS, Manifest, runnable

COMPOSE: Manifest = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Manifest] = COMPOSE["services"]
OURS = ("gateway", "extraction", "cleaning", "training", "serving", "migrate", "publish-base", "backup")
LONG_RUNNING = ("gateway", "extraction", "cleaning", "training", "serving")
SERVERS = ("postgres", "store", "valkey")
DOCKERFILES = sorted((ROOT / "docker").glob("*.Dockerfile"))


def test_compose_runs_every_service_and_nothing_unknown() -> None:
    assert set(SERVICES) == {*OURS, *SERVERS}


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting_that_the_service_reads(name: str) -> None:
    fields = SETTINGS.get(name, SharedSettings).model_fields
    assert [one for one in SERVICES[name]["environment"] if one.removeprefix("LECTERN_").lower() not in fields] == []


@pytest.mark.parametrize("name", OURS)
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
    read = set(re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text()))
    told = set(re.findall(r"^(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert read == told


def test_nothing_is_published_beyond_this_host() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_volume_is_named_and_used() -> None:
    mounts = [mount.split(":")[0] for service in SERVICES.values() for mount in service["volumes"] if ":" in mount]
    assert set(mounts) == set(COMPOSE["volumes"])


def test_the_engines_of_serving_share_the_loopback_of_the_gateway() -> None:
    assert SERVICES["serving"]["network_mode"] == "service:gateway"


def test_images_of_others_are_pinned() -> None:
    for name in SERVERS:
        assert re.search(r":\d|@sha256:[0-9a-f]{64}$", SERVICES[name]["image"]), name


def test_there_is_a_dockerfile_for_every_service() -> None:
    assert [path.stem for path in DOCKERFILES] == sorted(LONG_RUNNING)
    assert all(SERVICES[path.stem]["build"]["dockerfile"] == f"docker/{path.name}" for path in DOCKERFILES)


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
    assert copied == [path.stem]
    assert re.search(rf'--constraint requirements/main\.lock "\.\[{path.stem}(,mlflow,wandb)?\]"', text)


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
