"""Averages of adapters: exact, or with the error of what was cut."""

import pytest
import torch

from services.training.stages.averaging import average, ema, swa

LAYERS = {"model.q_proj": (24, 40), "model.down_proj": (64, 16)}
RANK = 4


def adapter(seed: int) -> dict[str, torch.Tensor]:
    chance = torch.Generator().manual_seed(seed)
    made = {}
    for name, (into, out) in LAYERS.items():
        made[f"{name}.lora_A.weight"] = torch.randn(RANK, into, generator=chance)
        made[f"{name}.lora_B.weight"] = torch.randn(out, RANK, generator=chance)
    return made


def product(weights: dict[str, torch.Tensor], layer: str) -> torch.Tensor:
    return weights[f"{layer}.lora_B.weight"].double() @ weights[f"{layer}.lora_A.weight"].double()


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_average_is_that_of_the_products(count: int) -> None:
    adapters = [adapter(seed) for seed in range(count)]
    found = average(adapters)
    assert (found.rank, found.error) == (count * RANK, 0.0)
    for layer in LAYERS:
        wanted = torch.stack([product(one, layer) for one in adapters]).mean(dim=0)
        assert float((product(found.weights, layer) - wanted).abs().max()) < 1e-6


def test_averaging_the_factors_apart_would_be_another_matrix() -> None:
    one, two = adapter(1), adapter(2)
    apart = swa(one, two, 1)
    layer = "model.q_proj"
    wanted = (product(one, layer) + product(two, layer)) / 2
    assert float((product(apart, layer) - wanted).norm() / wanted.norm()) > 0.5


def test_a_cut_average_is_the_nearest_of_its_rank_and_tells_what_it_lost() -> None:
    adapters = [adapter(seed) for seed in range(3)]
    found = average(adapters, rank=RANK)
    assert found.rank == RANK
    gone = whole = 0.0
    for layer in LAYERS:
        mean = torch.stack([product(one, layer) for one in adapters]).mean(dim=0)
        u, values, vt = torch.linalg.svd(mean, full_matrices=False)
        nearest = u[:, :RANK] * values[:RANK] @ vt[:RANK]
        assert float((product(found.weights, layer) - nearest).abs().max()) < 1e-5
        gone += float((mean - nearest).square().sum())
        whole += float(mean.square().sum())
    assert found.error == pytest.approx((gone / whole) ** 0.5, rel=1e-6)
    assert 0.1 < found.error < 1


def test_adapters_that_are_the_same_lose_nothing_by_being_averaged() -> None:
    found = average([adapter(7)] * 4, rank=RANK)
    assert found.error < 1e-7
    for layer in LAYERS:
        assert float((product(found.weights, layer) - product(adapter(7), layer)).abs().max()) < 1e-5


def test_a_running_mean_is_the_mean_and_a_decayed_one_follows() -> None:
    points = [{"x.lora_A.weight": torch.tensor([[float(at)]])} for at in (1, 2, 6)]
    mean = points[0]
    for count, point in enumerate(points[1:], 1):
        mean = swa(mean, point, count)
    assert float(mean["x.lora_A.weight"]) == pytest.approx(3.0)
    followed = ema(ema(points[0], points[1], 0.5), points[2], 0.5)
    assert float(followed["x.lora_A.weight"]) == pytest.approx(3.75)


def test_weights_that_are_no_pair_are_not_averaged() -> None:
    with pytest.raises(ValueError, match="no part of a LoRA pair"):
        average([{"lm_head.weight": torch.ones(2, 2)}])
