"""`python -m shared.prepare`: make the bucket and bring the catalog's schema up to date, before the services start."""

import argparse
import sys
import time
from collections.abc import Callable

from minio.error import S3Error
from sqlalchemy.exc import OperationalError
from urllib3.exceptions import HTTPError

from shared.buckets import ensure_bucket
from shared.catalog.database import migrate
from shared.settings import SharedSettings
from shared.telemetry import configure_logs, log

SECONDS_BETWEEN = 2.0
AWAY = (HTTPError, S3Error, OperationalError)
"""What servers say, or do not say, that are still starting."""


def prepare(settings: SharedSettings) -> None:
    ensure_bucket(settings)
    migrate(settings.catalog_url)


def patiently(work: Callable[[], None], seconds: float) -> None:
    """Do the work once servers answer, trying for so long; raises what they said last."""
    until = time.monotonic() + seconds
    while True:
        try:
            return work()
        except AWAY as error:
            if time.monotonic() >= until:
                raise
            log().info("prepare.waits", error=type(error).__name__, detail=str(error).splitlines()[0][:200])
        time.sleep(SECONDS_BETWEEN)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m shared.prepare", description=__doc__)
    parser.add_argument("--wait", type=float, default=0.0, metavar="SECONDS", help="how long servers may take to answer (none)")
    wanted = parser.parse_args(arguments)
    settings = SharedSettings()
    configure_logs(settings.log_level, settings.log_json)
    patiently(lambda: prepare(settings), wanted.wait)


if __name__ == "__main__":
    main(sys.argv[1:])
