"""Weights & Biases: a run on its server, or in files for `wandb sync`, under the id of our run."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import wandb

from services.training.adapters.trackers.protocol import End, Figures
from shared.ids import short


@dataclass(frozen=True, slots=True)
class Account:
    """Where runs go. With `offline`, nowhere: they are files in that directory."""

    project: str
    entity: str | None
    url: str | None
    api_key: str | None
    offline: Path | None


class WeightsAndBiases:
    """One run. W&B's client would tell much of machine, program and installation besides: all of that is off."""

    name = "wandb"

    def __init__(self, account: Account, scratch: Path, run: str, parameters: dict[str, Any]) -> None:
        self._account, self._id, self._parameters = account, short(run), parameters
        self._directory = account.offline or scratch
        self._run: Any = None

    def open(self) -> int:
        if self._run is not None:  # its client knows an id once
            self._run.finish(exit_code=1)
            self._run = None
        self._directory.mkdir(parents=True, exist_ok=True)
        if self._account.offline is not None:
            # Files cannot be taken up again; whoever opens the run is told the curve from its first step.
            for stale in self._directory.glob(f"wandb/offline-run-*-{self._id}"):
                shutil.rmtree(stale, ignore_errors=True)
        try:
            self._run = wandb.init(
                project=self._account.project, entity=self._account.entity, id=self._id, name=self._id, resume="allow",
                reinit="create_new", config=self._parameters, settings=self._settings(),
            )  # fmt: skip
        except Exception:
            wandb.teardown(exit_code=1)  # its service would say ever after that the id is in use
            raise
        return max(0, int(self._run.starting_step) - 1)

    def tell(self, figures: Sequence[Figures]) -> None:
        for one in figures:
            self._run.log({**one.values, "_timestamp": one.at}, step=one.step)

    def close(self, end: End) -> None:
        self._run.finish(exit_code=0 if end == "done" else 1)

    def _settings(self) -> wandb.Settings:
        known = {"base_url": self._account.url, "api_key": self._account.api_key}
        return wandb.Settings(
            mode="offline" if self._account.offline else "online", root_dir=str(self._directory), init_timeout=20,
            console="off", silent=True, disable_git=True, disable_code=True, save_code=False, host="", username="", email="",
            program="", x_disable_meta=True, x_disable_stats=True, x_disable_machine_info=True, x_save_requirements=False,
            x_transaction_log_flush_interval=1.0, **{name: value for name, value in known.items() if value},
        )  # fmt: skip
