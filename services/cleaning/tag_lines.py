"""`python -m services.cleaning.tag_lines`: a page map with the labels of a tagger, for people to correct and for taggers to
learn from."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from services.cleaning.adapters.line_models import BUNDLED
from services.cleaning.adapters.published_models import named_or_in
from services.cleaning.evaluate_tagger import told
from services.cleaning.stages.habits import habits
from services.cleaning.stages.tagging import LineModel, tagged
from services.cleaning.write import read_pages
from shared.contracts.documents import CleaningParameters
from shared.contracts.taggers import LabelledPage


def labelled_pages(document: str, pages: Path, model: LineModel | None) -> Iterator[LabelledPage]:
    """The pages of a page map with a label for each line."""
    parameters = CleaningParameters()
    known = habits(read_pages(pages), parameters)
    for one in tagged(read_pages(pages), known, parameters.margin_share, model):
        labels = tuple(tuple(tag.label for tag in own) for own in one.tags)
        yield LabelledPage(document=document, page=one.page, labels=labels)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m services.cleaning.tag_lines", description=__doc__)
    parser.add_argument("pages", type=Path, help="a page map, as `lectern extract DIR` writes it beside its MMD")
    parser.add_argument("--tagger", default=BUNDLED, help="rules, crf, or the directory of a tagger")
    parser.add_argument("--out", type=Path, required=True)
    wanted = parser.parse_args(arguments)
    return told(lambda: _tagged(wanted))


def _tagged(wanted: argparse.Namespace) -> dict[str, object]:
    name, count = wanted.pages.name.removesuffix(".pages.jsonl"), 0
    with wanted.out.open("w", encoding="utf-8") as lines:
        for page in labelled_pages(name, wanted.pages, named_or_in(wanted.tagger)):
            lines.write(page.model_dump_json() + "\n")
            count += 1
    return {"pages": count, "file": str(wanted.out)}


if __name__ == "__main__":
    sys.exit(main())
