"""Settings of the cleaning service: who may be asked to write question-answer pairs, and where corpora are sketched."""

import os
import secrets
from pathlib import Path

from pydantic import BaseModel, Field, SecretStr

from shared.settings import SharedSettings


class EndpointKey(BaseModel):
    """A key that is sent to one endpoint alone, so that a wish cannot carry it off to another."""

    url: str = Field(description="The key goes only to URLs that begin with this one.")
    key: SecretStr | None = None
    key_file: Path | None = None

    def secret(self) -> str:
        """The key itself. Raises OSError where its file cannot be read."""
        if self.key is not None:
            return self.key.get_secret_value()
        return self.key_file.read_text(encoding="utf-8").strip() if self.key_file else ""


class CleaningSettings(SharedSettings):
    """What cleaning workers reach beyond the store, the catalog and the queue."""

    gateway_url: str | None = Field(None, description="This Lectern's own OpenAI-compatible API, ending in /v1.")
    gateway_key: str = Field("lectern", description="The name of the key for it among the endpoint keys.")
    endpoint_keys: dict[str, EndpointKey] = Field({}, description='JSON: {"name": {"url": "https://…/v1", "key": "…"}}.')
    duplicates_ray_address: str | None = Field(
        None, description="Where a dataset's chunks are sketched: None in the worker itself, `local` on a Ray of its own, "
        "else the address of a Ray cluster.",
    )  # fmt: skip


def keep_ray_to_itself() -> None:
    """For a Ray of this process alone: it listens on loopback (so the variable's name notwithstanding), talks only to whoever
    knows its secret, and reports to nobody. To be called before Ray is imported."""
    os.environ.update(
        {
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0",
        }
    )  # fmt: skip
