"""How a command ends: its exit codes, and the failure that carries one to the shell."""

from enum import IntEnum


class Exit(IntEnum):
    """What a command answers the shell. Scripts may rely on these."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    DENIED = 4
    NOT_FOUND = 5
    CONFLICT = 6
    INTERRUPTED = 130


MEANING = {
    Exit.OK: "it worked",
    Exit.FAILED: "the work failed; the message says why",
    Exit.USAGE: "what was given cannot be worked with",
    Exit.UNREACHABLE: "no server answers, or it is not ready",
    Exit.DENIED: "no API key, or one whose scopes do not allow this",
    Exit.NOT_FOUND: "nothing is known under that name",
    Exit.CONFLICT: "it contradicts what already stands",
    Exit.INTERRUPTED: "interrupted by Ctrl-C",
}


class Failure(Exception):
    """Why a command ends without success: a sentence that tells the user what to do, a code for programs, an exit code."""

    def __init__(self, message: str, exit_code: Exit = Exit.FAILED, code: str = "failed") -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code
        self.code = code


def exit_of_status(status: int) -> Exit:
    """The exit code for an HTTP status that is no success."""
    by_status = {401: Exit.DENIED, 403: Exit.DENIED, 404: Exit.NOT_FOUND, 409: Exit.CONFLICT, 410: Exit.CONFLICT,
                 429: Exit.UNREACHABLE}  # fmt: skip
    if status in by_status:
        return by_status[status]
    return Exit.UNREACHABLE if status >= 500 else Exit.USAGE
