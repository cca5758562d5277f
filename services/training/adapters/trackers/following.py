"""Tells trackers of a run as it goes, each from a thread of its own: one that is slow or away costs the run nothing."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from services.training.adapters.trackers.protocol import End, Figures, Tracker, figures_of
from shared.contracts.learning import LossPoint
from shared.errors import Cancelled
from shared.telemetry import log

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 1.0, 60.0
LINGER_SECONDS = 600.0
"""A tracker that is away when the run ends is tried for so long."""
_DETAIL_CHARACTERS = 300


class Follower:
    """One tracker of one run. After whatever went wrong the tracker is opened anew and asked what it holds, so that no step is
    told twice and none left out."""

    def __init__(
        self, tracker: Tracker, run: str, secrets: Sequence[str] = (), before: "Follower | None" = None,
        first_wait: float = FIRST_WAIT_SECONDS, linger: float = LINGER_SECONDS,
    ) -> None:  # fmt: skip
        self._tracker, self._before, self._linger = tracker, before, linger
        self._log = log().bind(tracker=tracker.name, run=run)
        self._secrets = secrets
        self._first_wait = first_wait
        self._figures: list[Figures] = []
        self._end: End | None = None
        self._ended_at = float("inf")
        self._given_up = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True, name=f"tracker-{tracker.name}")
        self._thread.start()

    def tell(self, curve: Sequence[LossPoint]) -> None:
        """The curve so far. Returns at once."""
        after = self._figures[-1].step if self._figures else 0
        fresh = figures_of(curve, after, time.time())
        with self._changed:
            self._figures.extend(fresh)
            self._changed.notify()

    def end(self, end: End) -> None:
        """There is nothing more to tell; what was said first holds. Returns at once."""
        with self._changed:
            if self._end is None:
                self._end, self._ended_at = end, time.monotonic()
            self._changed.notify()

    def give_up(self) -> None:
        """Another tells the run from here on."""
        with self._changed:
            self._given_up = True
            self._changed.notify()

    def join(self, seconds: float | None = None) -> bool:
        """Wait until all is told, or given up. False where that takes longer."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        if self._before is not None:
            self._before.give_up()
            self._before.join()
        with self._changed:  # a run that is refused before its first step is none
            self._changed.wait_for(lambda: self._figures or self._end or self._given_up)
        if not self._figures:
            return
        wait, troubled = self._first_wait, False
        while not self._over():
            try:
                held = self._tracker.open()
                if troubled:
                    self._log.info("tracker.reached")
                wait, troubled = self._first_wait, False
                self._serve(held)
                return
            except Exception as error:  # whatever a client raises, the run goes on
                if not troubled:
                    self._log.warning("tracker.unreachable", kind=type(error).__name__, detail=self._safe(str(error)))
                troubled = True
            self._pause(wait)
            wait = min(2 * wait, LONGEST_WAIT_SECONDS)
        if not self._given_up:
            self._log.warning("tracker.given-up", steps=len(self._figures))

    def _serve(self, held: int) -> None:
        """Tell until the end. Raises what the tracker raises."""
        while True:
            fresh, end = self._news(held)
            if self._given_up or (end and not fresh):
                self._tracker.close(end or "failed")
                return
            self._tracker.tell(fresh)
            held = fresh[-1].step

    def _news(self, held: int) -> tuple[list[Figures], End | None]:
        """Wait for steps after `held`, or the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._given_up or self._end or self._figures[-1].step > held)
            return [one for one in self._figures if one.step > held], self._end

    def _over(self) -> bool:
        return self._given_up or time.monotonic() > self._ended_at + self._linger

    def _pause(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._given_up, seconds)

    def _safe(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return text[:_DETAIL_CHARACTERS]


class Following:
    """All trackers of one run."""

    def __init__(self, followers: Sequence[Follower] = ()) -> None:
        self.followers = tuple(followers)

    @property
    def going(self) -> bool:
        """Whether something is still to be told."""
        return not all(one.join(0) for one in self.followers)

    def tell(self, curve: Sequence[LossPoint]) -> None:
        """The curve so far. Returns at once."""
        for one in self.followers:
            one.tell(curve)

    @contextmanager
    def to_the_end(self) -> Iterator[None]:
        """Around the run: how that ends is told, too."""
        try:
            yield
        except Cancelled:
            self.end("cancelled")
            raise
        except BaseException:
            self.end("failed")
            raise
        self.end("done")

    def end(self, end: End) -> None:
        """There is nothing more to tell; what was said first holds. Returns at once."""
        for one in self.followers:
            one.end(end)
