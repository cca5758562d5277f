"""How llama.cpp is started, and what is said where it cannot be."""

import sys
from pathlib import Path

import pytest

from services.serving.adapters.launching import check_possible, launch
from services.serving.settings import ServingSettings
from services.serving.stages.identity import EngineIdentity
from services.serving.stages.plan import EngineSpec
from shared.contracts.engines import EngineArguments, NgramSpeculation
from shared.errors import InvalidInput, Unsupported

GGUF = EngineIdentity(base="tiny", variant="gguf-q8_0", export="a" * 64)


def settings(tmp_path: Path, python: Path | None = Path(sys.executable)) -> ServingSettings:
    return ServingSettings(llama_python=python, cache_dir=tmp_path, vllm_command=tmp_path / "nowhere", llama_slots=3)


def test_a_gguf_is_served_by_llama_cpp_on_this_machine_alone(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    made = launch(settings(tmp_path), EngineSpec(GGUF, 1_024, 0), tmp_path, {}, 4_711)
    told = dict(zip(made.command[2::2], made.command[3::2], strict=True))
    assert (told["--host"], told["--port"], made.endpoint) == ("127.0.0.1", "4711", "http://127.0.0.1:4711")
    assert (told["--model"], told["--name"]) == (str(tmp_path / "m.gguf"), f"export:{'a' * 16}")
    assert (told["--context"], told["--slots"]) == ("1024", "3")


def test_a_deployment_says_how_many_answers_llama_cpp_gives_at_once(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    asked = GGUF.model_copy(update={"arguments": EngineArguments(max_concurrent_requests=2)})
    made = launch(settings(tmp_path), EngineSpec(asked, 1_024, 0), tmp_path, {}, 4_711)
    assert made.command[made.command.index("--slots") + 1] == "2"


@pytest.mark.parametrize("python", [None, Path("/nowhere/python")])
def test_where_llama_cpp_is_missing_it_is_told_what_installs_it(tmp_path: Path, python: Path | None) -> None:
    with pytest.raises(Unsupported, match="make llama"):
        check_possible(settings(tmp_path, python), GGUF)


@pytest.mark.parametrize(
    "asked",
    [
        {"speculation": NgramSpeculation()},
        {"arguments": EngineArguments(dtype="float32")},
        {"arguments": EngineArguments(prefix_caching=True)},
    ],
)
def test_what_is_vllms_alone_is_refused_before_any_work(tmp_path: Path, asked: dict[str, object]) -> None:
    with pytest.raises(Unsupported, match=r"llama\.cpp"):
        check_possible(settings(tmp_path), GGUF.model_copy(update=asked))


def test_a_directory_without_one_gguf_is_no_export(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="0 GGUFs"):
        launch(settings(tmp_path), EngineSpec(GGUF, 1_024, 0), tmp_path, {}, 4_711)


def test_where_vllm_cannot_run_llama_cpp_is_named_as_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match=r"make llama.*--variant gguf-q8_0"):
        check_possible(settings(tmp_path), EngineIdentity(base="tiny"))
