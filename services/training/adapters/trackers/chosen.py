"""The trackers that settings name."""

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

from services.training.adapters.trackers.following import Follower, Following
from services.training.adapters.trackers.protocol import Tracker, parameters_of
from services.training.settings import TrainingSettings, tracker_environment
from shared.contracts.recipes import TrainingRecipe
from shared.errors import Unsupported
from shared.ids import short

Make = Callable[[str, dict[str, Any]], Tracker]
_HERE = "services.training.adapters.trackers"


class Trackers:
    """Made once a worker. Raises Unsupported where one is named whose package is not installed: before any run."""

    def __init__(self, settings: TrainingSettings) -> None:
        tracker_environment(settings)  # read by the clients when they are imported
        self._makers = _makers(settings)
        secrets = (settings.mlflow_password, settings.mlflow_token, settings.wandb_api_key)
        self._secrets = [one.get_secret_value() for one in secrets if one is not None]
        self._last: dict[str, Following] = {}

    def follow(self, run: str, recipe: TrainingRecipe) -> Following:
        """Begin to tell of a run; what an earlier attempt in this process left to tell is given up for it."""
        before = self._last.pop(run, Following()).followers or (None,) * len(self._makers)
        parameters = parameters_of(recipe)
        following = Following([
            Follower(make(run, parameters), short(run), self._secrets, earlier)
            for make, earlier in zip(self._makers, before, strict=True)
        ])  # fmt: skip
        self._last = {key: one for key, one in self._last.items() if one.going} | {run: following}
        return following


def _makers(settings: TrainingSettings) -> list[Make]:
    makers: list[Make] = []
    if (directory := settings.tensorboard_dir) is not None:
        board = _module("tensorboard", "tensorboardX", "LECTERN_TENSORBOARD_DIR", "training")
        makers.append(lambda run, parameters: board.TensorBoard(directory, run))
    if (uri := settings.mlflow_tracking_uri) is not None:
        server = _module("mlflow_server", "mlflow", "LECTERN_MLFLOW_TRACKING_URI", "mlflow")
        makers.append(lambda run, parameters: server.MLflow(uri, settings.mlflow_experiment, run, parameters))
    if settings.wandb_project is not None:
        client = _module("weights_and_biases", "wandb", "LECTERN_WANDB_PROJECT", "wandb")
        key = settings.wandb_api_key
        account = client.Account(
            settings.wandb_project, settings.wandb_entity, settings.wandb_url, key.get_secret_value() if key else None,
            settings.wandb_offline_dir,
        )  # fmt: skip
        scratch = settings.cache_dir / "wandb"
        makers.append(lambda run, parameters: client.WeightsAndBiases(account, scratch, run, parameters))
    return makers


def _module(name: str, package: str, variable: str, extra: str) -> Any:
    if importlib.util.find_spec(package) is None:
        raise Unsupported(
            f"{variable} is set, and the package {package} is not installed: pip install 'lectern[{extra}]', or unset it"
        )
    return importlib.import_module(f"{_HERE}.{name}")
