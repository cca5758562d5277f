"""The base model is made once; each stack gets it by links."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow.stack import Stack


@pytest.fixture(scope="session")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bases/` of an object store in which the bundled model is published."""
    root = tmp_path_factory.mktemp("bases")
    environment = {**os.environ, "LECTERN_STORE_URL": f"file://{root}/store", "LECTERN_CACHE_DIR": str(root / "cache")}
    subprocess.run([sys.executable, "-m", "services.training.publish_base"], env=environment, check=True, timeout=300)
    return root / "store" / "bases"


@pytest.fixture
def stack(tmp_path: Path, bases: Path) -> Iterator[Stack]:
    """A stack that is not up yet, and is down afterwards whatever happened."""
    stack = Stack(tmp_path / "home", bases)
    yield stack
    stack.down()
