"""The API's description, and the page that shows it: with assets from a wheel, so that it works without the internet."""

from importlib.resources import files
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from services.gateway.problems import PROBLEM, Problem

DESCRIPTION = """
Lectern turns a team's shelf of PDFs into a model that has read them.

`document → extraction → cleaning → chunks → screening → dataset → run → model → deployment`

Long work answers 202 with a job to watch. Lists are paginated by cursor. Errors are RFC 9457 problem details; under
`/v1/chat/completions`, `/v1/completions` and `/v1/models` they are OpenAI's. Every request that makes something takes an
`Idempotency-Key`.
"""

TAGS = [
    {"name": "collections", "description": "Named shelves and their settings."},
    {"name": "documents", "description": "PDFs, and what they became."},
    {"name": "ledger", "description": "What became of every page, line and character, and why."},
    {"name": "garbage", "description": "Text that was set aside, and why."},
    {"name": "feedback", "description": "What people say of models' answers, and the preferences that follow from it."},
    {"name": "review", "description": "What people say of it, and the classifier that learns from them."},
    {"name": "datasets", "description": "Instruction examples made of chunks."},
    {"name": "runs", "description": "Fine-tuning and evaluation."},
    {"name": "models", "description": "Tuned models, their scores and their lineage."},
    {"name": "deployments", "description": "Models that are served."},
    {"name": "jobs", "description": "Long work to watch."},
    {"name": "openai", "description": "What OpenAI's clients speak."},
    {"name": "keys", "description": "API keys."},
    {"name": "provenance", "description": "From examples to pages, and from documents to models."},
    {"name": "forgetting", "description": "Documents that had to go, and what saw them."},
    {"name": "operations", "description": "For those who run it; open, but for the reindex."},
]

_ERRORS = {
    "401": "No valid API key.", "403": "The key's scopes do not allow this.", "404": "Nothing goes by that name.",
    "409": "It contradicts what stands, or is not ready.", "422": "The request is not valid.",
    "default": "Anything else that went wrong.",
}  # fmt: skip

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Lectern API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/docs/assets/swagger-ui.css"><link rel="icon" href="/docs/assets/favicon.png"></head>
<body><div id="swagger-ui"></div><script src="/docs/assets/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script></body></html>"""

_START = (
    'SwaggerUIBundle({url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, displayRequestDuration: true, '
    "validatorUrl: null, presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset]})"
)

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "frame-ancestors 'none'"
)


def install(app: FastAPI) -> None:
    """The description at /openapi.json and its page at /docs."""
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    app.mount("/docs/assets", StaticFiles(directory=str(files("fastapi_offline") / "static")), name="docs-assets")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _POLICY})

    @app.get("/docs/start.js", include_in_schema=False)
    async def start() -> Response:
        return Response(_START, media_type="text/javascript")


def _described(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title, version=app.version, description=DESCRIPTION, tags=TAGS, routes=app.routes,
            license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        )  # fmt: skip
        app.openapi_schema = _with_problems(schema)
    return app.openapi_schema


def _with_problems(schema: dict[str, Any]) -> dict[str, Any]:
    """Every guarded operation tells of its errors as they are, in place of FastAPI's own 422."""
    schemas = schema["components"]["schemas"]
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs"))
    schemas["Problem"] = problem
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            if path.startswith("/v1/"):
                operation["responses"].update({code: _problem(text) for code, text in _ERRORS.items()})
    return schema


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
