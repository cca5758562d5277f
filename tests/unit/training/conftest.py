"""The tiny base model, made once a session."""

from pathlib import Path

import pytest
import torch

from tests.unit.training.world import make_base

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("tiny") / "base")
