"""What a tuned model comes from: the runs before it, and every dataset that it and they were trained on.

Whoever asks brings `read`: the bytes of an object of the store by its path, or NotFound.
"""

from collections.abc import Callable, Iterable

from shared import layout
from shared.contracts.learning import DatasetWish, RunWish
from shared.ids import short

Read = Callable[[str], bytes]


def read_run(read: Read, run: str) -> RunWish:
    """By its key or id. Raises NotFound."""
    return RunWish.model_validate_json(read(layout.run(short(run))))


def read_dataset(read: Read, dataset: str) -> DatasetWish:
    """By its key or id. Raises NotFound."""
    return DatasetWish.model_validate_json(read(layout.dataset(short(dataset))))


def runs_to(read: Read, run: RunWish) -> tuple[RunWish, ...]:
    """The run and those whose models it started from, the newest first."""
    found = [run]
    while (parent := found[-1].parent) is not None:
        found.append(read_run(read, parent.run))
    return tuple(found)


def datasets_of(read: Read, runs: Iterable[RunWish]) -> tuple[DatasetWish, ...]:
    """The runs' datasets and those that they replay, and these in turn, each once; the first run's own is the first."""
    found: dict[str, DatasetWish] = {}
    for run in runs:
        waiting = [run.dataset]
        while waiting:
            one = waiting.pop(0)
            if one not in found:
                found[one] = read_dataset(read, one)
                waiting.extend(found[one].parameters.replay.datasets)
    return tuple(found.values())
