"""Letting an engine answer what it began before it is stopped."""

from dataclasses import dataclass

_QUIET_SECONDS = 1.0
"""A request takes less from the look at its deployment's row to the engine."""


@dataclass
class Leaving:
    """An engine that is to go: since when, since when it has had nothing to answer, and whether that still stands. Moments are
    seconds of a monotonic clock."""

    since: float
    quiet_since: float | None = None
    asked: bool = True

    def answers(self, requests: int | None, moment: float, longest_seconds: float) -> bool:
        """Whether it has requests, or may yet get one that was on its way when its last row was taken from it. None where it
        does not tell how many it has."""
        self.asked = True
        if requests != 0:
            self.quiet_since = None
        elif self.quiet_since is None:
            self.quiet_since = moment
        late = moment - self.since > longest_seconds
        quiet = self.quiet_since is not None and moment - self.quiet_since >= _QUIET_SECONDS
        return not (late or quiet)


def still_asked(leaving: Leaving | None) -> Leaving | None:
    """None where it was not asked to go since the last look: somebody wants it again."""
    if leaving is None or not leaving.asked:
        return None
    leaving.asked = False
    return leaving
