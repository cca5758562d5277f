"""What was made of a document, as lines; and which shelf a document is meant to be on."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cli.api import Api
from cli.outcome import Exit, Failure
from cli.text import segment


def json_lines(api: Api, path: str, **query: str) -> list[dict[str, Any]]:
    """The values of a JSON Lines download. Raises Refused."""
    blocks: list[bytes] = []
    api.download(path, blocks.append, **query)
    # Split at line feeds alone: text may hold U+2028 and its like unescaped.
    return [json.loads(line) for line in b"".join(blocks).split(b"\n") if line.strip()]


def shelf_of(api: Api, document: str, collection: str | None) -> tuple[str, str]:
    """The collection and full id of a document given by (the beginning of) its id. Raises Failure where that is not one."""
    shelves = api.get(f"/v1/documents/{segment(document)}")["items"]
    fitting = [each for each in shelves if collection in (None, each["collection"])]
    if not fitting:
        raise Failure(f"Document {document} is on no shelf {collection!r}.", Exit.NOT_FOUND, "not-found")
    if len(fitting) > 1:
        names = ", ".join(each["collection"] for each in fitting)
        raise Failure(
            f"Document {document} is in several collections ({names}); choose with --collection.", Exit.USAGE, "ambiguous"
        )
    return fitting[0]["collection"], fitting[0]["id"]


def with_stages(api: Api, documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same documents, each asked for alone: so with what every stage made of it."""

    def ask(document: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = api.get(
            f"/v1/collections/{segment(document['collection'])}/documents/{segment(document['id'])}"
        )
        return found

    with ThreadPoolExecutor(8, thread_name_prefix="documents") as pool:
        return list(pool.map(ask, documents))


def stage_of(document: dict[str, Any], stage: str) -> dict[str, Any]:
    """What a stage said of itself, and `{}` where it is not done."""
    return next((dict(each["result"]) for each in document["stages"] if each["stage"] == stage and each["state"] == "done"), {})
