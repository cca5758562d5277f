"""Which version of the garbage classifier a collection is screened by: the one that stands, or one that was chosen for it."""

from shared.catalog.protocol import Catalog
from shared.contracts.documents import ProcessingParameters, ScreeningParameters
from shared.errors import NotFound


def screening_of(catalog: Catalog, wanted: ScreeningParameters) -> ScreeningParameters:
    """What was wished for, with the version that stands where the collection follows. Raises NotFound for an unknown one."""
    if wanted.follow:
        standing = catalog.standing_classifier()
        return wanted.model_copy(update={"classifier": standing.id if standing else None})
    known = catalog.classifier(wanted.classifier) if wanted.classifier else None
    if wanted.classifier and (known is None or known.state != "done"):
        raise NotFound(f"There is no trained classifier {wanted.classifier!r}: `lectern classifier list` shows them.")
    return wanted


def screenings(catalog: Catalog, parameters: ProcessingParameters) -> list[ProcessingParameters]:
    """The settings, and where a classifier was put to use just now those with the version before: a document that waits to be
    screened anew is not missing meanwhile."""
    used = parameters.screening.classifier
    known = catalog.classifier(used) if used else None
    if known is None or not parameters.screening.follow:
        return [parameters]
    before = parameters.screening.model_copy(update={"classifier": known.wish.previous})
    return [parameters, parameters.model_copy(update={"screening": before})]
