"""A model's exports on its run's page: asked for there, and each told with what the gate found."""

from typing import Annotated

from fastapi import Path, Response
from pydantic import ValidationError

from services.gateway.parts import PartsOf
from services.gateway.retention import model_of
from services.gateway.web.entry import ByReviewer
from services.gateway.web.pages import back, router
from shared.contracts.exports import ExportParameters
from shared.errors import InvalidInput
from shared.exports import wish_export

routes = router()


@routes.post("/models/{model}/exports")
def export(parts: PartsOf, posted: ByReviewer, model: Annotated[str, Path(max_length=200)]) -> Response:
    found = model_of(parts, model)
    try:
        asked = ExportParameters.model_validate({"variant": posted.get("variant")})
    except ValidationError as error:
        raise InvalidInput("There is no such variant; go back and choose one of the list.") from error
    wish_export(parts.records, found, asked)
    return back(f"/runs/{found.run}")
