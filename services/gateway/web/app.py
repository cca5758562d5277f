"""The views, in the order of the navigation."""

from types import ModuleType

from services.gateway.web import (
    canaries,
    datasets,
    document,
    entry,
    exports,
    forget,
    lines,
    models,
    operate,
    preferences,
    review,
    runs,
    shelf,
    single_sign_on,
    try_it,
    tunings,
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
    preferences,
    runs,
    models,
    exports,
    try_it,
    operate,
    canaries,
    tunings,
)
