"""`python -m shared.prepare`: by several at once, and before the servers answer; on a real S3 server and Postgres."""

import secrets
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import OperationalError

from shared.prepare import patiently
from tests.servers import free_port


def start(store: str, catalog: str, *arguments: str) -> subprocess.Popen[str]:
    environment = {
        "LECTERN_STORE_URL": f"s3://bucket-{secrets.token_hex(4)}", "LECTERN_S3_ENDPOINT": store,
        "LECTERN_S3_ACCESS_KEY": "test", "LECTERN_S3_SECRET_KEY": "test-secret", "LECTERN_CATALOG_URL": catalog,
    }  # fmt: skip
    command = [sys.executable, "-m", "shared.prepare", *arguments]
    root = Path(__file__).parents[2]
    return subprocess.Popen(command, env=environment, cwd=root, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def empty_database(postgres_url: str) -> str:
    name = f"lectern_{secrets.token_hex(4)}"
    engine = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return engine.url.set(database=name).render_as_string(hide_password=False)


def test_of_several_at_once_one_makes_the_schema_and_the_others_find_it_made(s3_url: str, empty_database: str) -> None:
    together = [start(s3_url, empty_database) for _ in range(4)]
    ends = [(one.communicate(timeout=120)[1], one.returncode) for one in together]
    assert [code for _, code in ends] == [0, 0, 0, 0], ends
    engine = create_engine(empty_database)
    assert "jobs" in inspect(engine).get_table_names()
    engine.dispose()


def test_servers_that_do_not_answer_are_an_error_at_once_or_after_the_wait(s3_url: str) -> None:
    away = f"postgresql+psycopg://lectern:secret-word@127.0.0.1:{free_port()}/lectern"
    for wait, waits in ((), False), (("--wait", "1"), True):
        one = start(s3_url, away, *wait)
        told = one.communicate(timeout=60)[1]
        assert one.returncode != 0
        assert ("prepare.waits" in told) == waits
        assert "secret-word" not in told


def test_it_goes_on_as_soon_as_they_answer_and_waits_for_no_fault_of_its_own() -> None:
    answers = iter([OperationalError("connect", {}, OSError("refused")), None])

    def work() -> None:
        if (error := next(answers)) is not None:
            raise error

    began = time.monotonic()
    patiently(work, 60)
    assert time.monotonic() - began < 10

    def broken() -> None:
        raise ValueError("no URL")

    with pytest.raises(ValueError, match="no URL"):
        patiently(broken, 60)
