"""`python -m benchmarks.scale --bases DIR`: documents through 1, 2 and 4 extraction workers, then with two gateways and two
cleaning workers, all on one Postgres, one Valkey and one store of compose's topology: seconds, documents a second, and whether
each document was done once. Says how many cores there were: more workers than cores gain nothing.

Needs what `make drill` needs, and the bases/ of a store in which the bundled base is published.
"""

import argparse
import json
import os
import shutil
import sys
import time
from pathlib import Path

from benchmarks.composed import world
from benchmarks.composed.carry import PATIENCE_SECONDS, SHELF, Lectern, count_results
from benchmarks.composed.topology import SECOND_SERVER, SERVER, Topology
from tests.documents import shelf
from tests.servers import wait_until

SETUPS = (
    {"extraction": 1},
    {"extraction": 2},
    {"extraction": 4},
    {"extraction": 2, "cleaning": 2, "gateway": 2},
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("/var/tmp/lectern-scale"))
    parser.add_argument("--documents", type=int, default=40)
    parser.add_argument("--bases", type=Path, required=True)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    world.enter("benchmarks.scale")
    files = shelf(given.root / "pdf", given.documents)
    return max(measure(given.root / str(number), copies, files, given.bases) for number, copies in enumerate(SETUPS))


def measure(root: Path, copies: dict[str, int], files: list[Path], bases: Path) -> int:
    """Print one line; 1 where a document was lost or done twice."""
    shutil.rmtree(root, ignore_errors=True)
    topology = Topology(root, ("gateway", "extraction", "cleaning"), copies)
    try:
        topology.up(lambda: topology.seed(bases))
        at = [Lectern(url, topology.key) for url in (SERVER, SECOND_SERVER)[: copies.get("gateway", 1)]]
        began = time.monotonic()
        for number, file in enumerate(files):
            at[number % len(at)].upload([file])
        wait_until(lambda: at[0].finished() == len(files), "the documents", PATIENCE_SECONDS)
        seconds = time.monotonic() - began
        found = count_results(topology.store())
        done = [one["state"] for one in at[0].documents()]
    finally:
        topology.down()
    once = done == ["done"] * len(files) and set(found.values()) == {len(files)}
    told = {
        **copies, "documents": len(files), "seconds": round(seconds, 1), "documents_a_second": round(len(files) / seconds, 2),
        "each_once": once, "shelf": SHELF, "cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1),
    }  # fmt: skip
    print(json.dumps(told), flush=True)
    return 0 if once else 1


if __name__ == "__main__":
    sys.exit(main())
