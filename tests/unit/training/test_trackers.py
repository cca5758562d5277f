"""The curve told to TensorBoard, W&B (its offline files) and MLflow (its own server): each step once, whatever happens, and
nothing but figures and the recipe."""

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError
from wandb.errors import CommError

from services.training.adapters.trackers import chosen
from services.training.adapters.trackers.chosen import Trackers
from services.training.adapters.trackers.following import Follower, Following
from services.training.adapters.trackers.protocol import End, Figures, figures_of, parameters_of
from services.training.settings import TrainingSettings
from shared.contracts.learning import LossPoint
from shared.contracts.recipes import Continual, TrainingRecipe
from shared.errors import Cancelled, Unsupported
from tests.servers import free_port, mlflow_server, wait_until
from tests.unit.training.told import board_losses, offline_steps, records

RUN = "ab" * 32
RECIPE = TrainingRecipe(lora_r=4, continual=Continual(ewc=7.5), lora_targets=("q_proj", "v_proj"))


def curve(steps: int, first: int = 1) -> list[LossPoint]:
    return [
        LossPoint(
            step=step, epoch=step / 10, loss=3 - step / 10, learning_rate=1e-3, tokens=100 * step, seconds=float(step),
            heldout_loss=2.5 if step == 2 else None, metrics={"reward": step / 2},
        )
        for step in range(first, steps + 1)
    ]  # fmt: skip


def told(following: Following, points: Sequence[LossPoint], end: End = "done") -> None:
    following.tell(points)
    following.end(end)
    assert all(one.join(60) for one in following.followers), "all of it is told"


class Memory:
    """A tracker that may be away, or fail after it took what it was told."""

    name = "memory"

    def __init__(self, away: int = 0, breaks: int = 0, slow: float = 0.0) -> None:
        self.steps: list[int] = []
        self.opened, self.end = 0, ""
        self._away, self._breaks, self._slow = away, breaks, slow

    def open(self) -> int:
        self.opened += 1
        if self.opened <= self._away:
            raise ConnectionError("no route, token=hush")
        return max(self.steps, default=0)

    def tell(self, figures: Sequence[Figures]) -> None:
        time.sleep(self._slow)
        self.steps += [one.step for one in figures]
        if self._breaks:
            self._breaks -= 1
            raise TimeoutError("no answer came")

    def close(self, end: End) -> None:
        self.end = end


def test_figures_are_what_the_curve_says_of_a_step() -> None:
    one, two, _ = figures_of(curve(4), 1, 12.0)
    assert (one.step, one.at, list(one.values)[-1]) == (2, 12.0, "train/loss")
    assert one.values == {
        "train/loss": 2.8, "train/learning_rate": 1e-3, "train/memory_bytes": 0.0, "train/tokens_per_second": 100.0,
        "train/reward": 1.0, "heldout/loss": 2.5,
    }  # fmt: skip
    assert "heldout/loss" not in two.values


def test_a_recipe_is_told_as_flat_names_and_plain_values() -> None:
    found = parameters_of(RECIPE)
    assert (found["lora_r"], found["continual.ewc"], found["lora_targets"]) == (4, 7.5, '["q_proj", "v_proj"]')
    assert not {"ppo", "schema_version", "continual.schema_version"} & set(found)
    assert all(isinstance(value, str | int | float) for value in found.values())


@pytest.mark.parametrize("tracker", [Memory(away=2), Memory(breaks=2), Memory(away=1, breaks=1)])
def test_a_tracker_that_was_away_is_told_everything_once(tracker: Memory) -> None:
    follower = Follower(tracker, "r", first_wait=0.01)
    for steps in range(1, 6):
        follower.tell(curve(steps))
        time.sleep(0.01)
    follower.end("done")
    assert follower.join(10) and tracker.steps == [1, 2, 3, 4, 5] and tracker.end == "done"


def test_whoever_tells_does_not_wait_and_the_log_says_once_what_is_wrong_without_secrets(
    capsys: pytest.CaptureFixture[str],
) -> None:
    follower = Follower(Memory(away=1_000), "r", ["hush"], first_wait=0.01, linger=0.2)
    began = time.monotonic()
    for steps in range(1, 50):
        follower.tell(curve(steps))
    follower.end("done")
    assert time.monotonic() - began < 1
    assert follower.join(10), "it gives up by itself"
    said = capsys.readouterr().out
    assert said.count("tracker.unreachable") == 1 and "ConnectionError" in said and "hush" not in said
    assert said.count("tracker.given-up") == 1 and "steps=49" in said


