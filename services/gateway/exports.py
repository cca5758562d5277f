"""An export as its readers see it: its job, its files, and what its model must not be said to have forgotten."""

from services.gateway.parts import Parts
from services.gateway.retention import model_of
from services.gateway.routes.models import marked
from shared.catalog.protocol import Slice
from shared.contracts.engines import ServedVariant
from shared.contracts.learning import Model
from shared.contracts.views import ExportView
from shared.contracts.work import Manifest
from shared.errors import InvalidInput, NotFound, NotReady
from shared.exports import BeyondLimit, published
from shared.pipeline import EXPORT
from shared.results import committed

_EXPORTS = 200
"""Of a model, newest first, among which one to serve is looked for."""


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


def export_to_serve(parts: Parts, model: Model | None, variant: ServedVariant) -> str:
    """The key of a model's newest published export of a variant. Where there is none: BeyondLimit if the gate refused the last
    one, NotReady if it is being made or failed, NotFound if nobody asked for one. Raises InvalidInput for a base alone."""
    if model is None:
        raise InvalidInput(f"A base alone is served as it is: name a tuned model to serve as {variant}, or no variant.")
    exports = [one for one in parts.catalog.exports(model.id, Slice(_EXPORTS)) if one.wish.parameters.variant == variant]
    served = next((one for one in exports if one.state == "done"), None)
    if served is not None:
        whole(parts, served)
        return served.wish.key
    ask = f"`lectern export {model.id} --variant {variant} --wait`"
    if not exports:
        raise NotFound(f"Model {model.id} has no export {variant}: make it with {ask}, then deploy it.")
    last = exports[0]
    if last.code == BeyondLimit.code:
        raise BeyondLimit(f"The gate refused {variant} of {model.id}, so it is not served. {last.detail or ''}".strip())
    raise NotReady(f"Export {variant} of {model.id} is {last.state}: {ask} waits for it. {last.detail or ''}".strip())
