"""Where the tests find vLLM."""

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).parents[2]


class EngineTestSettings(BaseSettings):
    """`LECTERN_TEST_VLLM_COMMAND` names another vLLM than the one that `make` installs."""

    model_config = SettingsConfigDict(env_prefix="LECTERN_TEST_")

    vllm_command: Path = ROOT / ".venv-vllm" / "bin" / "vllm"