def test_a_later_attempt_at_a_run_goes_on_where_the_one_before_stopped() -> None:
    tracker = Memory(slow=0.2)
    first = Follower(tracker, "r")
    first.tell(curve(3))
    second = Follower(tracker, "r", before=first)
    second.tell(curve(5))
    second.end("done")
    assert second.join(10) and first.join(0) and tracker.steps == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(("error", "end"), [(Cancelled("no more"), "cancelled"), (RuntimeError("broken"), "failed")])
def test_how_a_run_ended_is_told(error: Exception, end: str) -> None:
    tracker = Memory()
    following = Following([Follower(tracker, "r")])
    with pytest.raises(type(error)), following.to_the_end():
        following.tell(curve(2))
        raise error
    assert following.followers[0].join(10) and not following.going and tracker.end == end


def test_a_run_that_is_refused_before_its_first_step_is_no_run_in_a_tracker() -> None:
    tracker = Memory()
    following = Following([Follower(tracker, "r")])
    with following.to_the_end():
        following.end("failed")
    assert following.followers[0].join(10) and tracker.opened == 0


def settings(tmp_path: Path, **given: Any) -> TrainingSettings:
    return TrainingSettings(store_url=f"file://{tmp_path}/store", cache_dir=tmp_path / "cache", **given)


def test_where_nothing_is_named_nothing_is_followed(tmp_path: Path) -> None:
    assert Trackers(settings(tmp_path)).follow(RUN, RECIPE).followers == ()


BAD: list[tuple[dict[str, Any], str]] = [
    ({"mlflow_tracking_uri": "file:///tmp/runs"}, "MLFLOW_TRACKING_URI must be the URL of a server"),
    ({"mlflow_tracking_uri": "https://"}, "MLFLOW_TRACKING_URI must be the URL of a server"),
    ({"mlflow_tracking_uri": "https://me:hush@mlflow.example.org"}, "must hold no credentials"),
    ({"mlflow_tracking_uri": "http://m", "mlflow_token": "t", "mlflow_username": "u"}, "one or the other"),
    ({"wandb_url": "wandb.example.org"}, "WANDB_URL must be the URL of a server"),
    ({"wandb_project": "p"}, "without LECTERN_WANDB_API_KEY"),
    ({"wandb_offline_dir": "/tmp"}, "without LECTERN_WANDB_PROJECT"),
]


@pytest.mark.parametrize(("given", "said"), BAD)
def test_settings_that_reach_no_tracker_are_refused_at_the_start(tmp_path: Path, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        settings(tmp_path, **given)


@pytest.mark.parametrize(
    ("given", "package"),
    [
        ({"mlflow_tracking_uri": "http://127.0.0.1:1"}, "mlflow"),
        ({"wandb_project": "p", "wandb_api_key": "k"}, "wandb"),
    ],
)
def test_a_package_that_is_missing_is_said_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], package: str
) -> None:
    monkeypatch.setattr(chosen.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Unsupported, match=rf"{package} is not installed: pip install 'lectern\[{package}\]'"):
        Trackers(settings(tmp_path, **given))


def test_tensorboard_has_each_step_once_after_a_kill_too(tmp_path: Path) -> None:
    for steps in (3, 5):  # the second attempt is another process, and is told the curve from its first step
        told(Trackers(settings(tmp_path, tensorboard_dir=tmp_path / "board")).follow(RUN, RECIPE), curve(steps))
    (file,) = (tmp_path / "board").glob("*/events.*")
    assert board_losses(file) == [(step, pytest.approx(3 - step / 10)) for step in range(1, 6)]


@pytest.mark.slow
@pytest.mark.parametrize("again", ["another process", "the same process"])
def test_wandb_offline_has_each_step_once_after_a_kill_and_nothing_of_the_machine(tmp_path: Path, again: str) -> None:
    offline = settings(tmp_path, wandb_project="shelf", wandb_offline_dir=tmp_path / "offline", wandb_api_key="k" * 40)
    first = Trackers(offline)
    following = first.follow(RUN, RECIPE)
    following.tell(curve(3))
    if again == "another process":
        following.end("failed")
        assert following.followers[0].join(60)
    told((first if again == "the same process" else Trackers(offline)).follow(RUN, RECIPE), curve(5))
    (file,) = (tmp_path / "offline").glob("wandb/offline-run-*/*.wandb")
    wait_until(lambda: offline_steps(file) == [1, 2, 3, 4, 5], "what its service writes")
    found = list(records(file))
    config = {item.key: item.value_json for one in found for item in one.run.config.update}
    assert (config["lora_r"], config["continual.ewc"]) == ("4", "7.5")
    written = b"".join(path.read_bytes() for path in (tmp_path / "offline").rglob("*") if path.is_file())
    host = os.uname().nodename.encode()
    assert b"k" * 40 not in written and bytes([len(host)]) + host not in file.read_bytes(), "as its records write texts"
    assert b"requirements" not in file.read_bytes() and str(tmp_path).encode() not in file.read_bytes()


