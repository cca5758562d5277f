"""`python -m services.cleaning.publish_tagger DIRECTORY NAME`: make a trained tagger available to every worker that cleans."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from services.cleaning.adapters.published_models import model_in
from services.cleaning.evaluate_tagger import told
from shared.objects import open_store
from shared.settings import SharedSettings
from shared.taggers import publish_tagger


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m services.cleaning.publish_tagger", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("name")
    wanted = parser.parse_args(arguments)
    return told(lambda: _published(wanted))


def _published(wanted: argparse.Namespace) -> dict[str, object]:
    model_in(wanted.directory)  # what cannot be loaded here would fail in every worker
    manifest = publish_tagger(open_store(SharedSettings()), wanted.directory, wanted.name)
    return {"name": manifest.name, "digest": manifest.digest, "files": len(manifest.files)}


if __name__ == "__main__":
    sys.exit(main())
