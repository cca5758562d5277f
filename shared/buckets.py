"""Buckets are administered with MinIO's SDK; everything else about objects goes through `shared.objects`."""

from urllib.parse import urlsplit

from minio import Minio
from minio.error import S3Error

from shared.settings import StoreSettings


def ensure_bucket(settings: StoreSettings) -> None:
    """Make the bucket that the settings name, unless it is there; a directory store needs none."""
    if not settings.store_url.startswith("s3://") or settings.s3_endpoint is None:
        return
    bucket, _ = place_of(settings)
    client = open_client(settings)
    try:
        if not client.bucket_exists(bucket):
            client.make_bucket(bucket)
    except S3Error as error:
        if error.code not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
            raise


def place_of(settings: StoreSettings) -> tuple[str, str]:
    """Bucket and prefix."""
    bucket, _, prefix = settings.store_url.removeprefix("s3://").partition("/")
    return bucket, prefix.strip("/")


def open_client(settings: StoreSettings) -> Minio:
    endpoint = urlsplit(settings.s3_endpoint or f"https://s3.{settings.s3_region}.amazonaws.com")
    return Minio(
        endpoint.netloc,
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key.get_secret_value() if settings.s3_secret_key else None,
        region=settings.s3_region,
        secure=endpoint.scheme == "https",
    )
