"""What the command takes from its environment. The only module of the command that reads it."""

import os
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from shared.settings import LecternSettings


class CliSettings(LecternSettings):
    """Variables named `LECTERN_<FIELD>`; options on the command line come before them."""

    model_config = SettingsConfigDict(env_prefix="LECTERN_", frozen=True, extra="ignore", env_ignore_empty=True)

    server: str | None = Field(None, description="URL of the gateway; without one, the local home's.")
    key: SecretStr | None = Field(None, description="API key; without one, the local home's, for the local home's server.")
    home: Path = Field(Path("~/.lectern"), description="Where `lectern up` keeps everything.")
    vllm_command: Path | None = Field(None, description="The vllm executable, of an environment of its own.")
    llama_python: Path | None = Field(None, description="The interpreter of llama.cpp's environment, with xllamacpp.")
    compressor_python: Path | None = Field(None, description="The interpreter of llm-compressor's environment.")


def inherited_environment() -> dict[str, str]:
    """The environment of this process, for the processes that the launcher starts."""
    return dict(os.environ)
