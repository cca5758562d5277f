"""A simulated reviewer with ground truth: how many labels it takes to tell garbage, when texts are shown as the review queue
shows them, by uncertainty alone, and at random. And the takeover rule, seen to hold back what is worse.

`make bench-review` runs it (a few minutes on one core) and draws docs/images/review.png. Texts are passages of the examples,
odd but good ones among them, a quarter garbage of eleven kinds (benchmarks/reviewing/texts.py); the test is made of other
documents. Every strategy trains the same classifier, from labels that the lot does not hold out, and is measured on the test.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from statistics import mean

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.reviewing.picture import draw  # noqa: E402
from benchmarks.reviewing.simulation import STRATEGIES, Curve, labels_needed, simulate  # noqa: E402
from benchmarks.reviewing.takeover import held_back, moments  # noqa: E402
from benchmarks.reviewing.texts import texts  # noqa: E402

GOALS = (0.8, 0.85, 0.9)


def main() -> None:
    options = _options()
    sources = sorted((ROOT / "examples" / "sources").glob("*.md"))
    began = time.process_time()
    curves: dict[str, list[Curve]] = {name: [] for name in STRATEGIES}
    for seed in range(options.seeds):
        pool, test = texts(sources[:6], options.pool, seed), texts(sources[6:], options.test, 1_000 + seed)
        for name in STRATEGIES:
            curves[name].append(simulate(name, pool, test, options.labels, options.step, seed))
            print(f"seed {seed}, {name}: F1 {curves[name][-1].f1[-1]:.3f} after {options.labels} labels", flush=True)
    rules = mean(one.rules for one in curves["queue"])
    _tell(curves, rules)
    print(f"\n{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}; {time.process_time() - began:.0f} CPU s")
    draw(curves, rules, options.out)
    pool, test = texts(sources[:6], options.pool, 0), texts(sources[6:], options.test, 1_000)
    print("\nThe takeover rule\n")
    for line in (*moments(pool, test), *held_back(pool, test)):
        print(line)
    if options.json:
        told = {name: [(one.labels, one.f1) for one in found] for name, found in curves.items()}
        options.json.write_text(json.dumps({"curves": told, "rules": rules}))


def _tell(curves: dict[str, list[Curve]], rules: float) -> None:
    print(f"\nLabels needed for an F1 on the test (mean of {len(curves['queue'])} seeds; rules alone: {rules:.3f})\n")
    print("| strategy | " + " | ".join(f"{goal:.2f}" for goal in GOALS) + " | F1 at the end |")
    print("|---|" + "---|" * (len(GOALS) + 1))
    for name, found in curves.items():
        needed = [[labels_needed(one, goal) for one in found] for goal in GOALS]
        cells = [_cell(one) for one in needed]
        print(f"| {name} | {' | '.join(cells)} | {mean(one.f1[-1] for one in found):.3f} |")


def _cell(needed: list[int | None]) -> str:
    reached = [one for one in needed if one is not None]
    if len(reached) == len(needed):
        return f"{mean(reached):.0f} ({min(reached)}–{max(reached)})"
    return f"{len(reached)} of {len(needed)} seeds" if reached else "–"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--pool", type=int, default=1_500, help="texts that the reviewer can be shown")
    parser.add_argument("--test", type=int, default=800, help="texts that the result is measured on")
    parser.add_argument("--labels", type=int, default=240, help="labels that the reviewer gives")
    parser.add_argument("--step", type=int, default=30, help="labels between two versions")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images" / "review.png")
    parser.add_argument("--json", type=Path, help="write the curves here")
    return parser.parse_args()


if __name__ == "__main__":
    main()
