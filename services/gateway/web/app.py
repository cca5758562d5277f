"""The views, in the order of the navigation."""

from types import ModuleType

from services.gateway.web import document, entry, shelf

VIEWS: tuple[ModuleType, ...] = (entry, shelf, document)
