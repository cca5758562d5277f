"""Buckets are administered with MinIO's SDK; everything else about objects goes through `shared.objects`."""

from urllib.parse import urlsplit

from minio import Minio
from minio.error import S3Error

from shared.settings import StoreSettings


def ensure_bucket(settings: StoreSettings) -> None:
    """Make the bucket that the settings name, unless it is there; a directory store needs none."""
    if not settings.store_url.startswith("s3://") or settings.s3_endpoint is None:
        return
    bucket = settings.store_url.removeprefix("s3://").partition("/")[0]
    endpoint = urlsplit(settings.s3_endpoint)
    client = Minio(
        endpoint.netloc,
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key.get_secret_value() if settings.s3_secret_key else None,
        region=settings.s3_region,
        secure=endpoint.scheme == "https",
    )
    try:
        if not client.bucket_exists(bucket):
            client.make_bucket(bucket)
    except S3Error as error:
        if error.code not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
            raise
