"""`python -m services.cleaning.evaluate_tagger`: how well a tagger of lines does on labelled pages, as JSON on stdout."""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from services.cleaning.adapters.line_models import BUNDLED
from services.cleaning.adapters.published_models import named_or_in
from services.cleaning.labelled import by_document, flat_labels, read_labelled
from services.cleaning.stages.habits import habits
from services.cleaning.stages.scores import Count
from services.cleaning.stages.tagging import LineModel, tagged
from shared.contracts.documents import CleaningParameters
from shared.contracts.taggers import LabelledPage
from shared.errors import LecternError


def measured(model: LineModel | None, documents: Iterable[list[LabelledPage]]) -> Count:
    """Counts right and wrong labels; `None` are the rules. Documents are labelled as cleaning does it."""
    parameters, count = CleaningParameters(), Count()
    for document in documents:
        pages = [one.page for one in document]
        known = habits(pages, parameters)
        for page, one in zip(tagged(pages, known, parameters.margin_share, model), document, strict=True):
            count.add([tag.label for own in page.tags for tag in own], flat_labels(one))
    return count


def report(count: Count) -> dict[str, object]:
    """The scores as they are told."""
    labels = {label: asdict(score) for label, score in count.scores().items()}
    return {"macro_f1": round(count.macro_f1(), 4), "accuracy": round(count.accuracy(), 4), "labels": labels}


def told(work: Callable[[], dict[str, object]]) -> int:
    """Says what came of it in one line of JSON, for the command that asked. Returns the exit code."""
    try:
        print(json.dumps(work()))
    except LecternError as error:
        print(json.dumps({"code": error.code, "detail": error.message}))
        return 1
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m services.cleaning.evaluate_tagger", description=__doc__)
    parser.add_argument("labels", type=Path, help="a file of labelled pages")
    parser.add_argument("--tagger", default=BUNDLED, help="rules, crf, or the directory of a tagger")
    wanted = parser.parse_args(arguments)
    return told(lambda: report(measured(named_or_in(wanted.tagger), by_document(read_labelled(wanted.labels)))))


if __name__ == "__main__":
    sys.exit(main())
