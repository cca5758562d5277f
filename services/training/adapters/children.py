"""Child processes: one a job, so that a crash, an out-of-memory or a leak takes nothing else down, and so that nothing
goes on working after the worker that asked for it is gone."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from services.training.spec import REFUSAL, REFUSED
from shared.confinement import end_with_parent
from shared.contracts.base import Contract
from shared.contracts.work import Rejected
from shared.errors import LecternError

_LOG_TAIL_BYTES = 2_000


class ChildFailed(LecternError):
    """The job's process ended without a result; the message holds the end of its log."""

    code = "job-failed"
    retryable = True


@dataclass(frozen=True, slots=True)
class Children:
    """How child processes are run: with which environment, how often looked at, how long waited for at the end."""

    environment: Mapping[str, str]
    poll_seconds: float
    stop_seconds: float

    def run(self, module: str, spec: Contract, work: Path, tick: Callable[[], None]) -> Rejected | None:
        """Run `python -m MODULE SPEC` to its end, calling `tick` all along; whatever `tick` raises ends the child first.

        Returns a refusal of the input, or None where the child did its work. Raises ChildFailed.
        """
        told = work / "spec.json"
        told.write_text(spec.model_dump_json(), encoding="utf-8")
        output = work / "log.txt"
        with output.open("wb") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", module, str(told)], env=dict(self.environment),
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
            try:
                status = self._watch(child, tick)
            finally:
                self._end(child)
        return _outcome(status, module, work, output)

    def _watch(self, child: subprocess.Popen[bytes], tick: Callable[[], None]) -> int:
        while True:
            try:
                status = child.wait(self.poll_seconds)
            except subprocess.TimeoutExpired:
                tick()
            else:
                tick()
                return status

    def _end(self, child: subprocess.Popen[bytes]) -> None:
        """Ask the child to end, then kill its group. Ray's processes die with the process that started them."""
        if child.poll() is None:
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(self.stop_seconds)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def die_with_parent(parent: int | None) -> None:
    """Called by a child: the kernel kills it when its parent dies, even by kill -9. Ends at once where that has happened."""
    if parent is None:
        return
    end_with_parent()
    if os.getppid() != parent:
        sys.exit("the parent is gone")


def _outcome(status: int, module: str, work: Path, output: Path) -> Rejected | None:
    if status == 0:
        return None
    if status == REFUSED:
        return Rejected.model_validate_json((work / REFUSAL).read_bytes())
    name = module.rpartition(".")[2]
    how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
    raise ChildFailed(f"The {name} process {how}. The end of its log:\n{_tail(output)}", status=status)


def _tail(path: Path) -> str:
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - _LOG_TAIL_BYTES))
        return log.read().decode("utf-8", errors="replace").strip()
