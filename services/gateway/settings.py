"""The gateway's settings: environment variables named `LECTERN_<FIELD>`."""

from pydantic import Field

from services.gateway.oidc.settings import OidcSettings
from shared.settings import EngineSettings


class GatewaySettings(OidcSettings, EngineSettings):
    """Where it listens, how much it takes in, how often it looks."""

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65_535)
    max_upload_bytes: int = Field(2 << 30, ge=1, description="Largest body of an upload, all of its files together.")
    max_request_bytes: int = Field(4 << 20, ge=1, description="Largest body of any other request.")
    default_base: str = Field("smollm2-135m-instruct", description="Base model where a request names none.")
    max_forgetting: float = Field(
        0.1, ge=0, description="Greatest rise of loss on any held-out set, in nats, that a promoted model may show."
    )
    recovery_seconds: float = Field(5.0, gt=0, description="Time between two sweeps for work that nobody is at.")
    retrain_labels: int = Field(50, ge=1, description="So many new labels make a new version of the garbage classifier.")
    retrain_seconds: float = Field(0.0, ge=0, description="And after so long, where there are new labels; 0: by labels alone.")
    review_seconds: float = Field(10.0, gt=0, description="Time between two looks for labels to learn from.")
    tidy_hours: float = Field(24.0, gt=0, description="Time between two tidyings of the store.")
    tidy_age_hours: float = Field(24.0, gt=0, description="A tidying leaves alone what is younger than this.")
    event_poll_seconds: float = Field(0.5, gt=0, description="Time between two looks for new events of a watched job.")
    engine_seconds: float = Field(600.0, gt=0, description="Longest silence of an engine before a request is given up.")
    evidence_indexes: int = Field(
        4, ge=1, description="Datasets whose search index is kept, on disk and a little of it in memory."
    )
    cookies_secure: bool = Field(False, description="Browsers reach the gateway by HTTPS, though it is spoken to by HTTP.")
    page_pictures: int = Field(500, ge=1, description="Pictures of pages kept under `cache_dir`, the latest seen.")
    leaves_kept: int = Field(128, ge=1, description="Results of documents whose pages are known by place.")
    evidence_max_bytes: int = Field(2 << 30, ge=1, description="A dataset with more chunk text than this is not indexed.")
