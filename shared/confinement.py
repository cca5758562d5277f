"""What a process that reads hostile PDFs may not do: outlive its worker, grow without end, or speak to anyone.

Sockets are denied by a seccomp filter (Linux on x86-64 and ARM64; no privilege is needed, and children inherit it). Elsewhere
Python's own sockets are closed off, which stops no native code.
"""

import ctypes
import os
import platform
import resource
import select
import signal
import socket
import sys
from collections.abc import Callable
from threading import Thread
from typing import NoReturn

PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 22, 38
SECCOMP_MODE_FILTER = 2
LOAD, JUMP_EQUAL, JUMP_AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
ALLOW, KILL, DENY = 0x7FFF0000, 0x80000000, 0x00050000 | 13
"""seccomp's answers; a denied call fails with EACCES (13)."""

SYSCALL_AT, ARCHITECTURE_AT = 0, 4
X32_CALLS = 0x40000000

FILTERED: dict[str, tuple[int, tuple[int, ...]]] = {
    "x86_64": (0xC000003E, (41, 101, 310, 311, 425)),
    "aarch64": (0xC00000B7, (198, 117, 270, 271, 425)),
}
"""Machine → its audit number, and its calls socket, ptrace, process_vm_readv, process_vm_writev and io_uring_setup."""


class _Instruction(ctypes.Structure):
    _fields_ = [("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint)]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.POINTER(_Instruction))]


def limit(memory_bytes: int, seconds: int) -> None:
    """Address space, and processor time as a backstop where the parent cannot keep the time."""
    _lower(resource.RLIMIT_AS, memory_bytes)
    used = resource.getrusage(resource.RUSAGE_SELF)
    _lower(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + seconds + 10)
    _lower(resource.RLIMIT_CORE, 0)


def _lower(kind: int, soft: int) -> None:
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def end_with(worker: int) -> None:
    """A killed worker leaves no parser behind (Linux; elsewhere the limit on processor time ends it)."""
    if not hasattr(os, "pidfd_open"):
        return
    file = os.pidfd_open(worker)

    def watch() -> None:
        select.select([file], [], [])
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def end_with_parent() -> None:
    """By the process itself, or between fork and exec: it is killed when the process that started it ends (Linux)."""
    if sys.platform == "linux":
        _libc().prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def deny_network() -> str:
    """No new sockets for this process and its children, for good. Says by what: `seccomp` or `python`."""
    known = FILTERED.get(platform.machine()) if sys.platform == "linux" else None
    if known is not None and _install(_filter(*known)):
        return "seccomp"
    socket.socket = _refused  # type: ignore[misc,assignment]
    return "python"


def _refused(*_: object, **__: object) -> NoReturn:
    raise PermissionError("a process that reads PDFs has no network")


def _filter(architecture: int, denied: tuple[int, ...]) -> list[tuple[int, int, int, int]]:
    """Calls of another architecture end the process, the denied ones fail, all others pass."""
    last = len(denied)
    return [
        (LOAD, 0, 0, ARCHITECTURE_AT),
        (JUMP_EQUAL, 1, 0, architecture),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, SYSCALL_AT),
        (JUMP_AT_LEAST, last + 1, 0, X32_CALLS),
        *((JUMP_EQUAL, last - index, 0, call) for index, call in enumerate(denied)),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, DENY),
    ]


def _install(instructions: list[tuple[int, int, int, int]]) -> bool:
    array = (_Instruction * len(instructions))(*(_Instruction(*one) for one in instructions))
    program = _Program(len(instructions), array)
    call: Callable[..., int] = _libc().prctl
    if call(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    return call(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) == 0


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
