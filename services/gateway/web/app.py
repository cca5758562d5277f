"""The views, in the order of the navigation."""

from types import ModuleType

from services.gateway.web import datasets, document, entry, forget, operate, review, runs, shelf, try_it

VIEWS: tuple[ModuleType, ...] = (entry, shelf, document, forget, review, datasets, runs, try_it, operate)
