"""Child processes, real ones, that outlive and are found again."""

import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from services.serving.adapters import children
from tests.servers import wait_until

FAMILY = (
    "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); time.sleep(600)"
)
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"


def start(code: str, tmp_path: Path) -> children.ChildRecord:
    return children.start([sys.executable, "-c", code], {"PATH": os.environ["PATH"]}, tmp_path / "child.log")


def group(record: children.ChildRecord) -> list[psutil.Process]:
    return list(children._members(record))


def test_a_child_is_known_by_its_start_and_its_command(tmp_path: Path) -> None:
    record = start(FAMILY, tmp_path)
    try:
        wait_until(lambda: children.is_alive(record), "the child to run")
        assert not children.is_alive(record.model_copy(update={"created_at": record.created_at - 3_600}))
        assert not children.is_alive(record.model_copy(update={"command": (*record.command[:-1], "pass")}))
    finally:
        children.end(record, 5)
    assert not children.is_alive(record)


def test_ending_a_child_ends_what_it_started(tmp_path: Path) -> None:
    record = start(FAMILY, tmp_path)
    wait_until(lambda: len(group(record)) == 2, "the grandchild")
    family = group(record)
    children.end(record, 5)
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in family)


def test_grandchildren_of_a_killed_child_are_ended_too(tmp_path: Path) -> None:
    record = start(FAMILY, tmp_path)
    wait_until(lambda: len(group(record)) == 2, "the grandchild")
    os.kill(record.pid, signal.SIGKILL)
    wait_until(lambda: not children.is_alive(record), "the child to be dead")
    children.end(record, 5)
    assert group(record) == []


def test_a_child_deaf_to_sigterm_is_killed(tmp_path: Path) -> None:
    record = start(STUBBORN, tmp_path)
    wait_until(lambda: (tmp_path / "child.log").read_text() == "up\n", "the child to be up")
    children.end(record, 0.2)
    assert not children.is_alive(record)


def test_a_process_that_has_the_number_of_one_long_gone_is_left_alone(tmp_path: Path) -> None:
    record = start(STUBBORN, tmp_path)
    try:
        children.end(record.model_copy(update={"created_at": record.created_at - 3_600}), 0.2)
        wait_until(lambda: children.is_alive(record), "the bystander to run")
    finally:
        children.end(record, 0.2)


@pytest.mark.parametrize("code", ["pass", "raise SystemExit(3)"])
def test_a_child_that_ended_leaves_no_zombie_that_counts(code: str, tmp_path: Path) -> None:
    record = start(code, tmp_path)
    wait_until(lambda: not children.is_alive(record), "the child to end")
    children.end(record, 5)
