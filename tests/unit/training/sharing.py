"""`python -m tests.unit.training.sharing DIRECTORY RANK PORT UNTIL`: one of two workers of the run in DIRECTORY, over gloo.

Writes `points-RANK.jsonl`, `memory-RANK.json` where the base is sharded, and kills itself (-9) after step UNTIL (0: never).
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from torch.distributed.tensor import DTensor

from services.training.adapters import machine, pretrained, trainer
from services.training.adapters.checkpoints import Checkpoints
from services.training.adapters.jobs import Job, RowTable
from services.training.adapters.loop import train
from services.training.curves import append_point, read_curve
from services.training.settings import TrainingSettings
from services.training.stages.examples import encode
from services.training.stages.packing import rows_of
from shared.contracts.learning import LossPoint
from shared.contracts.recipes import TrainingRecipe
from shared.objects import open_store
from tests.servers import end, free_port
from tests.unit.training.world import NAME, examples, publish_tiny

WORKERS = 2


class Run:
    """A run of two workers in processes of their own."""

    def __init__(self, directory: Path, base: Path, recipe: TrainingRecipe) -> None:
        self.directory = directory
        shutil.copytree(base, directory / "base")
        (directory / "recipe.json").write_text(recipe.model_dump_json())
        self.store = open_store(TrainingSettings(store_url=f"file://{directory}/store"))
        publish_tiny(self.store, directory / "base")

    def attempt(self, until: int = 0) -> list[int]:
        """Train; returns how the workers ended. Once anew where Gloo aborted one, as it was seen to: Ray does so too, and the
        curve has to be the same then."""
        ended = self._attempt(until)
        return self._attempt(until) if -signal.SIGABRT in ended else ended

    def _attempt(self, until: int) -> list[int]:
        port = str(free_port())
        command = [sys.executable, "-X", "faulthandler", "-m", "tests.unit.training.sharing", str(self.directory)]
        logs = [(self.directory / f"log-{rank}").open("wb") for rank in (0, 1)]
        workers = [
            subprocess.Popen(
                [*command, str(rank), port, str(until)], stdout=logs[rank], stderr=subprocess.STDOUT, start_new_session=True
            )
            for rank in (0, 1)
        ]
        try:
            first = workers[0].wait(500)
            if first == 0:
                return [first, workers[1].wait(60)]
            return [first]
        finally:
            for one in workers:
                end(one, signal.SIGKILL)
            for log in logs:
                log.close()

    def words(self) -> str:
        """The ends of what both workers of the last attempt said, for whoever has to find out why one ended."""
        return "\n".join((self.directory / f"log-{rank}").read_text(errors="replace")[-4000:] for rank in (0, 1))

    def curve(self) -> list[LossPoint]:
        return read_curve(self.directory / "points-0.jsonl")

    def adapter(self) -> bytes:
        latest = Checkpoints(self.store, "a" * 64).fetch_latest(self.directory / "latest")
        assert latest is not None
        return (latest[1] / "adapter_model.safetensors").read_bytes()

    def kept(self) -> list[list[int]]:
        """Of each worker, bytes of the base before and after the sharing out."""
        return [json.loads((self.directory / f"memory-{rank}.json").read_bytes()) for rank in (0, 1)]


def held(model: Any) -> int:
    """Bytes of the frozen base that this worker keeps."""
    frozen = [one for one in model.parameters() if not one.requires_grad]
    return sum((one.to_local() if isinstance(one, DTensor) else one).nbytes for one in frozen)


def main(directory: Path, rank: int, port: int, until: int) -> None:
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), RANK=str(rank), WORLD_SIZE=str(WORKERS))
    os.environ.update(LOCAL_RANK=str(rank), LOCAL_WORLD_SIZE=str(WORKERS), ACCELERATE_USE_CPU="true")
    torch.distributed.init_process_group("gloo", rank=rank, world_size=WORKERS)
    recipe = TrainingRecipe.model_validate_json((directory / "recipe.json").read_bytes())
    settings = TrainingSettings(store_url=f"file://{directory}/store", cache_dir=directory / f"cache-{rank}")
    tokenizer = pretrained.load_tokenizer(directory / "base")
    encoded = [encode(one, "alpaca", tokenizer) for one in examples(24)]
    precision: Any = "bf16" if machine.capabilities().bf16 else "fp32"
    table = RowTable.of(rows_of(encoded, "batch", recipe.max_tokens))
    job = Job("a" * 64, NAME, recipe, precision, settings, 1, directory / f"work-{port}", "batch", tuple(encoded[:3]))
    share_out = trainer.shared_out

    def watched(model: Any) -> Any:
        before = held(model)
        wrapped = share_out(model)
        (directory / f"memory-{rank}.json").write_text(json.dumps([before, held(model)]))
        return wrapped

    trainer.shared_out = watched

    def tell(point: LossPoint) -> None:
        append_point(directory / f"points-{rank}.jsonl", point)
        if point.step == until:
            os.kill(os.getpid(), signal.SIGKILL)

    train(job, table, rank, torch.device("cpu"), tell)
    torch.distributed.barrier()  # One that leaves while the other is at work takes the connections from under it.
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
