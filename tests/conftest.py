"""Fixtures that every tier may use: real servers, one of each a session, and fresh stores and catalogs on them."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import structlog
from pydantic import SecretStr
from sqlalchemy import create_engine, text

from shared.buckets import ensure_bucket
from shared.catalog.database import migrate, open_database
from shared.catalog.sql import SqlCatalog
from shared.objects import ObjectStore, open_store
from shared.settings import SharedSettings, StoreSettings
from tests.servers import Valkey, postgres_server, s3_server

# A slow machine is no fault of the code: how long an example takes is measured in benchmarks, not here.
hypothesis.settings.register_profile("lectern", deadline=None)
hypothesis.settings.load_profile("lectern")

# In these processes logs are as plain as the services' own; the default draws tracebacks with every value in sight.
plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
structlog.configure(processors=[structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, plain])


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    server = Valkey(tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    with s3_server() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres_server(tmp_path_factory.mktemp("postgres")) as url:
        yield url


def s3_settings(url: str) -> StoreSettings:
    """A fresh bucket on the server."""
    settings = StoreSettings(
        store_url=f"s3://bucket-{secrets.token_hex(4)}/prefix", s3_endpoint=url, s3_access_key="test",
        s3_secret_key=SecretStr("test-secret"),
    )  # fmt: skip
    ensure_bucket(settings)
    return settings


def fresh_database(server_url: str) -> str:
    """A new, migrated database on a Postgres server."""
    name = f"lectern_{secrets.token_hex(4)}"
    engine = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    url = engine.url.set(database=name).render_as_string(hide_password=False)
    migrate(url)
    return url


@pytest.fixture(params=["local", "s3"])
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    """Each implementation of the object store in turn."""
    if request.param == "local":
        return open_store(StoreSettings(store_url=f"file://{tmp_path}/store"))
    return open_store(s3_settings(request.getfixturevalue("s3_url")))


@pytest.fixture(params=["sqlite", "postgres"])
def any_catalog(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlCatalog]:
    """Each implementation of the catalog in turn."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/catalog.db"
        migrate(url)
    else:
        url = fresh_database(request.getfixturevalue("postgres_url"))
    engine = open_database(url)
    yield SqlCatalog(engine)
    engine.dispose()


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(StoreSettings(store_url=f"file://{tmp_path}/store"))


@pytest.fixture
def settings(tmp_path: Path, valkey: Valkey) -> SharedSettings:
    """Settings of a deployment of its own: store, catalog and cache in the test's directory, a queue database of its own."""
    return SharedSettings(
        store_url=f"file://{tmp_path}/store", catalog_url=f"sqlite:///{tmp_path}/catalog.db", queue_url=valkey.url,
        cache_dir=tmp_path / "cache", log_json=False,
    )  # fmt: skip


@pytest.fixture
def catalog(settings: SharedSettings) -> Iterator[SqlCatalog]:
    migrate(settings.catalog_url)
    engine = open_database(settings.catalog_url)
    yield SqlCatalog(engine)
    engine.dispose()
