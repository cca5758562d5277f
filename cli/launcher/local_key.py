"""The local API key: made the first time that a home comes up, and known to its catalog ever after."""

import hashlib
from typing import TYPE_CHECKING

from cli.home import write_private
from cli.launcher.plan import Launch

if TYPE_CHECKING:
    from shared.catalog.protocol import Catalog


def ensure_key(launch: Launch) -> str:
    """The home's key, in its file and in its store. A key file that the store does not know is made known again."""
    from shared.catalog.database import open_database
    from shared.catalog.sql import SqlCatalog
    from shared.objects import open_store
    from shared.queue import open_queue
    from shared.records import Records
    from shared.settings import SharedSettings

    settings = SharedSettings(
        store_url=launch.settings["store_url"], catalog_url=launch.settings["catalog_url"], queue_url=launch.queue_url
    )
    engine = open_database(settings.catalog_url)
    try:
        records = Records(open_store(settings), SqlCatalog(engine), open_queue(settings))
        standing = launch.home.key()
        if standing and _known(records.catalog, standing):
            return standing
        _key, secret = records.create_key("local", ("read", "write", "admin"), secret=standing)
    finally:
        engine.dispose()
    write_private(launch.home.key_file, secret + "\n")
    return secret


def _known(catalog: "Catalog", secret: str) -> bool:
    key = catalog.key_by_secret(hashlib.sha256(secret.encode()).hexdigest())
    return key is not None and key.revoked_at is None
