"""Which models a tuned model came from, and which came from it, by the catalog."""

from collections.abc import Iterable, Iterator, Mapping

from shared.catalog.protocol import Catalog, Slice
from shared.contracts.learning import Model
from shared.contracts.views import RunView

A_LOOK = 200


def ancestors(catalog: Catalog, model: Model) -> tuple[Model, ...]:
    """The models that it came from, the nearest first."""
    found: list[Model] = []
    child = model
    while child.parent is not None and (parent := catalog.model(child.parent)) is not None:
        found.append(parent)
        child = parent
    return tuple(found)


def datasets_behind(catalog: Catalog, model: Model) -> tuple[str, ...]:
    """Ids of the datasets that it and the models before it were tuned on, its own first, each once."""
    return tuple(dict.fromkeys(one.dataset for one in (model, *ancestors(catalog, model))))


def taught_by(catalog: Catalog, dataset: str) -> tuple[str, ...]:
    """Models that were tuned on a dataset, and those that came from them, the newest first."""
    models = list(all_models(catalog))
    by_id = {one.id: one for one in models}
    return tuple(one.id for one in models if any(each.dataset == dataset for each in _line(one, by_id)))


def _line(model: Model, by_id: Mapping[str, Model]) -> Iterable[Model]:
    found: Model | None = model
    while found is not None:
        yield found
        found = by_id.get(found.parent or "")


def all_models(catalog: Catalog) -> Iterator[Model]:
    """Newest first."""
    before = None
    while models := catalog.models(Slice(A_LOOK, before)):
        yield from models
        before = (models[-1].created_at, models[-1].id)


def all_runs(catalog: Catalog) -> Iterator[RunView]:
    """Newest first."""
    before = None
    while runs := catalog.runs(Slice(A_LOOK, before)):
        yield from runs
        before = (runs[-1].wish.created_at, runs[-1].id)
