"""A checkpoint is whole or it is not there."""

import random
from pathlib import Path
from typing import Any

import bitsandbytes
import numpy as np
import pytest
import torch

from services.training.adapters.checkpoints import Checkpoints
from services.training.adapters.states import load_state, random_state, save_state, set_random_state
from shared.objects import ObjectStore


@pytest.fixture
def checkpoints(any_store: ObjectStore) -> Checkpoints:
    return Checkpoints(any_store, "r" * 64, kept=2)


def local(directory: Path, text: str) -> Path:
    (directory / "deep").mkdir(parents=True)
    (directory / "a.json").write_text(text)
    (directory / "deep" / "b.json").write_text(text * 2)
    return directory


def test_a_checkpoint_comes_back_as_it_was(checkpoints: Checkpoints, tmp_path: Path) -> None:
    checkpoints.commit(4, checkpoints.upload(4, local(tmp_path / "here", "four")))
    fetched = checkpoints.fetch_latest(tmp_path / "there")
    assert fetched == (4, tmp_path / "there" / "checkpoint-4")
    assert (tmp_path / "there" / "checkpoint-4" / "deep" / "b.json").read_text() == "fourfour"


def test_half_a_checkpoint_is_none(checkpoints: Checkpoints, tmp_path: Path) -> None:
    checkpoints.upload(4, local(tmp_path / "here", "four"))
    assert checkpoints.fetch_latest(tmp_path / "there") is None


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(any_store: ObjectStore, tmp_path: Path) -> None:
    checkpoints = Checkpoints(any_store, "r" * 64)
    for step in (2, 4):
        checkpoints.commit(step, checkpoints.upload(step, local(tmp_path / str(step), str(step))))
    (tmp_path / "bad").write_text("bad")
    any_store.upload(f"checkpoints/{'r' * 64}/00000004/a.json", tmp_path / "bad")
    fetched = checkpoints.fetch_latest(tmp_path / "there")
    assert fetched is not None
    assert fetched[0] == 2


def test_old_checkpoints_are_forgotten_and_in_the_end_all_are(any_store: ObjectStore, tmp_path: Path) -> None:
    checkpoints = Checkpoints(any_store, "r" * 64, kept=2)
    for step in (2, 4, 6):
        checkpoints.commit(step, checkpoints.upload(step, local(tmp_path / str(step), str(step))))
    assert checkpoints.steps() == [6, 4]
    assert not list(any_store.list(f"checkpoints/{'r' * 64}/00000002"))
    checkpoints.clear()
    assert not list(any_store.list("checkpoints"))


def test_a_checkpoint_cannot_write_outside_itself(any_store: ObjectStore, tmp_path: Path) -> None:
    checkpoints = Checkpoints(any_store, "r" * 64)
    (tmp_path / "x").write_text("x")
    any_store.upload(f"checkpoints/{'r' * 64}/x", tmp_path / "x")
    checkpoints.commit(4, {"../x": "0" * 64})
    assert checkpoints.fetch_latest(tmp_path / "there") is None
    assert not (tmp_path / "there" / "x").exists()


@pytest.mark.parametrize("optimizer", [torch.optim.AdamW, bitsandbytes.optim.AdamW8bit])
def test_an_optimizer_goes_on_as_if_it_had_never_been_saved(optimizer: Any, tmp_path: Path) -> None:
    def steps(parameter: torch.nn.Parameter, made: Any, count: int) -> None:
        for _ in range(count):
            made.zero_grad()
            parameter.square().sum().backward()
            made.step()

    torch.manual_seed(0)
    start = torch.randn(96, 64)
    undisturbed = torch.nn.Parameter(start.clone())
    steps(undisturbed, optimizer([undisturbed], lr=1e-2), 6)

    first = torch.nn.Parameter(start.clone())
    made = optimizer([first], lr=1e-2)
    steps(first, made, 3)
    save_state(tmp_path, "optimizer", made.state_dict())
    second = torch.nn.Parameter(first.detach().clone())
    made = optimizer([second], lr=1e-2)
    made.load_state_dict(load_state(tmp_path, "optimizer"))
    steps(second, made, 3)
    assert torch.equal(undisturbed, second)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".safetensors"]


def test_every_source_of_chance_goes_on_where_it_stood(tmp_path: Path) -> None:
    def drawn() -> tuple[float, float, float]:
        return random.random(), float(np.random.rand()), float(torch.rand(1))

    save_state(tmp_path, "random", random_state())
    expected = drawn()
    drawn()
    set_random_state(load_state(tmp_path, "random"))
    assert drawn() == expected
