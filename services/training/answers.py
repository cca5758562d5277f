"""How a child process answers: a result, or a refusal with its reason."""

from collections.abc import Sequence
from pathlib import Path

from services.training.spec import REFUSAL, REFUSED, RESULT
from shared.contracts.base import Contract
from shared.contracts.learning import Example
from shared.contracts.work import Rejected
from shared.objects import read_lines


def answer(work: Path, result: Contract | Rejected) -> int:
    """Write the answer down; returns the exit status that goes with it."""
    refused = isinstance(result, Rejected)
    (work / (REFUSAL if refused else RESULT)).write_text(result.model_dump_json(), encoding="utf-8")
    return REFUSED if refused else 0


def read_examples(path: Path) -> Sequence[Example] | Rejected:
    """The examples of a dataset file."""
    try:
        return [Example.model_validate(line) for line in read_lines(path)]
    except ValueError as error:
        return unreadable(error)


def unreadable(error: ValueError) -> Rejected:
    return Rejected(reason="unreadable-dataset", detail=f"The dataset holds a line that is no example: {error}")
