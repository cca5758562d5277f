"""The views, in the order of the navigation."""

from types import ModuleType

from services.gateway.web import datasets, document, entry, forget, lines, models, operate, review, runs, shelf, try_it

VIEWS: tuple[ModuleType, ...] = (entry, shelf, document, forget, review, lines, datasets, runs, models, try_it, operate)
