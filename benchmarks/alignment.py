"""`make bench-alignment`: DPO on synthetic preferences with a checkable rule. Accuracy of the implied reward on held-out pairs,
whose prompts were never trained on; and what the aligned model then answers by itself. And a reward model of the same pairs.

The policy is a small Llama that was taught answers that follow the rule and answers that break it, alike; so it has no
preference, and what it has afterwards comes of the pairs. `--base DIR` aligns another base instead, as it is.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SEEDS = 3


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alignment", description=__doc__)
    parser.add_argument("--base", type=Path)
    parser.add_argument("--teach", type=int, default=300, help="steps that the small base is taught")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--beta", type=float, default=0.1)
    parser.add_argument("--imitation", type=float, nargs="*", default=[0.0, 1.0], help="one arm each")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--reward", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path)
    wanted = parser.parse_args()
    if wanted.one is not None:
        print(json.dumps(aligned(wanted)))
        return 0
    with tempfile.TemporaryDirectory(prefix="lectern-bench-alignment-") as scratch:
        return report(wanted, wanted.base or taught(Path(scratch) / "base", wanted.teach))


def taught(into: Path, steps: int) -> Path:
    from benchmarks.preferring.base import made

    into.mkdir()
    began = time.monotonic()
    loss = made(into, steps)
    print(f"a small Llama taught all kinds of answers: {steps} steps, {time.monotonic() - began:.0f} s, loss {loss:.3f}")
    return into


def report(wanted: Any, base: Path) -> int:
    print(f"{'imitation':>9} {'seed':>4} {'pairs':>5} {'held out':>8} {'accuracy':>8} {'margin':>7} {'uncited':>7} "
          f"{'rambling':>8} {'rule before':>11} {'after':>6} {'seconds':>7}")  # fmt: skip
    told = [one for imitation in wanted.imitation for one in arm(wanted, base, imitation)]
    rated = raters(wanted, base)
    print(f"beta {wanted.beta}, {wanted.steps} steps of {wanted.batch} pairs at {wanted.rate:g}; "
          f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")  # fmt: skip
    if wanted.out:
        wanted.out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return 0 if min(one["accuracy"] for one in (*told, *rated)) > 0.9 else 1


def raters(wanted: Any, base: Path) -> list[dict[str, Any]]:
    """A reward model a seed, of the same pairs and steps."""
    told = [_one(wanted, base, seed, "--reward") for seed in range(wanted.seeds)]
    for one in told:
        print(f"reward model, seed {one['seed']}: right on {one['accuracy']:.3f} of {one['heldout']} held-out pairs, margin "
              f"{one['margin']:.3f}, of {one['pairs']} pairs", flush=True)  # fmt: skip
    return told


def _one(wanted: Any, base: Path, seed: int, *also: str) -> dict[str, Any]:
    """In a process of its own: the 8-bit optimizer keeps state from one training to the next."""
    command = [sys.executable, "-m", "benchmarks.alignment", "--one", str(seed), "--base", str(base)]
    given = [f"--{name}={getattr(wanted, name)}" for name in ("beta", "steps", "batch", "rate")]
    told = subprocess.run([*command, *given, *also], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return dict(json.loads(told.stdout.splitlines()[-1]))


def arm(wanted: Any, base: Path, imitation: float) -> list[dict[str, Any]]:
    """One process a seed."""
    told = []
    for seed in range(wanted.seeds):
        one = _one(wanted, base, seed, "--imitation", str(imitation))
        told.append(one | {"imitation": imitation})
        print(f"{imitation:9} {seed:4} {one['pairs']:5} {one['heldout']:8} {one['accuracy']:8.3f} {one['margin']:7.3f} "
              f"{one['uncited']:7.3f} {one['rambling']:8.3f} {one['before']:11.3f} {one['after']:6.3f} {one['seconds']:7.0f}",
              flush=True)  # fmt: skip
    least = min(one["accuracy"] for one in told)
    means = {name: statistics.mean(one[name] for one in told) for name in ("accuracy", "before", "after")}
    print(f"imitation {imitation}: accuracy of the implied reward on held-out pairs, mean {means['accuracy']:.3f}, "
          f"least {least:.3f}; answers that follow the rule {means['before']:.3f} → {means['after']:.3f}",
          flush=True)  # fmt: skip
    return told


def aligned(wanted: Any) -> dict[str, Any]:
    from benchmarks.preferring.run import Bench
    from shared.contracts.alignment import DPO

    with tempfile.TemporaryDirectory(prefix="lectern-bench-alignment-") as scratch:
        bench = Bench(wanted.base, Path(scratch), wanted.one)
        if wanted.reward:
            return bench.rated(wanted.steps, wanted.batch, wanted.rate)
        return bench.run(DPO(beta=wanted.beta, imitation=wanted.imitation[0]), wanted.steps, wanted.batch, wanted.rate)


if __name__ == "__main__":
    sys.exit(main())
