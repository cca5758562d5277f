"""Taggers of lines beside the rules: F1 of each label on held-out pages, size, and processor time of a page.

`python benchmarks/tagging.py [--corpus DIR] [--pages N] [--bilstm DIR]`, or a part of `make bench-cleaning`. Two sets of pages,
neither of which any tagger was trained on:

- generated: pages in looks that are kept from training (margins, front matter and manners of references of their own);
- real: our ten examples and, with a corpus (`DIR/pdf`), openly licensed papers and reports, every block of which was
  labelled by reading (`labels/lines.json`). The pages that training invents were made more varied by looking at what went
  wrong on these, so they are development pages, not a blind test; no line of them was trained on.

The rules are what the first stage of labelling says; the models see it too.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.line_truth import real_documents  # noqa: E402
from examples.labelled.__main__ import documents  # noqa: E402
from examples.labelled.houses import HELD_OUT  # noqa: E402
from services.cleaning.adapters.line_models import BUNDLED, MODELS, bundled_model  # noqa: E402
from services.cleaning.adapters.published_models import WEIGHTS, model_in  # noqa: E402
from services.cleaning.evaluate_tagger import measured  # noqa: E402
from services.cleaning.stages.line_features import LABELS  # noqa: E402
from services.cleaning.stages.scores import Count  # noqa: E402
from services.cleaning.stages.tagging import LineModel  # noqa: E402
from shared.contracts.taggers import LabelledPage  # noqa: E402

SEED = 500_000

Documents = list[list[LabelledPage]]


@dataclass(frozen=True, slots=True)
class Tagger:
    name: str
    model: LineModel | None
    size_bytes: int = 0


def print_tagging(corpus: Path | None = None, pages: int = 600, bilstm: Path | None = None) -> None:
    """Prints one table for each set of pages."""
    taggers = [
        Tagger("rules", None),
        Tagger(BUNDLED, bundled_model(BUNDLED), (MODELS / f"{BUNDLED}.safetensors").stat().st_size),
    ]
    if bilstm is not None:
        taggers.append(Tagger("bilstm-crf", model_in(bilstm), (bilstm / WEIGHTS).stat().st_size))
    generated = list(documents(HELD_OUT, pages, SEED, 1))
    directories = [ROOT / "examples" / "pdf", *([corpus / "pdf"] if corpus else [])]
    real = list(real_documents(directories))
    for name, found in (("generated, held-out looks", generated), ("real: examples" + (" and corpus" if corpus else ""), real)):
        print(f"\n{name}: {len(found)} documents, {sum(map(len, found))} pages\n")
        print("\n".join(_table(taggers, found)))


def _table(taggers: list[Tagger], found: Documents) -> Iterator[str]:
    rows = [(tagger, *_timed(tagger.model, found)) for tagger in taggers]
    yield "| label | lines | " + " | ".join(tagger.name for tagger, _, _ in rows) + " |"
    yield "| --- | ---: |" + " ---: |" * len(rows)
    for label in LABELS:
        scores = [count.scores().get(label) for _, count, _ in rows]
        support = next((score.support for score in scores if score), 0)
        if support:
            yield f"| {label} | {support} | " + " | ".join(f"{score.f1:.3f}" if score else "0.000" for score in scores) + " |"
    yield "| macro F1 | | " + " | ".join(f"{count.macro_f1():.3f}" for _, count, _ in rows) + " |"
    yield "| right of all lines | | " + " | ".join(f"{count.accuracy():.3f}" for _, count, _ in rows) + " |"
    yield "| kB | | " + " | ".join(f"{tagger.size_bytes / 1e3:.0f}" for tagger, _, _ in rows) + " |"
    yield "| processor ms a page, with rules and first look | | " + " | ".join(f"{spent:.2f}" for *_, spent in rows) + " |"


def _timed(model: LineModel | None, found: Documents) -> tuple[Count, float]:
    started = time.process_time()
    count = measured(model, found)
    return count, 1e3 * (time.process_time() - started) / max(1, sum(map(len, found)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, help="a directory with pdf/")
    parser.add_argument("--pages", type=int, default=600, help="generated pages, about")
    parser.add_argument("--bilstm", type=Path, help="a BiLSTM-CRF that `lectern cleaner train` made, to compare")
    options = parser.parse_args()
    print_tagging(options.corpus, options.pages, options.bilstm)


if __name__ == "__main__":
    main()
