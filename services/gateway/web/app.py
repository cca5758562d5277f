"""The views, in the order of the navigation."""

from types import ModuleType

from services.gateway.web import datasets, document, entry, forget, lines, operate, review, runs, shelf, try_it

VIEWS: tuple[ModuleType, ...] = (entry, shelf, document, forget, review, lines, datasets, runs, try_it, operate)
