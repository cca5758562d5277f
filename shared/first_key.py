"""`python -m shared.first_key`: make the first API key, an administrator's, and print it; later ones come from the API."""

from shared.api_keys import ApiKeys
from shared.catalog.database import open_database
from shared.catalog.sql import SqlCatalog
from shared.objects import open_store
from shared.settings import SharedSettings

if __name__ == "__main__":
    settings = SharedSettings()
    keys = ApiKeys(open_store(settings), SqlCatalog(open_database(settings.catalog_url)))
    _, secret = keys.create("first", ("read", "write", "admin"))
    print(secret)
