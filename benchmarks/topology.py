"""`make drill`: docker-compose.yml's topology as processes (S3 server, Postgres, Valkey, gateway, workers, serving), with its
own settings, entry points, order and restarts: a shelf carried to a tuned model, every service and server killed in the
middle, everything destroyed and restored, and the same on one machine. Exits with 1 where anything was lost or differs.

Needs Linux and root (a network and mounts of its own), and half an hour. Prints each figure as it comes; `--root` keeps logs
and `results.json`.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.composed import world
from benchmarks.composed.base import BUNDLED, SMALL, publish_small
from benchmarks.composed.carry import Carried, Lectern, Wanted, answering, carry, count_results, read, texts
from benchmarks.composed.kills import Kills
from benchmarks.composed.topology import SERVER, Topology
from shared.backup.put_back import put_back
from shared.backup.take import take
from shared.objects import ObjectStore, open_store
from shared.settings import StoreSettings
from tests.documents import shelf
from tests.servers import s3_server

PARTS = ("calm", "restore", "kills", "serving", "embedded")
PLACE = "s3://lectern-backups"


def main() -> int:
    given = _arguments()
    world.enter("benchmarks.topology")
    serving = given.serving and world.find_engine() is not None
    if given.serving and not serving:
        print("Nothing is served and asked: vLLM is not installed (`make engine`).", flush=True)
    given.root.mkdir(parents=True, exist_ok=True)
    with s3_server() as elsewhere:
        drill = Drill(given, serving, elsewhere)
        try:
            drill.run()
        finally:
            drill.topology.down()
    return drill.told()


class Drill:
    """The parts in their order; what they came to, written down as it comes."""

    def __init__(self, given: argparse.Namespace, serving: bool, elsewhere: str) -> None:
        self._given = given
        self._root: Path = given.root
        services = ("gateway", "extraction", "cleaning", "training", *(("serving",) if serving else ()))
        self.topology = Topology(self._root, services, given={"LECTERN_BACKUP_S3_ENDPOINT": elsewhere})
        self._elsewhere = elsewhere
        files = sorted(given.pdfs.glob("*.pdf"))
        files += shelf(self._root / "pdf", max(0, given.documents - len(files)))
        recipe = {"max_steps": given.steps, "checkpoint_steps": 2, "batch_size": 2, "gradient_accumulation": 1}
        self._wanted = Wanted(files[: given.documents], given.base, recipe, serving)
        self._found: dict[str, Any] = {"documents": len(self._wanted.files), "base": given.base, "recipe": recipe}
        self._carried: dict[str, Carried] = {}
        self._same_answers = True

    def run(self) -> None:
        self._tell("up", {"seconds": round(self.topology.up(self._seed), 1)})
        if self._given.base == SMALL:
            publish_small(self.topology.store(), self._root / "small")
        began = time.monotonic()
        take(self.topology.store(), self._kept("beginning"))
        self._tell("first backup", {"seconds": round(time.monotonic() - began, 1)})
        for part in self._given.parts:
            getattr(self, f"_{part}")()

    def _calm(self) -> None:
        self._note("calm", carry(self._lectern(), self._wanted))

    def _restore(self) -> None:
        """Backed up by compose's own service, all volumes destroyed, restored by it, and asked again."""
        began = time.monotonic()
        self.topology.backup("take", PLACE)
        taken = time.monotonic() - began
        key = self.topology.key
        self.topology.destroy()
        began = time.monotonic()
        self.topology.up(lambda: self.topology.backup("restore", PLACE))
        self._tell("backup and restore", {"taken": round(taken, 1), "restored_and_up": round(time.monotonic() - began, 1)})
        at = Lectern(SERVER, key)
        if self._wanted.serving:
            answering(at)
        self._note("restore", read(at, Carried(), self._wanted.serving))

    def _kills(self) -> None:
        """From the beginning: the base models alone, then the shelf again, disturbed."""
        self.topology.destroy()
        self.topology.key = ""
        self.topology.up(self._begin_again)
        kills = Kills(self.topology)
        self._note("kills", carry(self._lectern(), self._wanted, kills.among_documents, kills.among_steps))
        self._tell("killed", [asdict(one) for one in kills.done])

    def _serving(self) -> None:
        """An engine's controller and the gateway killed while a model answers: the tuned one, or the base where none is."""
        if not self._wanted.serving:
            return
        at, kills = self._lectern(), Kills(self.topology)
        if not at.get("/v1/deployments")["items"]:
            at.post("/v1/deployments", {"name": "answers", "base": BUNDLED})
        self._tell("deployed", {"seconds": round(answering(at), 1)})
        self._same_answers = kills.while_serving(at)
        self._tell("killed while serving", {"same": self._same_answers, "kills": [asdict(one) for one in kills.done]})

    def _embedded(self) -> None:
        """The same with `lectern up`: SQLite, a directory, supervised processes."""
        self.topology.down()
        home = self._root / "home"
        put_back(open_store(StoreSettings(store_url=f"file://{home}/store")), self._kept("beginning"))
        lectern = [sys.executable, "-m", "cli.main"]
        up = [*lectern, "up", "--home", str(home), "--port", "8080", "--extraction-workers", "1"]
        up += [] if self._wanted.serving else ["--no-serving"]
        subprocess.run(up, env={**os.environ, "LECTERN_VLLM_COMMAND": str(world.ENGINE / "bin" / "vllm")}, check=True)
        try:
            at = Lectern("http://127.0.0.1:8080", (home / "key").read_text().strip())
            self._note("embedded", carry(at, self._wanted), open_store(StoreSettings(store_url=f"file://{home}/store")))
        finally:
            subprocess.run([*lectern, "down", "--home", str(home)], check=True)

    def told(self) -> int:
        """What differs, and the exit code."""
        first, *others = self._carried.items() or [("nothing", Carried())]
        different = {name: found for name, one in others if (found := first[1].differs(one))}
        apart = {name: round(first[1].apart(one), 6) for name, one in others}
        told = {"as": first[0], "parts": list(self._carried), "different": different, "log-probabilities apart": apart}
        self._tell("same", {**told, "answers while killed": self._same_answers})
        return 0 if not different and self._same_answers else 1

    def _seed(self) -> None:
        if self._given.bases is not None:
            self.topology.seed(self._given.bases)

    def _begin_again(self) -> None:
        self.topology.one("migrate").run()
        put_back(self.topology.store(), self._kept("beginning"))

    def _lectern(self) -> Lectern:
        return Lectern(SERVER, self.topology.key)

    def _kept(self, name: str) -> ObjectStore:
        return open_store(StoreSettings(store_url=f"file://{self._root}/{name}"))

    def _note(self, name: str, carried: Carried, store: ObjectStore | None = None) -> None:
        carried.results = count_results(store or self.topology.store())
        self._carried[name] = carried
        told = {
            "documents": len(carried.documents), "chunks": carried.chunks, "dataset": carried.dataset[:16],
            "adapter": carried.adapter[:16], "steps": len(carried.curve), "losses": carried.losses,
            "answers": texts(carried.answers), "results": carried.results,
            "seconds": {part: round(seconds, 1) for part, seconds in carried.seconds.items()},
        }  # fmt: skip
        self._tell(name, told)

    def _tell(self, what: str, found: Any) -> None:
        load = os.getloadavg()[0]
        self._found[what] = found
        print(f"{time.strftime('%H:%M:%S')} {what}: {json.dumps(found)} (load {load:.1f})", flush=True)
        whole = {**self._found, "carried": {name: asdict(one) for name, one in self._carried.items()}}
        (self._root / "results.json").write_text(json.dumps(whole, indent=1))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("/var/tmp/lectern-drill"), help="for logs, volumes and results")
    parser.add_argument(
        "--pdfs", type=Path, default=world.ROOT / "examples" / "pdf", help="documents of two pages are added to these"
    )
    parser.add_argument("--documents", type=int, default=20)
    parser.add_argument("--bases", type=Path, help="the bases/ of another store, so that they are not made again")
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--base", choices=(BUNDLED, SMALL), default=BUNDLED, help="small-random: quick steps, and no sense")
    parser.add_argument("--no-serving", dest="serving", action="store_false", help="leave vLLM out")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
