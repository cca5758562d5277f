"""kill -9 of each service and server in the middle of the work, and how long until the work went on."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial

import httpx

from benchmarks.composed.carry import ASK_SECONDS, PATIENCE_SECONDS, QUESTIONS, Answer, Lectern, answer_of, texts
from benchmarks.composed.topology import Topology
from tests.servers import wait_until

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
            self._kill(victim, f"{stood} of {total} documents", partial(_wait_for, min(stood + 1, total), at.finished))

    def among_steps(self, at: Lectern, job: str) -> None:
        for victim, after in IN_TRAINING:
            step = partial(_step, at, job)
            stood = _wait_for(after, step)
            self._kill(victim, f"step {stood}", partial(_wait_for, stood + 1, step))

    def while_serving(self, at: Lectern) -> bool:
        """The controller with its engine, and the gateway before them; whether the answers stayed the same."""
        first, *others = QUESTIONS
        told = [answer_of(at, question) for question in QUESTIONS]
        same = True
        for victim in ("serving", "gateway"):
            found: list[Answer] = []
            self._kill(victim, "while serving", partial(_wait_for_answer, at, first, found))
            found += [answer_of(at, question) for question in others]
            same = same and texts(found) == texts(told)
        return same

    def _kill(self, victim: str, when: str, wait: Callable[[], object]) -> None:
        """kill -9, and `wait` until the work goes on."""
        running = self._topology.named(victim)
        starts, began = running.starts, time.monotonic()
        running.kill()
        wait_until(lambda: running.starts > starts, f"{victim} to be started again", 60)
        if running.checked:
            wait_until(running.healthy, f"{victim} to be healthy", 180)
        answers = time.monotonic() - began
        wait()
        self.done.append(Kill(victim, when, round(answers, 1), round(time.monotonic() - began, 1), running.starts))
        print(f"  killed {asdict(self.done[-1])}", flush=True)


def _step(at: Lectern, job: str) -> int:
    """The step told of; a run that is past its training counts as past every step."""
    found = at.get(f"/v1/jobs/{job}")
    if found["state"] == "done" or found["stage"] == "evaluation":
        return 10**6
    progress = found["progress"]
    return int(progress["done"]) if progress and progress["unit"] == "step" else 0


def _wait_for(after: int, reached: Callable[[], int]) -> int:
    """What was reached when it was so much or more."""
    wait_until(lambda: reached() >= after, f"{after} to be reached", PATIENCE_SECONDS, ASK_SECONDS)
    return reached()


def _wait_for_answer(at: Lectern, question: str, found: list[Answer]) -> None:
    """Add the first answer that comes: until the engine is there, the gateway says that it is not."""

    def asked() -> bool:
        with suppress(httpx.HTTPStatusError):
            found.append(answer_of(at, question))
        return bool(found)

    wait_until(asked, "an answer", PATIENCE_SECONDS, ASK_SECONDS)
