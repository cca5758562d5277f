"""One base model, one adapter and one running deployment a session: an engine takes half a minute to start."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.serving.adapters.vllm_command import check_cpu
from shared.errors import Unsupported
from tests.engine.models import write_adapter, write_base
from tests.engine.serving import Serving
from tests.engine.settings import EngineTestSettings


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    try:
        check_cpu(Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    except Unsupported as error:
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=error.message))


@pytest.fixture(scope="session")
def vllm() -> Path:
    command = EngineTestSettings().vllm_command
    assert command.exists(), f"there is no {command}: run scripts/install_vllm.sh {command.parents[1].name}"
    return command


@pytest.fixture(scope="session")
def llama() -> Path:
    python = EngineTestSettings().llama_python
    assert python.exists(), f"there is no {python}: run `make llama`"
    return python


@pytest.fixture(scope="session")
def base_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("base")
    write_base(directory)
    return directory


@pytest.fixture(scope="session")
def adapter_directory(base_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("adapter")
    write_adapter(base_directory, directory, seed=1)
    return directory


@pytest.fixture(scope="session")
def serving(
    vllm: Path, base_directory: Path, adapter_directory: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    """A controller with a base and an adapter deployed: `base` and `tuned`."""
    running = Serving(tmp_path_factory.mktemp("home"), vllm)
    running.publish_base(base_directory)
    model = running.publish_adapter("shelf", adapter_directory)
    running.wish("base", None)
    running.wish("tuned", model.id)
    running.start()
    try:
        yield running
    finally:
        if running.controller is not None and running.controller.poll() is None:
            running.end()
