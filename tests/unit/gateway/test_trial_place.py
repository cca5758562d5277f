"""Where trials are put up: an engine that was tried is waited for, however its trial ended, before the next one is."""

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from services.gateway.trials.place import NeverReady, TrialPlace
from shared.catalog.database import migrate, open_database
from shared.catalog.sql import SqlCatalog
from shared.clock import now
from shared.contracts.learning import DeploymentWish
from shared.contracts.tunings import Setting

STANDING = DeploymentWish(name="papers", model=None, base="b", wished_at=now())
TRIAL = "papers+trial"


@pytest.fixture
def catalog(tmp_path: Path) -> SqlCatalog:
    url = f"sqlite:///{tmp_path}/catalog.db"
    migrate(url)
    return SqlCatalog(open_database(url))


@pytest.fixture
def engine() -> Iterator[str]:
    """One that answers whether it is well, for as long as the test lasts."""

    class Well(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Well)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


class Waited(Exception):
    """An engine was waited for."""


def serves(catalog: SqlCatalog, state: str, endpoint: str) -> Callable[[str], None]:
    """The serving service, at each moment that a trial is waited for."""

    def doing(what: str) -> None:
        if what.startswith("letting"):
            raise Waited
        catalog.observe_deployment(TRIAL, state, "no memory", [endpoint])

    return doing


def test_the_engine_of_a_trial_that_failed_is_waited_for(catalog: SqlCatalog, engine: str) -> None:
    place = TrialPlace(catalog, "papers", 0.01, serves(catalog, "failed", engine))
    with pytest.raises(NeverReady, match="no memory"), place.up(STANDING, Setting()):
        pass
    assert catalog.deployment(TRIAL) is None
    with pytest.raises(Waited), place.up(STANDING, Setting()):
        pass


def test_an_engine_that_an_earlier_attempt_left_is_waited_for(catalog: SqlCatalog, engine: str) -> None:
    place = TrialPlace(catalog, "papers", 0.01, serves(catalog, "ready", engine), [engine])
    with pytest.raises(Waited), place.up(STANDING, Setting()):
        pass


def test_an_engine_that_another_deployment_has_too_is_not_waited_for(catalog: SqlCatalog, engine: str) -> None:
    catalog.put_deployment(1, STANDING)
    catalog.observe_deployment("papers", "ready", None, [engine])
    with TrialPlace(catalog, "papers", 0.01, serves(catalog, "ready", engine), [engine]).up(STANDING, Setting()) as view:
        assert view.endpoints == (engine,)
