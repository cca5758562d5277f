"""Settings of backups: environment variables named `LECTERN_<FIELD>`."""

from pydantic import Field, SecretStr

from shared.settings import SharedSettings


class BackupSettings(SharedSettings):
    """A place of backups in S3 may be another server's; what is left out is as the store itself has it."""

    backup_s3_endpoint: str | None = Field(None, description="URL of the S3 server that keeps the backups.")
    backup_s3_region: str | None = None
    backup_s3_access_key: str | None = None
    backup_s3_secret_key: SecretStr | None = None
