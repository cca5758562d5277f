"""Tunings on the page Operate: the latest of each deployment, and the way to ask for one."""

from collections.abc import Iterator
from itertools import islice

from fastapi import Response
from pydantic import ValidationError

from services.gateway.parts import Parts, PartsOf
from services.gateway.problems import in_words
from services.gateway.trials.wishes import ask_tuning, tunings_of
from services.gateway.web.entry import ByReviewer
from services.gateway.web.pages import back, router
from shared.contracts.tunings import TuningParameters, TuningView
from shared.errors import InvalidInput

routes = router()


def latest_tunings(parts: Parts) -> Iterator[TuningView]:
    """Of each deployment that was ever tuned the one asked for last."""
    for view in parts.catalog.deployments():
        yield from islice(tunings_of(parts, view.name), 1)


@routes.post("/operate/tunings")
def tune(parts: PartsOf, posted: ByReviewer) -> Response:
    asked = {"concurrency": posted.get("concurrency")} if posted.get("concurrency") else {}
    try:
        parameters = TuningParameters.model_validate(asked)
    except ValidationError as error:
        raise InvalidInput(f"It cannot be tuned so: {in_words(error.errors())}. Go back and change it.") from None
    ask_tuning(parts, posted.get("deployment"), parameters)
    return back("/operate")
