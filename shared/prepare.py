"""`python -m shared.prepare`: make the bucket and bring the catalog's schema up to date, before the services start."""

from shared.buckets import ensure_bucket
from shared.catalog.database import migrate
from shared.settings import SharedSettings

if __name__ == "__main__":
    settings = SharedSettings()
    ensure_bucket(settings)
    migrate(settings.catalog_url)
