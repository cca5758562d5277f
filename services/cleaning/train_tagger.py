"""`python -m services.cleaning.train_tagger`: a tagger of lines from labelled pages. `lectern cleaner train` calls it, as a
process of its own, because it is the one part of cleaning that needs torch.

The last line on stdout is what was made and how well it does on documents that were held out, as JSON.
"""

import argparse
import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from services.cleaning.adapters.line_models import save_chain_model
from services.cleaning.adapters.published_models import WEIGHTS, model_in
from services.cleaning.evaluate_tagger import measured, report, told
from services.cleaning.labelled import by_document, flat_labels, read_labelled, rows, seen
from shared.contracts.taggers import LabelledPage
from shared.errors import InvalidInput

KINDS = ("crf", "bilstm-crf", "encoder")
EPOCHS = {"crf": 8, "bilstm-crf": 8, "encoder": 3}
HELD_OUT_SHARE = 0.15

Documents = list[list[LabelledPage]]


def train_tagger(
    documents: Documents, kind: str, out: Path, epochs: int | None, seed: int, base: Path | None
) -> dict[str, object]:
    """Trains on most documents and measures on the rest. Returns the scores."""
    learned, held_out = parted(documents)
    out.mkdir(parents=True, exist_ok=True)
    rounds = epochs or EPOCHS[kind]
    if kind == "encoder":
        _train_encoder(learned, out, rounds, seed, base)
    else:
        from services.cleaning.adapters.tagger_torch import train  # noqa: PLC0415 - seconds that the encoder need not wait

        given = [row for document in learned for row in rows(document)]
        about = {"documents": len(learned), "pages": len(given), "epochs": rounds, "seed": seed}
        save_chain_model(train(kind, given, rounds, seed), kind, out / WEIGHTS, about)
    count = measured(model_in(out), held_out)
    return {"kind": kind, "trained_on": len(learned), "held_out": len(held_out), **report(count)}


def parted(documents: Documents) -> tuple[Documents, Documents]:
    """Those to learn from, and those to measure by: whole documents, chosen by their names, the same each time."""
    if len(documents) < 2:
        raise InvalidInput("a tagger needs pages of two documents at least: one to learn from and one to be measured by")
    ordered = sorted(documents, key=lambda one: sha256(one[0].document.encode()).digest())
    cut = max(1, round(HELD_OUT_SHARE * len(ordered)))
    return ordered[cut:], ordered[:cut]


def _train_encoder(learned: Documents, out: Path, epochs: int, seed: int, base: Path | None) -> None:
    from services.cleaning.adapters.encoder_tagger import readings  # noqa: PLC0415 - torch, where it is wanted
    from services.cleaning.adapters.encoder_training import train_encoder  # noqa: PLC0415

    if base is None:
        raise InvalidInput("an encoder needs --base DIRECTORY: the encoder to fine-tune, with its tokenizer and safetensors")
    examples = [
        (text, label)
        for document in learned
        for page, one in zip(seen(document), document, strict=True)
        for text, label in zip(readings(page), flat_labels(one), strict=True)
        if label is not None
    ]
    train_encoder(base, examples, out, epochs, seed)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m services.cleaning.train_tagger", description=__doc__)
    parser.add_argument("labels", type=Path, nargs="+", help="files of labelled pages")
    parser.add_argument("--kind", choices=KINDS, default="crf")
    parser.add_argument("--out", type=Path, required=True, help="a directory for the tagger")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--base", type=Path, help="the directory of the encoder to fine-tune")
    wanted = parser.parse_args(arguments)
    return told(lambda: _made(wanted))


def _made(wanted: argparse.Namespace) -> dict[str, object]:
    documents = [one for path in wanted.labels for one in by_document(read_labelled(path))]
    return train_tagger(documents, wanted.kind, wanted.out, wanted.epochs, wanted.seed, wanted.base)


if __name__ == "__main__":
    sys.exit(main())
