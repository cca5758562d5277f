"""Training on one worker, without Ray: repeatable, resumable, and free of pickles."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from bitsandbytes.nn import Linear4bit

from services.training.adapters import models, pretrained
from services.training.adapters.checkpoints import Checkpoints
from services.training.adapters.jobs import Diverged, Job, RowTable
from services.training.adapters.loop import train
from services.training.curves import read_curve
from services.training.settings import TrainingSettings
from services.training.stages.curve import merge
from services.training.stages.examples import encode
from services.training.stages.packing import rows_of
from services.training.stages.recipe import refuse_ranks
from shared.contracts.learning import LossPoint
from shared.contracts.recipes import TrainingRecipe
from shared.objects import ObjectStore
from shared.tuning.architectures import packing_of
from tests.unit.training.world import NAME, examples, publish_tiny

RECIPE = TrainingRecipe(
    base=NAME,
    batch_size=2,
    gradient_accumulation=2,
    epochs=3,
    lora_r=4,
    learning_rate=1e-2,
    checkpoint_steps=2,
    warmup_ratio=0.2,
)
"""Nine steps over three epochs of eleven examples: the last batch of an epoch is short, and accumulation is cut off."""


class Killed(Exception):
    """Stands for the end of the process."""


Attempt = Callable[..., list[LossPoint]]


@pytest.fixture
def attempt(store: ObjectStore, tiny_base: Path, tmp_path: Path) -> Attempt:
    """Train a run under a name, from wherever it stands; dies after `until` steps."""
    publish_tiny(store, tiny_base)
    settings = TrainingSettings(store_url=f"file://{tmp_path}/store", cache_dir=tmp_path / "cache")
    tokenizer = pretrained.load_tokenizer(tiny_base)
    encoded = [encode(one, "alpaca", tokenizer) for one in examples(11)]

    def run(
        name: str, until: int | None = None, recipe: TrainingRecipe = RECIPE, work: str = "work", precision: Any = "bf16",
        begins_from: bytes | None = None,
    ) -> list[LossPoint]:  # fmt: skip
        points: list[LossPoint] = []

        def tell(point: LossPoint) -> None:
            points.append(point)
            if point.step == until:
                raise Killed

        packing = packing_of(recipe, {"model_type": "llama"})
        table = RowTable.of(rows_of(encoded, packing, recipe.max_tokens))
        job = Job(name, NAME, recipe, precision, settings, 1, tmp_path / work, packing, tuple(encoded[:3]))
        try:
            train(job, table, 0, torch.device("cpu"), tell, begins_from)
        except Killed:
            assert until is not None
        return points

    return run


def figures(points: list[LossPoint]) -> list[tuple[int, float, float, int]]:
    return [(one.step, one.loss, one.learning_rate, one.tokens) for one in points]


def adapter(store: ObjectStore, name: str, into: Path) -> bytes:
    latest = Checkpoints(store, name).fetch_latest(into / name)
    assert latest is not None
    return (latest[1] / "adapter_model.safetensors").read_bytes()


@pytest.mark.parametrize("recipe", [RECIPE, RECIPE.model_copy(update={"quantization": "none", "optimizer": "adamw_torch"})])
def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    attempt: Attempt, store: ObjectStore, tmp_path: Path, recipe: TrainingRecipe
) -> None:
    undisturbed = attempt("a" * 64, recipe=recipe, work="one")
    assert [one.step for one in undisturbed] == list(range(1, 10))
    first = attempt("b" * 64, until=5, recipe=recipe, work="two")
    second = attempt("b" * 64, recipe=recipe, work="three")
    assert [one.step for one in second] == list(range(1, 10)), "the points before the checkpoint are told again"
    assert figures(merge([*first, *second])) == figures(undisturbed)
    assert adapter(store, "a" * 64, tmp_path) == adapter(store, "b" * 64, tmp_path)
    latest = Checkpoints(store, "b" * 64).fetch_latest(tmp_path / "look")
    assert latest is not None
    assert figures(read_curve(latest[1] / "curve.jsonl")) == figures(undisturbed)
    assert json.loads((latest[1] / "facts.json").read_text())["resumed_from_step"] == 4


ONE_BATCH = RECIPE.model_copy(
    update={"batch_size": 11, "gradient_accumulation": 1, "epochs": 4.0, "schedule": "constant", "warmup_ratio": 0.0}
)
"""Every step sees the same eleven examples, at the same rate."""


@pytest.mark.parametrize("recipe", [ONE_BATCH, ONE_BATCH.model_copy(update={"quantization": "none"})])
def test_a_run_that_begins_from_an_adapter_begins_at_the_loss_where_that_one_ended(
    attempt: Attempt, store: ObjectStore, tmp_path: Path, recipe: TrainingRecipe
) -> None:
    longer = attempt("a" * 64, recipe=recipe.model_copy(update={"epochs": 5.0}), work="longer", precision="fp32")
    fresh = attempt("b" * 64, recipe=recipe, work="parent", precision="fp32")
    weights = adapter(store, "b" * 64, tmp_path)
    first = attempt("c" * 64, recipe=recipe, work="child", precision="fp32", begins_from=weights)[0]
    assert first.loss == pytest.approx(longer[4].loss, rel=1e-4), "the parent's loss on the batch after its four steps"
    assert abs(first.loss - fresh[0].loss) > 0.1


def test_a_killed_run_that_began_from_an_adapter_goes_on_from_its_checkpoint(
    attempt: Attempt, store: ObjectStore, tmp_path: Path
) -> None:
    attempt("a" * 64, work="parent")
    weights = adapter(store, "a" * 64, tmp_path)
    undisturbed = attempt("b" * 64, work="one", begins_from=weights)
    attempt("c" * 64, until=5, work="two", begins_from=weights)
    assert figures(attempt("c" * 64, work="three", begins_from=weights)) == figures(undisturbed)
    assert adapter(store, "b" * 64, tmp_path) == adapter(store, "c" * 64, tmp_path)


def test_an_adapter_of_another_rank_is_not_taken_up(attempt: Attempt, store: ObjectStore, tmp_path: Path) -> None:
    attempt("a" * 64, work="parent")
    weights = adapter(store, "a" * 64, tmp_path)
    other = RECIPE.model_copy(update={"lora_r": 8})
    (tmp_path / "weights").write_bytes(weights)
    ranks = pretrained.adapter_ranks(tmp_path / "weights")
    assert ranks == {4} and refuse_ranks(RECIPE, ranks) is None
    refused = refuse_ranks(other, ranks)
    assert refused is not None and refused.reason == "other-adapter" and "has rank 4, the recipe's is 8" in refused.detail
    with pytest.raises(ValueError, match="other layers or ranks"):
        attempt("b" * 64, recipe=other, begins_from=weights)


def test_a_run_killed_between_epochs_goes_on_too(attempt: Attempt) -> None:
    recipe = RECIPE.model_copy(update={"checkpoint_steps": 3})
    undisturbed = attempt("a" * 64, recipe=recipe, work="one")
    attempt("b" * 64, until=4, recipe=recipe, work="two")
    assert figures(attempt("b" * 64, recipe=recipe, work="three")) == figures(undisturbed)


def test_a_finished_run_is_not_trained_again(attempt: Attempt) -> None:
    done = attempt("a" * 64, work="one")
    again = attempt("a" * 64, work="two")
    assert again == done, "even the seconds are the first attempt's"


def test_another_seed_is_another_run_and_the_loss_falls(attempt: Attempt) -> None:
    one = attempt("a" * 64, work="one")
    other = attempt("b" * 64, recipe=RECIPE.model_copy(update={"seed": 18}), work="two")
    assert figures(one) != figures(other)
    assert one[-1].loss < one[0].loss


def test_measuring_the_held_out_loss_changes_nothing_of_the_run(attempt: Attempt) -> None:
    """Not even with dropout, and not with 4-bit weights, which bitsandbytes would repack where it saw an evaluation."""
    recipe = RECIPE.model_copy(update={"lora_dropout": 0.1})
    plain = attempt("a" * 64, work="one", recipe=recipe)
    measured = attempt("b" * 64, work="two", recipe=recipe.model_copy(update={"evaluation_steps": 4}))
    assert figures(plain) == figures(measured)
    assert [one.step for one in measured if one.heldout_loss is not None] == [4, 8]
    assert all(one.memory_bytes > 0 for one in measured)


@pytest.mark.parametrize(
    "changed", [{"packing": "none"}, {"gradient_checkpointing": True}, {"packing": "none", "attention": "eager"}]
)
def test_how_a_batch_is_laid_out_and_remembered_does_not_change_what_is_learned(attempt: Attempt, changed: Any) -> None:
    """The curve of packed rows is that of padded ones, to what fp32 rounds."""
    exact = RECIPE.model_copy(update={"quantization": "none", "optimizer": "adamw_torch"})
    packed = attempt("a" * 64, work="one", recipe=exact, precision="fp32")
    other = attempt("b" * 64, work="two", recipe=exact.model_copy(update=changed), precision="fp32")
    assert [one.tokens for one in packed] == [one.tokens for one in other]
    assert [one.loss for one in packed] == pytest.approx([one.loss for one in other], rel=2e-4)


def test_filled_sequences_are_fewer_steps_over_the_same_tokens(attempt: Attempt) -> None:
    recipe = RECIPE.model_copy(update={"epochs": 1.0})
    batch = attempt("a" * 64, work="one", recipe=recipe)
    full = attempt("b" * 64, work="two", recipe=recipe.model_copy(update={"packing": "full"}))
    assert len(full) < len(batch) and full[-1].tokens == batch[-1].tokens


@pytest.mark.parametrize("optimizer", ["lion_8bit", "adafactor", "sgd"])
def test_every_optimizer_resumes_where_it_was(attempt: Attempt, optimizer: Any) -> None:
    recipe = RECIPE.model_copy(update={"optimizer": optimizer, "learning_rate": 1e-3})
    undisturbed = attempt("a" * 64, recipe=recipe, work="one")
    attempt("b" * 64, until=5, recipe=recipe, work="two")
    assert figures(attempt("b" * 64, recipe=recipe, work="three")) == figures(undisturbed)


def test_no_checkpoint_holds_a_pickle(attempt: Attempt, store: ObjectStore) -> None:
    attempt("a" * 64)
    suffixes = {Path(path).suffix for path in store.list("checkpoints")}
    assert suffixes <= {".json", ".jsonl", ".safetensors", ".md"}


def test_a_loss_that_is_no_number_ends_the_run(attempt: Attempt) -> None:
    with pytest.raises(Diverged):
        attempt("a" * 64, recipe=RECIPE.model_copy(update={"learning_rate": 1e38, "warmup_ratio": 0.0}))


def test_only_the_adapter_learns_and_it_learns_in_fp32(tiny_base: Path) -> None:
    model = models.load_for_training(tiny_base, RECIPE, "bf16", torch.device("cpu"))
    models.keep_adapter_in_fp32(model)
    learning = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert all("lora_" in name and parameter.dtype == torch.float32 for name, parameter in learning.items())
    adapted = {name.split(".lora_")[0].rsplit(".", 1)[1] for name in learning}
    assert adapted == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    quantized = [module for module in model.modules() if type(module) is Linear4bit]
    assert len(quantized) == 2 * 7
    assert all(module.weight.quant_type == "nf4" and module.weight.quant_state.nested for module in quantized)


def test_the_loss_of_a_response_is_that_of_the_whole_sequence(tiny_base: Path) -> None:
    """Projecting only where a response is must not change what is measured."""
    tokenizer = pretrained.load_tokenizer(tiny_base)
    model = models.load_for_training(tiny_base, RECIPE.model_copy(update={"quantization": "none"}), "fp32", torch.device("cpu"))
    model.eval()
    one = encode(examples(1)[0], "alpaca", tokenizer)
    ids, labels = torch.tensor([one.ids]), torch.tensor([one.labels])
    with torch.no_grad():
        losses = models.response_nll(model, ids, torch.ones_like(ids), labels)
        whole = model(input_ids=ids, labels=labels).loss
    assert float(losses.sum() / one.response_tokens) == pytest.approx(float(whole), rel=1e-5)
