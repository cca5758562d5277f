"""How large a page is, for the boxes that are drawn over its picture."""

import json

from services.gateway.leaves import Leaves, of_number
from services.gateway.parts import Parts
from services.gateway.shelves import collection_of, stage_key
from shared.results import committed


def page_size(parts: Parts, leaves: Leaves, collection: str, document: str, number: int) -> tuple[float, float]:
    """Width and height in points, as the page map has them; zeros where there is none."""
    parameters = collection_of(parts.catalog, collection).parameters
    manifest = committed(parts.store, "extraction", stage_key("extraction", document, parameters))
    if manifest is None or "pages.jsonl" not in manifest.files:
        return 0.0, 0.0
    for line in leaves.lines(manifest.files["pages.jsonl"], number, of_number, 1):
        leaf = json.loads(line)
        return float(leaf["width"]), float(leaf["height"])
    return 0.0, 0.0
