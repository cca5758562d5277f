"""The local API key: made the first time that a home comes up, and known to its catalog ever after."""

import hashlib
from typing import TYPE_CHECKING

from cli.home import write_private
from cli.launcher.plan import Launch

if TYPE_CHECKING:
    from shared.catalog.protocol import Catalog
    from shared.contracts.keys import ApiKey


def ensure_key(launch: Launch) -> str:
    """The home's key, in its file and in its store. A catalog that was lost learns of the store's keys again; a key file
    that the store does not know is made known; a revoked key is replaced."""
    from shared.api_keys import ApiKeys
    from shared.catalog.database import open_database
    from shared.catalog.sql import SqlCatalog
    from shared.objects import open_store
    from shared.reindex import index_keys
    from shared.settings import SharedSettings

    settings = SharedSettings(store_url=launch.settings["store_url"], catalog_url=launch.settings["catalog_url"])
    engine = open_database(settings.catalog_url)
    try:
        keys = ApiKeys(open_store(settings), SqlCatalog(engine))
        standing = launch.home.key()
        if standing and _found(keys.catalog, standing) is None:
            index_keys(keys.store, keys.catalog)
        known = _found(keys.catalog, standing) if standing else None
        if standing and known is not None and known.revoked_at is None:
            return standing
        _key, secret = keys.create("local", ("read", "write", "admin"), secret=None if known else standing)
    finally:
        engine.dispose()
    write_private(launch.home.key_file, secret + "\n")
    return secret


def _found(catalog: "Catalog", secret: str) -> "ApiKey | None":
    return catalog.key_by_secret(hashlib.sha256(secret.encode()).hexdigest())
