"""MLflow: a run on a tracking server, found again by the key of our run."""

from collections.abc import Sequence
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException

from services.training.adapters.trackers.protocol import LOSS, End, Figures
from shared.ids import short

RUN_TAG = "lectern.run"
_STEPS, _PARAMETERS, _LONGEST = 50, 100, 6000
"""A request's most: steps (MLflow takes 1,000 metrics), parameters, and characters of a parameter."""
_STATUS: dict[End, str] = {"done": "FINISHED", "failed": "FAILED", "cancelled": "KILLED"}


class MLflow:
    """One run. The client's own classes are used, and not its global state, which would tell host, user and program."""

    name = "mlflow"

    def __init__(self, uri: str, experiment: str, run: str, parameters: dict[str, Any]) -> None:
        self._uri, self._experiment, self._key, self._parameters = uri, experiment, run, parameters
        self._run = ""

    def open(self) -> int:
        self._client = MlflowClient(tracking_uri=self._uri)
        experiment = self._experiment_id()
        found = self._client.search_runs([experiment], f"tags.`{RUN_TAG}` = '{self._key}'", max_results=1)
        if not found:
            tags = {RUN_TAG: self._key}
            self._run = self._client.create_run(experiment, tags=tags, run_name=short(self._key)).info.run_id
        else:
            self._run = found[0].info.run_id
            self._client.update_run(self._run, status="RUNNING")
        if not found or len(found[0].data.params) < len(self._parameters):
            self._tell_parameters()
        return max((one.step for one in self._client.get_metric_history(self._run, LOSS)), default=0)

    def tell(self, figures: Sequence[Figures]) -> None:
        for start in range(0, len(figures), _STEPS):
            metrics = [
                Metric(name, value, int(1000 * one.at), one.step)
                for one in figures[start : start + _STEPS]
                for name, value in one.values.items()
            ]
            self._client.log_batch(self._run, metrics=metrics)

    def close(self, end: End) -> None:
        self._client.set_terminated(self._run, _STATUS[end])

    def _experiment_id(self) -> str:
        found = self._client.get_experiment_by_name(self._experiment)
        if found is not None:
            return str(found.experiment_id)
        try:
            return str(self._client.create_experiment(self._experiment))
        except MlflowException:  # another worker made it meanwhile
            found = self._client.get_experiment_by_name(self._experiment)
            if found is None:
                raise
            return str(found.experiment_id)

    def _tell_parameters(self) -> None:
        """Which say the same when told again."""
        told = [Param(name, str(value)[:_LONGEST]) for name, value in self._parameters.items()]
        for start in range(0, len(told), _PARAMETERS):
            self._client.log_batch(self._run, params=told[start : start + _PARAMETERS])
