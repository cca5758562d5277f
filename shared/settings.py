"""Settings that every service shares. Only settings modules read the environment; entry points build them once."""

from pathlib import Path

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class LecternSettings(BaseSettings):
    """The base: environment variables named `LECTERN_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="LECTERN_", frozen=True, extra="ignore")


class StoreSettings(LecternSettings):
    """Where objects live."""

    store_url: str = Field("file:///var/lib/lectern/store", description="`file:///directory` or `s3://bucket/prefix`.")
    s3_endpoint: str | None = Field(None, description="URL of an S3-compatible server; None for AWS.")
    s3_region: str = "us-east-1"
    s3_access_key: str | None = None
    s3_secret_key: SecretStr | None = None

    @model_validator(mode="after")
    def _known_scheme(self) -> "StoreSettings":
        if not self.store_url.startswith(("file:///", "s3://")):
            raise ValueError("LECTERN_STORE_URL must begin with file:/// or s3://")
        return self


class EngineSettings(LecternSettings):
    """What whoever asks an engine needs besides its address: the gateway, and serving itself."""

    engine_api_key: SecretStr | None = Field(
        None, description="What engines demand of whoever asks them. None where they listen on loopback alone."
    )

    def engine_headers(self) -> dict[str, str]:
        """What goes with every request to an engine."""
        key = self.engine_api_key.get_secret_value() if self.engine_api_key else ""
        return {"Authorization": f"Bearer {key}"} if key else {}


class KubernetesSettings(LecternSettings):
    """Where those who make objects of Kubernetes reach it. Inside a pod both are as they stand here."""

    kubernetes_url: str = Field("https://kubernetes.default.svc", description="The API server.")
    kubernetes_account_dir: Path = Field(
        Path("/var/run/secrets/kubernetes.io/serviceaccount"), description="Where the pod's token, namespace and CA lie."
    )


class SharedSettings(StoreSettings):
    """What every service needs to find the others' parts."""

    catalog_url: str = Field("sqlite:////var/lib/lectern/catalog.db", description="SQLAlchemy URL: SQLite or Postgres.")
    queue_url: str = Field("redis://127.0.0.1:6379/0", description="Redis or Valkey.")
    cache_dir: Path = Field(Path("/var/cache/lectern"), description="Base models are kept here between jobs.")
    log_level: str = "INFO"
    log_json: bool = True
    otlp_endpoint: str | None = Field(
        None, pattern=r"^https?://\S+$",
        description="Base URL of an OpenTelemetry collector that takes OTLP over HTTP, such as http://collector:4318. None: "
        "spans are told to nobody.",
    )  # fmt: skip

    visibility_timeout_seconds: int = Field(60, description="A message whose worker died comes back after this.")
    heartbeat_seconds: float = Field(5.0, gt=0, description="Time between two signs of life of each process.")
    lease_seconds: int = Field(30, description="A lease not renewed for this long is free.")
    max_attempts: int = Field(5, description="After so many failed attempts the work is a dead letter.")
    retry_base_seconds: float = Field(2.0, description="First back-off; doubles with each attempt.")

    @field_validator("otlp_endpoint", mode="before")
    @classmethod
    def _none_where_empty(cls, told: object) -> object:
        """As a line of `.env` whose value was taken away has it."""
        return told or None
