"""kill -9 of each service and server in the middle of the work, and how long until the work went on."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial

import httpx

from benchmarks.composed.carry import PATIENCE_SECONDS, Lectern, answer_of
from benchmarks.composed.topology import Topology, wait_until

IN_DOCUMENTS = (("extraction", 1), ("cleaning", 4), ("valkey", 7), ("postgres", 10), ("store", 13), ("gateway", 16))
"""A victim, and after how many finished documents."""
IN_TRAINING = (("training", 3), ("valkey", 5), ("postgres", 6), ("store", 7), ("gateway", 8))
"""A victim, and after which step."""


@dataclass(frozen=True)
class Kill:
    """`answers_seconds`: until a server was healthy, or a worker's process back; `on_seconds`: until the next document was
    finished, or the next step told of."""

    victim: str
    when: str
    answers_seconds: float
    on_seconds: float
    starts: int


class Kills:
    """Kills in a topology, one after the other."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self.done: list[Kill] = []

    def among_documents(self, at: Lectern) -> None:
        total = len(at.documents())
        for victim, after in IN_DOCUMENTS:
            stood = _wait_for(after, at.finished)
            self._kill(victim, f"{stood} of {total} documents", min(stood, total - 1), at.finished)

    def among_steps(self, at: Lectern, job: str) -> None:
        for victim, after in IN_TRAINING:
            step = partial(self._step, at, job)
            stood = _wait_for(after, step)
            self._kill(victim, f"step {stood}", stood, step)

    def while_serving(self, at: Lectern) -> bool:
        """The controller with its engine, and the gateway before them; whether the answer stayed the same."""
        answer, same = answer_of(at), True
        for victim in ("serving", "gateway"):
            running, began = self._topology.named(victim), time.monotonic()
            starts = running.starts
            running.kill()
            wait_until(lambda: running.starts > starts, f"{victim} to be started again", 60)  # noqa: B023 - waited for here
            back = time.monotonic() - began
            same = self._answers_again(at) == answer and same
            self._note(Kill(victim, "while serving", round(back, 1), round(time.monotonic() - began, 1), running.starts))
        return same

    def _answers_again(self, at: Lectern) -> str:
        """The first answer that comes: until the engine is there, the gateway says that it is not."""
        found: list[str] = []

        def asked() -> bool:
            with suppress(httpx.HTTPStatusError):
                found.append(answer_of(at))
            return bool(found)

        wait_until(asked, "an answer", PATIENCE_SECONDS)
        return found[0]

    def _note(self, kill: Kill) -> None:
        self.done.append(kill)
        print(f"  killed {asdict(kill)}", flush=True)

    def _step(self, at: Lectern, job: str) -> int:
        """The step told of; a run that is past its training counts as past every step."""
        found = at.get(f"/v1/jobs/{job}")
        if found["state"] == "done" or found["stage"] == "evaluation":
            return 10**6
        progress = found["progress"]
        return int(progress["done"]) if progress and progress["unit"] == "step" else 0

    def _kill(self, victim: str, when: str, stood: int, reached: Callable[[], int]) -> None:
        running = self._topology.named(victim)
        starts, began = running.starts, time.monotonic()
        running.kill()
        wait_until(lambda: running.starts > starts, f"{victim} to be started again", 60)
        if running.checked:
            wait_until(running.healthy, f"{victim} to be healthy", 180)
        answers = time.monotonic() - began
        wait_until(lambda: reached() > stood, "the work to go on", PATIENCE_SECONDS)
        self._note(Kill(victim, when, round(answers, 1), round(time.monotonic() - began, 1), running.starts))


def _wait_for(after: int, reached: Callable[[], int]) -> int:
    """What was reached when it was so much or more."""
    wait_until(lambda: reached() >= after, f"{after} to be reached", PATIENCE_SECONDS)
    return reached()
