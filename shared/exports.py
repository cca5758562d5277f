"""Asking for an export of a tuned model: written down as an object, then set going as any other work."""

from shared import layout
from shared.clock import now
from shared.contracts.exports import ExportParameters, ExportWish
from shared.contracts.learning import Model
from shared.contracts.views import ExportView
from shared.ids import short
from shared.indexing import index_export
from shared.objects import create_contract
from shared.pipeline import export_key
from shared.records import Records


def wish_export(records: Records, model: Model, parameters: ExportParameters) -> ExportView:
    """Ask for a variant of a model. The same wish is the same export: what was refused before stays refused."""
    key = export_key(model, parameters)
    wish = ExportWish(key=key, model=model.id, parameters=parameters, created_at=now())
    create_contract(records.store, layout.export(short(key)), wish)
    records.start(index_export(records.store, records.catalog, short(key)))
    found = records.catalog.export(short(key))
    assert found is not None
    return found
