"""`make bench-continual`: three disjoint collections in sequence, and what each way of tuning forgets of the earlier ones.

--prepare DIR makes the datasets (from PDFs, by the product's stages). --run DIR trains every arm with every seed, the same
steps each, and writes what it finds after each; what stands in --out already is not run again. It needs torch, transformers,
peft, pydantic, jinja2 and structlog. --show FILE ... prints the tables of all of them, and draws them with --plot.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

EXAMPLES = Path("examples/pdf")
GROUPS = (
    ("manuals", ("ag4-manual", "safety-handbook", "duty-desk-guide", "shore-field-guide")),
    ("papers", ("cold-drift-paper", "seiche-paper", "cradle-point-report")),
    ("offices", ("annual-report", "data-policy", "instrument-committee-minutes")),
)
"""The examples' documents by kind: no two share a subject."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.continual", description=__doc__)
    parser.add_argument("--prepare", type=Path, metavar="DIR")
    parser.add_argument("--collection", action="append", default=[], metavar="NAME=GLOB", help="instead of the examples")
    parser.add_argument("--run", type=Path, metavar="DIR")
    parser.add_argument("--show", type=Path, metavar="FILE", nargs="+", default=[])
    parser.add_argument("--plot", type=Path, metavar="FILE")
    parser.add_argument("--base", type=Path, help="a prepared base (made anew without it, for --prepare)")
    parser.add_argument("--small", action="store_true", help="for --prepare: on a small base taught here")
    parser.add_argument("--out", type=Path, default=Path("continual.json"))
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--arms", default="naive,replay,ewc,averaging,all")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rate", type=float, default=5e-4)
    parser.add_argument("--ewc", type=float, help="lambda of the arms that have one, instead of the recipe's default")
    wanted = parser.parse_args()
    if wanted.prepare:
        prepared(wanted)
    if wanted.run:
        run(wanted)
    if found := [*wanted.show, *([wanted.out] if wanted.run else [])]:
        show([json.loads(path.read_bytes()) for path in found], wanted.plot)
    return 0


def prepared(wanted: Any) -> None:
    from benchmarks.continual_tuning.prepare import prepare

    groups = [(name, [EXAMPLES / f"{stem}.pdf" for stem in stems]) for name, stems in GROUPS]
    if wanted.collection:
        pairs = (one.partition("=") for one in wanted.collection)
        groups = [
            (name, sorted(path for part in globs.split(",") for path in matching(Path(part)))) for name, _, globs in pairs
        ]
    prepare(groups, wanted.base or made(wanted.prepare / "base", wanted.small), wanted.prepare)


def matching(pattern: Path) -> list[Path]:
    """Files by a glob that may begin anywhere."""
    return list(Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))))


def made(base: Path, small: bool) -> Path:
    if base.is_dir():
        return base
    if small:
        from benchmarks.continual_tuning.small_base import make

        return make(base)
    from benchmarks.training import prepared as bundled

    return bundled(base)


def run(wanted: Any) -> None:
    import torch

    from benchmarks.continual_tuning.sequence import ARMS, Budget, Sequence, load_collections

    changed = {} if wanted.ewc is None else {"ewc": wanted.ewc}
    arms = {name: ARMS[name].model_copy(update=changed if ARMS[name].ewc else {}) for name in wanted.arms.split(",")}
    device = torch.device(wanted.device)
    collections, eos = load_collections(wanted.run)
    budget = Budget(wanted.steps, wanted.batch, wanted.rate, checkpoint_steps=max(1, wanted.steps // 6))
    told = json.loads(wanted.out.read_bytes()) if wanted.out.is_file() else {"runs": []}
    told |= {
        "collections": [one.name for one in collections], "steps": wanted.steps, "batch": wanted.batch, "rate": wanted.rate,
        "device": torch.cuda.get_device_name() if wanted.device == "cuda" else "cpu",
        "examples": [[len(one.train), len(one.choosing), len(one.reporting)] for one in collections],
        "recipes": told.get("recipes", {}) | {name: wish.model_dump(mode="json") for name, wish in arms.items()},
    }  # fmt: skip
    done = {(one["arm"], one["seed"]) for one in told["runs"]}
    for seed in range(wanted.seeds):
        for arm, wish in arms.items():
            if (arm, seed) in done:
                continue
            began = time.monotonic()
            found = Sequence(wanted.base, device, collections, eos, budget, seed).run(wish)
            told["runs"].append({"arm": arm, "seed": seed, **found, "seconds": round(time.monotonic() - began, 1)})
            wanted.out.write_text(json.dumps(told, indent=1), encoding="utf-8")
            print(f"{arm}, seed {seed}: {told['runs'][-1]['seconds']} s, load {os.getloadavg()[0]:.1f}", flush=True)


def show(found: list[dict[str, Any]], plot: Path | None) -> None:
    """Of runs with one budget; arms are told with their lambda, where they have one."""
    from benchmarks.continual_tuning.report import joined, matrices, picture, table

    told = joined(found)
    print(f"{told['device']}, {told['steps']} steps of {told['batch']} examples a collection, rate {told['rate']:g}")
    print(table(told) + "\n" + matrices(told))
    if plot:
        picture(told, plot)


if __name__ == "__main__":
    sys.exit(main())
