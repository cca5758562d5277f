"""`make bench-kills`: kill -9 of the Ray training worker, of the driver and of the Celery worker, ten times at seeded random
steps over several runs. Each run must end with the curve of the undisturbed one, point for point, and no step twice.

Real Ray, Celery, Valkey, catalog and object store, on a tiny base of random weights. Prints a line for each kill and exits
with 1 where anything differs.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks.killing.place import Place, open_place
from benchmarks.killing.victims import VICTIMS, Killed, Planned, kill_at
from shared.contracts.learning import LossPoint
from shared.contracts.recipes import TrainingRecipe
from tests.unit.training.world import NAME, make_base

KILLS, A_RUN = 10, 3
TOLD = ("victim", "planned", "step", "resumed_at", "seconds", "overlapping")
GAP, STEPS, CHECKPOINT_STEPS = 12, 90, 7
RECIPE = TrainingRecipe(
    base=NAME, batch_size=2, gradient_accumulation=4, max_steps=STEPS, lora_r=4, learning_rate=1e-2,
    checkpoint_steps=CHECKPOINT_STEPS,
)  # fmt: skip


def plans(seed: int, kills: int = KILLS) -> list[list[Planned]]:
    """The kills of each run: each kind of victim as often as the others, give or take one, in a drawn order at drawn steps."""
    chance = random.Random(seed)
    victims = [VICTIMS[index % len(VICTIMS)] for index in range(kills)]
    chance.shuffle(victims)
    runs = [victims[start : start + A_RUN] for start in range(0, kills, A_RUN)]
    return [[Planned(*one) for one in zip(run, _steps(chance, len(run)), strict=True)] for run in runs]


def _steps(chance: random.Random, count: int) -> list[int]:
    """Steps in order, at least GAP apart, so that each kill falls on training that went on past the one before."""
    free = STEPS - 4 - GAP * (count - 1)
    drawn = sorted(chance.randint(2, free) for _ in range(count))
    return [step + GAP * index for index, step in enumerate(drawn)]


def undisturbed(root: Path, base: Path) -> list[LossPoint]:
    with open_place(root, base, RECIPE, worker_failures=0) as place:
        _until_done(place)
        return place.curve()[0]


def disturbed(root: Path, base: Path, planned: list[Planned], calm: list[LossPoint]) -> dict[str, Any]:
    """What became of a run that was killed as planned."""
    with open_place(root, base, RECIPE, worker_failures=len(planned)) as place:
        killed = []
        for one in planned:
            killed.append(kill_at(place, one))
            _tell(killed[-1])
        _until_done(place)
        curve, lines = place.curve()
        equal = _figures(curve) == _figures(calm)
        once = [point.step for point in curve] == list(range(1, STEPS + 1)) and lines == STEPS
        result = place.result()
        left = _left_behind(killed)
        print(
            f"  ended {place.ended()}; {lines} points; curve equal {equal}; each step once {once}; "
            f"last resumed from {result.resumed_from_step}; Celery workers started {place.worker_starts}; left behind {left}",
            flush=True,
        )
        told = [{name: getattr(one, name) for name in TOLD} for one in killed]
        return {"kills": told, "ended": place.ended(), "equal": equal, "once": once, "left": left}


def _left_behind(killed: list[Killed]) -> list[str]:
    """Names of what outlived a kill by more than a minute and a half: Ray's idle agents take one to notice."""
    _, alive = psutil.wait_procs([one for kill in killed for one in kill.doomed], timeout=90)
    return [one.name() for one in alive]


def _until_done(place: Place, patience_seconds: float = 1200.0) -> None:
    deadline = time.monotonic() + patience_seconds
    while not place.ended():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the run did not end; the worker's log is {place.root / 'worker.log'}")
        place.attend()
        time.sleep(0.1)


def _figures(points: list[LossPoint]) -> list[tuple[int, float, float, float, int]]:
    """A point but for the clock and the memory, which are the machine's."""
    return [(one.step, one.epoch, one.loss, one.learning_rate, one.tokens) for one in points]


def _tell(one: Killed) -> None:
    print(
        f"  {one.victim:14} wanted at {one.planned:3}, killed at {one.step:3}, resumed at {one.resumed_at:3} "
        f"after {one.seconds:5.1f} s, trained twice at once {one.overlapping}",
        flush=True,
    )


def sound(run: dict[str, Any]) -> bool:
    return bool(run["ended"] == "trained" and run["equal"] and run["once"] and not run["left"]) and not any(
        one["overlapping"] for one in run["kills"]
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--out", type=Path, help="a file for the figures as JSON")
    wanted = parser.parse_args()
    # Ray's sockets lie below the temporary directory, and a socket's path may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="lk-", ignore_cleanup_errors=True) as scratch:
        root = Path(scratch)
        base = make_base(root / "base")
        calm = undisturbed(root / "0", base)
        print(f"undisturbed: {len(calm)} steps, loss {calm[0].loss:.4f} to {calm[-1].loss:.4f}", flush=True)
        runs = []
        for number, planned in enumerate(plans(wanted.seed, wanted.kills), 1):
            print(f"run {number}", flush=True)
            runs.append(disturbed(root / str(number), base, planned, calm))
    good = sum(len(run["kills"]) for run in runs if sound(run))
    print(f"{good} of {wanted.kills} kills changed nothing; seed {wanted.seed}, load {os.getloadavg()[0]:.1f}")
    if wanted.out:
        wanted.out.write_text(json.dumps({"seed": wanted.seed, "runs": runs}, indent=2), encoding="utf-8")
    return 0 if good == wanted.kills else 1


if __name__ == "__main__":
    sys.exit(main())
