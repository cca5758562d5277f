"""How well a tagger of lines does on labelled pages."""

from collections.abc import Iterable

from services.cleaning.labelled import flat_labels
from services.cleaning.stages.habits import habits
from services.cleaning.stages.scores import Count
from services.cleaning.stages.tagging import LineModel, tagged
from shared.contracts.documents import CleaningParameters, LabelledPage


def measured(model: LineModel | None, documents: Iterable[list[LabelledPage]]) -> Count:
    """Counts right and wrong labels; `None` are the rules. Documents are labelled as cleaning does it."""
    parameters, count = CleaningParameters(), Count()
    for document in documents:
        pages = [one.page for one in document]
        known = habits(pages, parameters)
        for page, one in zip(tagged(pages, known, parameters.margin_share, model), document, strict=True):
            count.add([tag.label for own in page.tags for tag in own], flat_labels(one))
    return count
