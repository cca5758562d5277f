"""Every setting of every service can be set where Lectern is installed: in compose's `.env`, and in the chart's values."""

import json
import re
from typing import Any

import pytest
import yaml

from shared.settings import SharedSettings
from tests.chart.rendered import CHART, ROOT, SETTINGS, TRIAL, Manifest, containers, render

ELSEWHERE = {
    "home": "where the image's state lies; mounted there by compose and chart",
    "vllm_command": "the image names the vLLM that it brings",
    "llama_python": "as vllm_command",
    "tensorboard_dir": "files in a container that goes with them; for one machine",
    "wandb_offline_dir": "as tensorboard_dir",
    "nougat_weights": "needs an image with the extra `nougat`, whose maker sets it beside that image",
    "nougat_batch_size": "as nougat_weights",
    "nougat_device": "as nougat_weights",
    "compressor_python": "needs an image of training with llm-compressor, whose maker sets it beside that image",
    "duplicates_ray_address": "needs an image of cleaning with Ray, whose maker sets it beside that image",
    "event_poll_seconds": "how often a loop looks: no installation is better with another",
    "poll_seconds": "as event_poll_seconds",
    "reconcile_seconds": "as event_poll_seconds",
    "heartbeat_seconds": "as event_poll_seconds",
    "kubernetes_account_dir": "where Kubernetes mounts an account",
    "rayjob_pods": "where the chart mounts its templates",
    "engine_pod": "as rayjob_pods",
}
"""Settings that neither compose nor the chart offers, each with the reason."""
OF_KUBERNETES = {
    "engines_on", "kubernetes_url", "kubernetes_patience_seconds", "rayjob_seconds", "rayjob_start_seconds", "rayjob_retries",
    "rayjob_unwatched_seconds",
}  # fmt: skip
"""Settings that mean something on Kubernetes alone, so that compose leaves them out."""
OF_ONE_JOB = {"publish-base": {"default_base"}, "ray": {"rayjob_unwatched_seconds", "worker_failures", "checkpoints_kept"}}
"""The one-shots read a service's settings and heed few of them."""
OF_ENGINES = {"weights", "engine", "adapters"}
"""Containers of an engine's pod, which heed what each needs of serving's settings."""
IN_COMPOSE = sorted(set(SETTINGS) - {"restore", "ray"} - OF_ENGINES)
"""A restore is the backup's service with another command; Ray's pods are made by KubeRay, those of engines by serving."""
BY_TLS = {"cookies_secure"}
"""In the chart, what follows from the ingress."""

EXAMPLES = {"string": "example", "integer": 7, "number": 1.5, "boolean": True, "object": {"example": "viewer"}}


def fields(service: str) -> set[str]:
    found = set(SETTINGS.get(service, SharedSettings).model_fields) - set(ELSEWHERE)
    return found & (set(SharedSettings.model_fields) | OF_ONE_JOB[service]) if service in OF_ONE_JOB else found


def field_of(variable: str) -> str:
    return variable.removeprefix("LECTERN_").lower()


@pytest.mark.parametrize("service", IN_COMPOSE)
def test_compose_sets_every_setting_or_passes_it_on_from_its_environment_file(service: str) -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert fields(service) - OF_KUBERNETES - {field_of(one) for one in compose["services"][service]["environment"]} == set()


def test_what_compose_passes_on_is_told_with_its_default_in_the_example() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    environments = [one.get("environment", {}) for one in compose["services"].values()]
    passed = {name for one in environments for name, value in one.items() if value is None}
    told = dict(re.findall(r"^# (LECTERN_\w+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert set(told) == passed
    known = {name: field for model in SETTINGS.values() for name, field in model.model_fields.items()}
    for name, value in told.items():
        default = known[field_of(name)].default
        assert _same(value, default), f"{name} is {default!r} by default, and .env.example says {value!r}"


def _same(told: str, default: object) -> bool:
    if default is None or told == default:
        return default is not None or told == ""
    found = json.loads(told)
    return bool(found == (list(default) if isinstance(default, tuple) else default))


@pytest.fixture(scope="module")
def everything_set() -> dict[str, set[str]]:
    """The fields that a release sets whose every further setting is set, by container."""
    schema = json.loads((CHART / "values.schema.json").read_text())["properties"]
    workers = {name: {"settings": _examples(one)} for name, one in schema["workers"]["properties"].items()}
    workers["training"]["settings"]["rayAddress"] = "kuberay"
    values: Manifest = {
        **TRIAL, "workers": workers, "settings": {"otlpEndpoint": "http://collector:4318"},
        "secret": {**TRIAL["secret"], "engineApiKey": "long-and-random"},
        "backup": {"enabled": True, "endpoint": "https://elsewhere.example.org", "region": "eu", "restoreFrom": "s3://kept"},
        "gateway": {"settings": _examples(schema["gateway"])},
        "serving": {"settings": _examples(schema["serving"]), "enginesOn": "kubernetes"},
    }  # fmt: skip
    found = {one["name"]: one.get("env", []) for _, one in containers(render(values))}
    return {
        name: {field_of(variable["name"]) for variable in env if variable["name"].startswith("LECTERN_")}
        for name, env in found.items()
    }


def _examples(service: Manifest) -> dict[str, Any]:
    return {name: EXAMPLES[one["type"]] for name, one in service["properties"]["settings"]["properties"].items()}


@pytest.mark.parametrize("service", SETTINGS)
def test_the_chart_has_a_value_for_every_setting(service: str, everything_set: dict[str, set[str]]) -> None:
    assert service in OF_ENGINES or fields(service) - everything_set[service] - BY_TLS == set()
    assert everything_set[service] - set(SETTINGS[service].model_fields) == set(), "a value that no setting reads"


def test_a_large_or_broken_number_reaches_the_container_as_the_service_reads_it() -> None:
    values = {**TRIAL, "gateway": {"settings": {"evidenceMaxBytes": 268435456, "recoverySeconds": 2.5}}}
    (gateway,) = [one for _, one in containers(render(values)) if one["name"] == "gateway"]
    env = {one["name"]: one.get("value") for one in gateway["env"]}
    assert (env["LECTERN_EVIDENCE_MAX_BYTES"], env["LECTERN_RECOVERY_SECONDS"]) == ("268435456", "2.5")


def test_what_is_left_to_the_services_is_a_setting_of_one() -> None:
    assert set(ELSEWHERE) <= {name for model in SETTINGS.values() for name in model.model_fields}
