"""`python -m shared.backup take PLACE` and `python -m shared.backup restore PLACE`, for containers: what `lectern backup` and
`lectern restore` do, on the store and catalog that the environment names."""

import argparse
import sys

from shared.backup.settings import BackupSettings
from shared.backup.work import back_up, look_through, restore
from shared.errors import LecternError
from shared.telemetry import configure_logs, log


def main() -> int:
    given = _arguments()
    settings = BackupSettings()
    configure_logs(settings.log_level, settings.log_json)

    def tell(objects: int, size_bytes: int) -> None:
        log().info(f"{given.what}.progress", objects=objects, size_bytes=size_bytes)

    try:
        if given.what == "take":
            found = back_up(settings, given.place, given.keep, given.resume, tell)
            log().info("take.done", id=found.id, objects=found.objects, size_bytes=found.size_bytes)
        elif given.check:
            found = look_through(settings, given.place, given.at, tell)
            log().info("restore.checked", id=found.id, objects=found.objects, size_bytes=found.size_bytes)
        else:
            done, counts = restore(settings, given.place, given.at, given.resume, tell)
            log().info("restore.done", id=done.backup.id, written=done.written, stood=done.stood, indexed=counts)
    except LecternError as error:
        log().error(f"{given.what}.failed", code=error.code, detail=error.message)
        return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m shared.backup", description=__doc__)
    what = parser.add_subparsers(dest="what", required=True)
    take = what.add_parser("take", help="back the store up")
    take.add_argument("--keep", type=int, help="remove all backups there but so many of the latest")
    restore = what.add_parser("restore", help="fill an empty store and catalog from a backup")
    restore.add_argument("--at", help="the backup's id; without it, the latest")
    restore.add_argument("--check", action="store_true", help="read it and check every digest; write nothing")
    for one in (take, restore):
        one.add_argument("place", help="a directory, or s3://bucket/prefix")
        one.add_argument("--resume", action="store_true", help="go on where an earlier one was cut short")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
