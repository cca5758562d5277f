"""A run that keeps what was learnt before: held back, averaged, and ended with what held-out examples choose."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from services.training.adapters import models, pretrained
from services.training.adapters.checkpoints import Checkpoints
from services.training.adapters.consolidating import consolidation, fisher
from services.training.adapters.jobs import CHOICE, CHOSEN, Continuing, Job, RowTable
from services.training.adapters.loop import train
from services.training.adapters.scores import heldout_loss
from services.training.adapters.snapshots import Snapshots, learned, wearing
from services.training.adapters.states import load_state
from services.training.settings import TrainingSettings
from services.training.stages.averaging import average
from services.training.stages.consolidation import Consolidation
from services.training.stages.examples import Encoded, encode
from services.training.stages.packing import rows_of
from shared.contracts.checkpoints import CheckpointChoice
from shared.contracts.learning import LossPoint
from shared.contracts.recipes import Continual, TrainingRecipe
from shared.objects import ObjectStore, open_store
from shared.tuning.architectures import packing_of
from tests.unit.training.world import NAME, examples, publish_tiny

CPU = torch.device("cpu")
RECIPE = TrainingRecipe(
    base=NAME, lora_r=4, max_tokens=512, batch_size=2, gradient_accumulation=2, epochs=3.0, checkpoint_steps=2,
    learning_rate=1e-2, quantization="none", optimizer="adamw_torch",
)  # fmt: skip


class Killed(BaseException):
    pass


class Bench:
    """Runs on the tiny base, whose ends can be looked at."""

    def __init__(self, base: Path, root: Path) -> None:
        self.root, self.base = root, base
        self.settings = TrainingSettings(store_url=f"file://{root}/store", cache_dir=root / "cache")
        self.store: ObjectStore = open_store(self.settings)
        publish_tiny(self.store, base)

    def encoded(self, count: int, seed: int) -> tuple[Encoded, ...]:
        tokenizer = pretrained.load_tokenizer(self.base)
        return tuple(encode(one, "alpaca", tokenizer) for one in examples(count, seed))

    def run(self, name: str, wish: Continual, until: int | None = None, **recipe: Any) -> list[LossPoint]:
        points: list[LossPoint] = []

        def tell(point: LossPoint) -> None:
            points.append(point)
            if point.step == until:
                raise Killed

        asked = RECIPE.model_copy(update={"continual": wish, **recipe})
        packing = packing_of(asked, {"model_type": "llama"})
        told = Continuing(self.encoded(5, 1), {"new": self.encoded(4, 2), "old": self.encoded(4, 3)}, "new")
        where = self.root / f"{name}-{until}"
        job = Job(name * 64, NAME, asked, "fp32", self.settings, 1, where, packing, continuing=told)
        table = RowTable.of(rows_of(self.encoded(11, 0), packing, asked.max_tokens))
        try:
            train(job, table, 0, CPU, tell)
        except Killed:
            assert until is not None
        return points

    def ended(self, name: str) -> Path:
        latest = Checkpoints(self.store, name * 64).fetch_latest(self.root / f"look-{name}")
        assert latest is not None
        return latest[1]

    def choice(self, name: str) -> CheckpointChoice:
        return CheckpointChoice.model_validate_json((self.ended(name) / CHOICE).read_bytes())


@pytest.fixture
def bench(tiny_base: Path, tmp_path: Path) -> Bench:
    return Bench(tiny_base, tmp_path)


def figures(points: list[LossPoint]) -> list[tuple[int, float]]:
    return [(one.step, one.loss) for one in points]


@pytest.mark.parametrize("averaging", ["last", "swa", "ema"])
def test_a_killed_run_ends_with_the_same_weights_and_reason(bench: Bench, averaging: Any) -> None:
    wish = Continual(ewc=50.0, averaging=averaging, averaged_checkpoints=3)
    undisturbed = bench.run("a", wish)
    bench.run("b", wish, until=7)
    assert figures(bench.run("b", wish)) == figures(undisturbed)
    assert bench.choice("b") == bench.choice("a")
    assert [one.name for one in bench.choice("a").candidates if one.name == "averaged"]
    one, other = (load_file(bench.ended(name) / CHOSEN) for name in ("a", "b"))
    assert all(torch.equal(one[key], other[key]) for key in one) and len(one) == len(other)


def test_what_mattered_holds_the_weights_back_and_the_curve_tells_the_loss_of_the_data(bench: Bench) -> None:
    curves, moved = [], []
    for name, strength in (("a", 1e-9), ("b", 1e3)):
        curves.append(bench.run(name, Continual(ewc=strength, choose="last")))
        held = load_state(bench.ended(name), "consolidation")
        weights = load_file(bench.ended(name) / "adapter_model.safetensors")
        inner = {key.replace("_A.", "_A.default.").replace("_B.", "_B.default."): value for key, value in weights.items()}
        moved.append(float(Consolidation(1.0, held["anchor"], held["fisher"]).penalty(inner)))
    assert moved[1] < moved[0] / 10
    assert curves[1][0].loss == curves[0][0].loss, "no penalty is told as loss"
    assert curves[1][-1].loss > curves[0][-1].loss


def test_the_pull_is_once_a_step_however_many_passes_make_it(bench: Bench) -> None:
    """A step is the whole epoch: at once, and an example at a time."""
    plain = {"packing": "none", "optimizer": "sgd", "epochs": 4.0, "schedule": "constant", "warmup_ratio": 0.0}
    ends = {}
    for name, strength, batch in (("a", 1e4, 11), ("b", 1e4, 1), ("c", 0.0, 11)):
        recipe = {**plain, "learning_rate": 0.5, "batch_size": batch, "gradient_accumulation": 11 // batch}
        assert len(bench.run(name, Continual(ewc=strength, choose="last"), **recipe)) == 4
        ends[name] = load_file(bench.ended(name) / "adapter_model.safetensors")
    for key, value in ends["a"].items():
        torch.testing.assert_close(ends["b"][key], value, rtol=1e-3, atol=1e-5)
    assert max(float((ends["c"][key] - value).abs().max()) for key, value in ends["a"].items()) > 1e-3


def test_an_exact_average_has_the_rank_of_all_and_the_product_of_their_mean(bench: Bench) -> None:
    wish = Continual(ewc=0, averaged_rank="sum", choose="averaged", averaged_checkpoints=3)
    bench.run("a", wish)
    found = bench.choice("a")
    assert found.chosen == "averaged" and found.candidates[0].lost == 0 and len(found.candidates[0].steps) == 3
    state = load_state(bench.ended("a"), "snapshots")
    parts = [state["weights"][step] for step in found.candidates[0].steps]
    weights = load_file(bench.ended("a") / CHOSEN)
    for name, a in weights.items():
        if ".lora_A." in name:
            assert len(a) == 3 * RECIPE.lora_r
            inner = name.replace("lora_A.weight", "lora_A.default.weight")
            mean = sum(one[inner.replace("lora_A", "lora_B")].double() @ one[inner].double() for one in parts) / 3
            product = weights[name.replace("lora_A", "lora_B")].double() @ a.double()
            assert float((product - mean).abs().max()) < 1e-6


def test_the_loss_of_the_chosen_weights_is_the_one_that_is_told(bench: Bench) -> None:
    bench.run("a", Continual(ewc=0.0, averaged_checkpoints=2))
    found = bench.choice("a")
    model = models.load_for_training(bench.base, RECIPE, "fp32", CPU)
    models.take_up(model, (bench.ended("a") / CHOSEN).read_bytes())
    told = next(one for one in found.candidates if one.name == found.chosen)
    pad_id = pretrained.load_tokenizer(bench.base).eos_token_id
    assert heldout_loss(model, bench.encoded(4, 2), pad_id) == pytest.approx(told.losses["new"], rel=1e-5)
    assert heldout_loss(model, bench.encoded(4, 3), pad_id) == pytest.approx(told.losses["old"], rel=1e-5)
    assert told.score == min(one.score for one in found.candidates)


def test_the_fisher_information_is_the_mean_square_of_an_examples_gradient(bench: Bench) -> None:
    model = models.load_for_training(bench.base, RECIPE, "fp32", CPU)
    some = bench.encoded(2, 1)
    found = fisher(model, some)
    name, parameter = next((name, one) for name, one in model.named_parameters() if "lora_B" in name and one.requires_grad)
    wanted = torch.zeros_like(parameter)
    for one in some:
        ids = torch.tensor([one.ids])
        nll = models.response_nll(model, ids, torch.ones_like(ids), torch.tensor([one.labels])).sum()
        wanted += torch.autograd.grad(nll, parameter)[0].square()
    torch.testing.assert_close(found[name], wanted / sum(one.response_tokens for one in some))
    assert found[name].any() and parameter.grad is None
    assert float(consolidation(model, some, 2.0).penalty(learned(model))) == 0


def test_a_model_wears_weights_of_another_rank_and_takes_its_own_up_again(bench: Bench) -> None:
    model = models.load_for_training(bench.base, RECIPE, "fp32", CPU)
    pad_id = pretrained.load_tokenizer(bench.base).eos_token_id
    for one in model.parameters():
        if one.requires_grad:
            torch.nn.init.normal_(one, std=0.05)
    before, own = heldout_loss(model, bench.encoded(3, 1), pad_id), learned(model)
    doubled = average([own, own])
    assert doubled.rank == 2 * RECIPE.lora_r
    with wearing(model, doubled.weights):
        assert heldout_loss(model, bench.encoded(3, 1), pad_id) == pytest.approx(before, rel=1e-6)
    assert all(torch.equal(own[name], one) for name, one in learned(model).items())


def test_only_what_may_still_be_chosen_is_kept(bench: Bench) -> None:
    model = models.load_for_training(bench.base, RECIPE, "fp32", CPU)
    kept = Snapshots(Continual(averaged_checkpoints=2), total_steps=8, rank=4)
    for step, loss in ((2, 3.0), (4, 1.0), (6, 2.0), (8, 2.5)):
        kept.at_checkpoint(step, model, loss)
    assert sorted(kept.state()["weights"]) == [4, 6, 8]
    assert [(one.name, one.steps) for one in kept.candidates()] == [("last", (8,)), ("best-loss", (4,)), ("averaged", (6, 8))]
