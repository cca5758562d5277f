"""`python -m benchmarks.scale --bases DIR`: documents through 1, 2 and 4 extraction workers, then with two gateways and two
cleaning workers, all on one Postgres, one Valkey and one store of compose's topology: seconds, documents a second, processor
seconds of each service, and whether each document was done once. Draws docs/images/scale.png: what was reached, and what the
cores allow.

Needs what `make drill` needs, and the bases/ of a store in which the bundled base is published.
"""

import argparse
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.composed import world
from benchmarks.composed.carry import ASK_SECONDS, PATIENCE_SECONDS, Lectern, count_results
from benchmarks.composed.picture import draw
from benchmarks.composed.topology import SECOND_SERVER, SERVER, Topology
from tests.documents import shelf
from tests.servers import wait_until

SETUPS = (
    {"extraction": 1, "cleaning": 1, "gateway": 1},
    {"extraction": 2, "cleaning": 1, "gateway": 1},
    {"extraction": 4, "cleaning": 1, "gateway": 1},
    {"extraction": 2, "cleaning": 2, "gateway": 2},
)  # fmt: skip


def main() -> int:
    given = _arguments()
    world.enter("benchmarks.scale")
    files = shelf(given.root / "pdf", given.documents, given.pages)
    rows = []
    for number in range(given.repeats):
        for copies in SETUPS:
            rows.append({**copies, "repeat": number + 1, **measure(given.root / "servers", copies, files, given.bases)})
            print(json.dumps(rows[-1]), flush=True)
            (given.root / "rows.json").write_text(json.dumps(rows, indent=1))
    draw(rows, given.pages, given.out)
    return 0 if all(row["each_once"] for row in rows) else 1


def measure(root: Path, copies: dict[str, int], files: list[Path], bases: Path) -> dict[str, Any]:
    shutil.rmtree(root, ignore_errors=True)
    topology = Topology(root, ("gateway", "extraction", "cleaning"), copies)
    try:
        topology.up(lambda: topology.seed(bases))
        at = [Lectern(url, topology.key) for url in (SERVER, SECOND_SERVER)[: copies["gateway"]]]
        before, began = topology.processor_seconds(), time.monotonic()
        for number, file in enumerate(files):
            at[number % len(at)].upload([file])
        wait_until(lambda: at[0].finished() == len(files), "the documents", PATIENCE_SECONDS, ASK_SECONDS)
        seconds, after = time.monotonic() - began, topology.processor_seconds()
        found = count_results(topology.store())
        done = [one["state"] for one in at[0].documents()]
    finally:
        topology.down()
    used = {service: round(spent - before[service], 1) for service, spent in after.items()}
    return {
        "documents": len(files), "seconds": round(seconds, 1), "documents_a_second": round(len(files) / seconds, 2),
        "processor_seconds": used, "processor_seconds_a_document": round(sum(used.values()) / len(files), 2),
        "cores_busy": round(sum(used.values()) / seconds, 2), "cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1),
        "each_once": done == ["done"] * len(files) and set(found.values()) == {len(files)},
    }  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("/var/tmp/lectern-scale"))
    parser.add_argument("--documents", type=int, default=40)
    parser.add_argument("--pages", type=int, default=2, help="of each document")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--bases", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=world.ROOT / "docs" / "images" / "scale.png")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
