"""`python -m shared.first_key`: make the first API key, an administrator's, and print it; later ones come from the API."""

from shared.catalog.database import open_database
from shared.catalog.sql import SqlCatalog
from shared.objects import open_store
from shared.queue import open_queue
from shared.records import Records
from shared.settings import SharedSettings

if __name__ == "__main__":
    settings = SharedSettings()
    records = Records(open_store(settings), SqlCatalog(open_database(settings.catalog_url)), open_queue(settings))
    _, secret = records.create_key("first", ("read", "write", "admin"))
    print(secret)
