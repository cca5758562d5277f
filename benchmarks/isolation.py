"""`make bench-isolation`: adapters under concurrent load through the gateway, let go and loaded again all the while; no answer
may come from another adapter than the one asked for, nor from a cache that another filled."""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path

from benchmarks.isolating.churn import disturbed
from benchmarks.isolating.place import open_place


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.isolation", description=__doc__)
    parser.add_argument("--vllm", type=Path, default=Path(".venv-vllm/bin/vllm"))
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--at-once", type=int, default=12)
    parser.add_argument("--out", type=Path, help="a file for the figures as JSON")
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="isolation-") as root, open_place(Path(root), asked.vllm) as place:
        told = asyncio.run(disturbed(place, asked.seconds, asked.at_once))
    told = {**told, "load_at_first": load, "load_at_last": os.getloadavg()[0]}
    print(json.dumps(told, indent=1))
    if asked.out:
        asked.out.write_text(json.dumps(told, indent=2), encoding="utf-8")
    return 1 if told["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
