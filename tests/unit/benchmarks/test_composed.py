"""The drill runs what docker-compose.yml says, and nothing of its own."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.composed.carry import Answer, Carried
from benchmarks.composed.compose import containers

ROOT = Path(__file__).parents[3]
GIVEN = {
    "LECTERN_POSTGRES_PASSWORD": "one", "LECTERN_VALKEY_PASSWORD": "two", "LECTERN_S3_ACCESS_KEY": "lectern",
    "LECTERN_S3_SECRET_KEY": "three", "LECTERN_LEASE_SECONDS": "7",
}  # fmt: skip


def test_commands_are_the_images_own_or_composes() -> None:
    found = containers(ROOT, GIVEN)
    assert found["gateway"].argv == ("python", "-m", "services.gateway")
    assert found["migrate"].argv == ("python", "-m", "shared.prepare")
    assert found["valkey"].argv[-1].endswith('--requirepass "$REDISCLI_AUTH"')
    assert found["serving"].environment["LECTERN_VLLM_COMMAND"] == "/opt/vllm/bin/vllm"


def test_settings_are_resolved_as_compose_does_and_none_is_left_open() -> None:
    gateway = containers(ROOT, GIVEN)["gateway"]
    assert gateway.environment["LECTERN_CATALOG_URL"] == "postgresql+psycopg://lectern:one@postgres:5432/lectern"
    assert gateway.environment["LECTERN_LEASE_SECONDS"] == "7"
    assert "LECTERN_MAX_ATTEMPTS" not in gateway.environment
    assert not [value for one in containers(ROOT, GIVEN).values() for value in one.environment.values() if "${" in value]


def test_a_secret_that_is_not_given_is_an_error() -> None:
    with pytest.raises(KeyError, match="LECTERN_VALKEY_PASSWORD"):
        containers(ROOT, {name: value for name, value in GIVEN.items() if "VALKEY" not in name})


def test_what_is_waited_for_and_started_again_is_composes_word() -> None:
    found = containers(ROOT, GIVEN)
    assert found["serving"].needs["gateway"] == "service_healthy"
    assert found["gateway"].restarts and not found["migrate"].restarts
    assert found["postgres"].health[0] == "pg_isready"
    assert (None, "/var/lib/lectern") in found["training"].volumes and ("cache", "/var/cache/lectern") in found[
        "training"
    ].volumes


def test_two_rounds_differ_in_what_was_made_and_said_and_not_in_how_long_it_took() -> None:
    calm = Carried({"a.pdf": "1"}, adapter="x", answers=[Answer("yes", [-0.5, -1.0])], seconds={"run": 3.0})
    later = replace(calm, answers=[Answer("yes", [-0.5, -1.25])], seconds={"run": 9.0})
    assert calm.differs(later) == [] and calm.apart(later) == 0.25
    assert calm.differs(replace(later, adapter="y", answers=[Answer("no", [-0.5])])) == ["adapter", "answers"]
