"""How vLLM is started, and what is said where it cannot be."""

import json
from pathlib import Path

import pytest

from services.serving.adapters.commands import free_port
from services.serving.adapters.launching import check_possible, launch
from services.serving.adapters.vllm_command import check_cpu
from services.serving.settings import ServingSettings, engine_environment
from services.serving.stages.identity import EngineIdentity
from services.serving.stages.plan import EngineSpec
from shared.contracts.engines import DraftSpeculation, EngineArguments, NgramSpeculation
from shared.errors import Unsupported

TINY = EngineIdentity(base="tiny")
SPEC = EngineSpec(TINY, 2_048, 16)


@pytest.fixture
def vllm(tmp_path: Path) -> Path:
    command = tmp_path / "vllm"
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    return command


def test_an_engine_listens_on_this_machine_alone(vllm: Path, tmp_path: Path) -> None:
    settings = ServingSettings(vllm_command=vllm, engine_device="gpu", cache_dir=tmp_path)
    made = launch(settings, SPEC, tmp_path, {}, 4_711)
    assert made.command[made.command.index("--host") + 1] == "127.0.0.1"
    assert made.endpoint == "http://127.0.0.1:4711"


def test_an_export_is_started_without_adapters_under_its_own_name(vllm: Path, tmp_path: Path) -> None:
    settings = ServingSettings(vllm_command=vllm, engine_device="gpu", cache_dir=tmp_path)
    merged = EngineIdentity(base="tiny", variant="merged", export="a" * 64)
    made = launch(settings, EngineSpec(merged, 2_048, 0), tmp_path, {}, 4_711)
    assert made.command[made.command.index("--served-model-name") + 1] == f"export:{'a' * 16}"
    assert "--enable-lora" not in made.command
    assert "--enable-lora" in launch(settings, SPEC, tmp_path, {}, 4_711).command


def test_what_a_deployment_asks_of_its_engine_stands_over_the_settings(vllm: Path, tmp_path: Path) -> None:
    settings = ServingSettings(vllm_command=vllm, engine_device="cpu", cache_dir=tmp_path, max_concurrent_requests=64)
    asked = EngineArguments(dtype="float32", max_concurrent_requests=8, prefix_caching=False)
    identity = EngineIdentity(base="tiny", arguments=asked)
    given = launch(settings, EngineSpec(identity, 2_048, 16), tmp_path, {}, 4_711).command
    assert given[given.index("--dtype") + 1] == "float32" and given[given.index("--max-num-seqs") + 1] == "8"
    assert "--no-enable-prefix-caching" in given
    plain = launch(settings, SPEC, tmp_path, {}, 4_711).command
    assert plain[plain.index("--dtype") + 1] == "bfloat16" and plain[plain.index("--max-num-seqs") + 1] == "64"
    assert not [one for one in plain if "prefix-caching" in one]


def test_speculation_is_spelled_as_vllm_takes_it(vllm: Path, tmp_path: Path) -> None:
    settings = ServingSettings(vllm_command=vllm, engine_device="gpu", cache_dir=tmp_path)

    def told(asked: NgramSpeculation | DraftSpeculation | None) -> object:
        identity = EngineIdentity(base="tiny", speculation=asked)
        given = launch(settings, EngineSpec(identity, 2_048, 16), tmp_path, {}, 4_711, tmp_path / "draft").command
        return json.loads(given[given.index("--speculative-config") + 1]) if "--speculative-config" in given else None

    assert told(None) is None
    assert told(NgramSpeculation(tokens=5)) == {
        "method": "ngram", "num_speculative_tokens": 5, "prompt_lookup_max": 4, "prompt_lookup_min": 2
    }  # fmt: skip
    draft = str(tmp_path / "draft")
    assert told(DraftSpeculation(model="small")) == {"method": "draft_model", "num_speculative_tokens": 3, "model": draft}


def test_an_engine_sees_no_setting_of_lectern(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LECTERN_S3_SECRET_KEY", "hush")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    monkeypatch.setenv("VLLM_LOGGING_LEVEL", "DEBUG")
    seen = engine_environment()
    assert "hush" not in seen.values() and seen["VLLM_LOGGING_LEVEL"] == "DEBUG"


def test_a_missing_vllm_is_told_with_what_installs_it(tmp_path: Path) -> None:
    settings = ServingSettings(vllm_command=tmp_path / "nowhere", engine_device="gpu", cache_dir=tmp_path)
    with pytest.raises(Unsupported, match="install_vllm"):
        launch(settings, SPEC, tmp_path, {}, 4_711)


def test_a_processor_that_vllm_has_no_build_for_is_told_what_to_do() -> None:
    with pytest.raises(Unsupported, match="AVX2"):
        check_cpu("processor : 0\nflags\t\t: fpu sse2 avx\n")
    check_cpu("processor : 0\nflags\t\t: fpu sse2 avx avx2\n")
    check_cpu("processor : 0\nflags\t\t: fpu avx2 avx512f avx512bw\n")
    check_cpu("processor : 0\nFeatures : asimd\n")


def test_a_mac_is_told_before_anything_is_looked_for(vllm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = ServingSettings(vllm_command=vllm, engine_device="gpu", cache_dir=tmp_path)
    check_possible(settings, TINY)
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(Unsupported, match="Linux"):
        check_possible(settings, TINY)


def test_free_ports_are_free() -> None:
    assert 1_024 < free_port() < 65_536
