"""A job is a process: it answers, refuses, fails or is ended, and never outlives whoever asked for it."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from services.training.adapters.children import ChildFailed, Children
from services.training.spec import REFUSAL, REFUSED
from shared.contracts.work import Rejected
from shared.errors import Cancelled

NOTHING = Rejected(reason="unused", detail="Any contract serves as a spec here.")


def module(tmp_path: Path, source: str) -> Children:
    """Children that can run a module `child` of this source."""
    (tmp_path / "child.py").write_text(textwrap.dedent(source))
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path.cwd()}"}
    return Children(environment, poll_seconds=0.05, stop_seconds=2)


def gone(pid: int) -> bool:
    """Whether the process has ended within some seconds (a zombie has)."""
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def waits_for(path: Path) -> str:
    for _ in range(400):
        if path.is_file() and path.read_text().strip():
            return path.read_text().strip()
        time.sleep(0.05)
    raise AssertionError(f"{path.name} never came")


def test_a_child_that_did_its_work_refused_nothing_and_was_watched(tmp_path: Path) -> None:
    ticks: list[int] = []
    children = module(tmp_path, "import time; time.sleep(0.3)")
    assert children.run("child", NOTHING, tmp_path, lambda: ticks.append(1)) is None
    assert len(ticks) > 1


def test_a_refusal_is_handed_over(tmp_path: Path) -> None:
    refusal = Rejected(reason="empty-dataset", detail="Add documents.")
    (tmp_path / REFUSAL).write_text(refusal.model_dump_json())
    children = module(tmp_path, f"raise SystemExit({REFUSED})")
    assert children.run("child", NOTHING, tmp_path, lambda: None) == refusal


def test_a_failure_can_be_tried_again_and_tells_the_end_of_the_log(tmp_path: Path) -> None:
    children = module(tmp_path, "print('early ' * 5000); raise RuntimeError('the disk is full')")
    with pytest.raises(ChildFailed, match="the disk is full") as failed:
        children.run("child", NOTHING, tmp_path, lambda: None)
    assert failed.value.retryable
    assert len(str(failed.value)) < 3000


def test_a_cancelled_job_ends_with_all_its_processes(tmp_path: Path) -> None:
    children = module(
        tmp_path,
        f"""
        import signal, subprocess, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        grandchild = subprocess.Popen(["sleep", "600"])
        open({str(tmp_path / "pids")!r}, "w").write(str(grandchild.pid))
        time.sleep(600)
        """,
    )

    def tick() -> None:
        if (tmp_path / "pids").is_file() and (tmp_path / "pids").read_text():
            raise Cancelled("called off")

    with pytest.raises(Cancelled):
        children.run("child", NOTHING, tmp_path, tick)
    assert gone(int(waits_for(tmp_path / "pids")))


def test_a_child_dies_with_its_parent_even_by_kill_9(tmp_path: Path) -> None:
    module(
        tmp_path,
        f"""
        import os, time
        from services.training.adapters.children import die_with_parent
        die_with_parent(int(os.environ["PARENT"]))
        open({str(tmp_path / "pid")!r}, "w").write(str(os.getpid()))
        time.sleep(600)
        """,
    )
    source = f"""
        import os
        from pathlib import Path
        from services.training.adapters.children import Children
        from shared.contracts.work import Rejected
        children = Children({{**os.environ, "PARENT": str(os.getpid())}}, 0.05, 2)
        children.run("child", Rejected(reason="x", detail="x"), Path({str(tmp_path)!r}), lambda: None)
    """
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path.cwd()}"}
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(source)], env=environment)
    child = int(waits_for(tmp_path / "pid"))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert gone(child)
