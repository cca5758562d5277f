"""`make bench-replicas`: an engine killed under load, of a deployment with one replica and with two: what fails, and for how
long nobody is answered."""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path

from benchmarks.isolating.killed import deploy, killed
from benchmarks.isolating.place import open_place


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replicas", description=__doc__)
    parser.add_argument("--vllm", type=Path, default=Path(".venv-vllm/bin/vllm"))
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--replicas", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--out", type=Path, help="a file for the figures as JSON")
    asked = parser.parse_args()
    load, found = os.getloadavg()[0], []
    with tempfile.TemporaryDirectory(prefix="replicas-") as root, open_place(Path(root), asked.vllm) as place:
        for replicas in asked.replicas:
            deploy(place, replicas)
            found.append(asyncio.run(killed(place, replicas, asked.at_once)))
            print(json.dumps(found[-1]), flush=True)
    told = {"runs": found, "load_at_first": load, "load_at_last": os.getloadavg()[0]}
    if asked.out:
        asked.out.write_text(json.dumps(told, indent=2), encoding="utf-8")
    return 1 if any("wrong" in one["faults"] for one in found) else 0


if __name__ == "__main__":
    sys.exit(main())
