"""Time as it is written down everywhere: UTC, ISO 8601, to the microsecond."""

from datetime import UTC, datetime


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
