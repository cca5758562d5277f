"""Where the tests find vLLM."""

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).parents[2]


class EngineTestSettings(BaseSettings):
    """`LECTERN_TEST_VLLM_COMMAND` and `LECTERN_TEST_LLAMA_PYTHON` name others than those that `make` installs."""

    model_config = SettingsConfigDict(env_prefix="LECTERN_TEST_")

    vllm_command: Path = ROOT / ".venv-vllm" / "bin" / "vllm"
    llama_python: Path = ROOT / ".venv-llama" / "bin" / "python"
