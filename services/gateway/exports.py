"""An export as its readers see it: its job, its files, and what its model must not be said to have forgotten."""

from services.gateway.parts import Parts
from services.gateway.retention import model_of
from services.gateway.routes.models import marked
from shared.contracts.views import ExportView
from shared.contracts.work import Manifest
from shared.errors import NotFound, NotReady
from shared.exports import published
from shared.pipeline import EXPORT
from shared.results import committed


def export_of(parts: Parts, model: str, export: str) -> ExportView:
    """Raises NotFound, also where it is another model's."""
    found = parts.catalog.export(export)
    if found is None or found.wish.model != model_of(parts, model).id:
        raise NotFound(f"Model {model!r} has no export {export!r}.")
    return told(parts, found)


def told(parts: Parts, view: ExportView) -> ExportView:
    """With its files, and the forgotten documents that its model and its model's dataset saw."""
    manifest = committed(parts.store, EXPORT.name, view.wish.key) if view.state == "done" else None
    files = {name: file.size_bytes for name, file in sorted(manifest.files.items())} if manifest else {}
    model = parts.catalog.model(view.wish.model)
    return view.model_copy(update={"files": files, "saw_forgotten": marked(parts, [model])[0].saw_forgotten if model else ()})


def whole(parts: Parts, view: ExportView) -> Manifest:
    """The manifest of an export that was published. Raises BeyondLimit, NotReady."""
    manifest = published(parts.store, view.wish.key)
    if manifest is None:
        raise NotReady(f"Export {view.id} is {view.state}; ask again when it is done. {view.detail or ''}".strip())
    return manifest
