"""The views, in the order of the navigation."""

from types import ModuleType

from services.gateway.web import (
    datasets,
    document,
    entry,
    forget,
    lines,
    models,
    operate,
    review,
    runs,
    shelf,
    single_sign_on,
    try_it,
)

VIEWS: tuple[ModuleType, ...] = (
    entry,
    single_sign_on,
    shelf,
    document,
    forget,
    review,
    lines,
    datasets,
    runs,
    models,
    try_it,
    operate,
)
