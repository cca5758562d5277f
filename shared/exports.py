"""Exports of tuned models: asked for as an object, set going as any other work, and had only where the gate let them by."""

from shared import layout
from shared.clock import now
from shared.contracts.exports import ExportParameters, ExportWish
from shared.contracts.learning import Model
from shared.contracts.views import ExportView
from shared.contracts.work import Manifest
from shared.errors import Conflict
from shared.ids import short
from shared.indexing import index_export
from shared.objects import ObjectStore, create_contract
from shared.pipeline import EXPORT, export_key
from shared.records import Records
from shared.results import committed


class BeyondLimit(Conflict):
    """The gate found that the export is not the model that was trained."""

    code = "beyond-limit"


def wish_export(records: Records, model: Model, parameters: ExportParameters) -> ExportView:
    """Ask for a variant of a model. The same wish is the same export: what was refused before stays refused."""
    key = export_key(model, parameters)
    wish = ExportWish(key=key, model=model.id, parameters=parameters, created_at=now())
    create_contract(records.store, layout.export(short(key)), wish)
    records.jobs.start(index_export(records.store, records.catalog, short(key)))
    found = records.catalog.export(short(key))
    assert found is not None
    return found


def published(store: ObjectStore, key: str) -> Manifest | None:
    """The manifest of an export that may be had; None where there is none (yet). Raises BeyondLimit where the gate
    refused it."""
    manifest = committed(store, EXPORT.name, key)
    if manifest is None or manifest.rejected is None:
        return manifest
    if manifest.rejected.reason == BeyondLimit.code:
        raise BeyondLimit(manifest.rejected.detail)
    return None