@pytest.mark.slow
def test_a_wandb_server_that_does_not_answer_holds_nothing_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    away = settings(tmp_path, wandb_project="p", wandb_api_key="k" * 40, wandb_url=f"http://127.0.0.1:{free_port()}")
    trackers = Trackers(away)
    began = time.monotonic()
    following = trackers.follow(RUN, RECIPE)
    following.tell(curve(3))
    following.end("done")
    assert time.monotonic() - began < 1
    said: list[str] = []
    wait_until(lambda: said.append(capsys.readouterr().out) or "tracker.unreachable" in "".join(said), "the log", 120)
    following.followers[0].give_up()
    assert "k" * 40 not in "".join(said)
    following.followers[0].join(60)
    tracker = Trackers(away)._makers[0](RUN, {})
    for _ in range(2):  # its client would say the second time that the run is in use
        with pytest.raises(CommError):
            tracker.open()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_mlflow_has_one_run_with_each_step_once_through_kills_and_outages(tmp_path: Path) -> None:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    port = free_port()
    named = settings(tmp_path, mlflow_tracking_uri=f"http://127.0.0.1:{port}", mlflow_experiment="shelf")
    trackers = Trackers(named)
    client = MlflowClient(tracking_uri=named.mlflow_tracking_uri)

    def runs() -> list[Any]:
        try:
            experiment = client.get_experiment_by_name("shelf")
            return list(client.search_runs([experiment.experiment_id])) if experiment else []
        except MlflowException:
            return []

    def history(name: str) -> list[tuple[int, float]]:
        return [(one.step, one.value) for run in runs() for one in client.get_metric_history(run.info.run_id, name)]

    def steps() -> list[int]:
        return [step for step, _ in history("train/loss")]

    with mlflow_server(tmp_path / "mlflow", port) as server:
        following = trackers.follow(RUN, RECIPE)
        following.tell(curve(2))  # the server does not listen yet
        wait_until(lambda: steps() == [1, 2], "the first steps", 300)
        os.killpg(server.pid, signal.SIGSTOP)
        following.tell(curve(4))
        time.sleep(12)  # so long that the request is given up; the server takes it up all the same when it wakes
        os.killpg(server.pid, signal.SIGCONT)
        wait_until(lambda: steps() == [1, 2, 3, 4], "the next steps", 120)
        following.followers[0].give_up()  # as where the process is killed
        assert following.followers[0].join(60)
        told(Trackers(named).follow(RUN, RECIPE), curve(6))
        (run,) = runs()
        assert steps() == [1, 2, 3, 4, 5, 6] and run.info.status == "FINISHED" and history("heldout/loss") == [(2, 2.5)]
        assert run.data.params == {name: str(value) for name, value in parameters_of(RECIPE).items()}
        assert set(run.data.tags) == {"lectern.run", "mlflow.runName"} and run.info.user_id in ("", "unknown")
        told(trackers.follow("cd" * 32, RECIPE), curve(1), "cancelled")
        ends = {one.info.run_name: one.info.status for one in runs()}
        assert ends == {RUN[:16]: "FINISHED", ("cd" * 32)[:16]: "KILLED"}


def test_credentials_are_given_by_the_environment_and_shown_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("USERNAME", "PASSWORD", "TOKEN"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    monkeypatch.setenv("LECTERN_MLFLOW_PASSWORD", "hush")
    named = settings(tmp_path, mlflow_tracking_uri="http://127.0.0.1:1", mlflow_username="me", wandb_api_key=SecretStr("hush"))
    assert "hush" not in repr(named)
    Trackers(named)
    assert os.environ["MLFLOW_TRACKING_PASSWORD"] == "hush" and "MLFLOW_TRACKING_TOKEN" not in os.environ
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "")  # and back as it was, for the tests that follow
