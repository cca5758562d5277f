"""`python -m services.training.publish_base [MODEL]`: make a base model available to every service.

Publishing one that is there changes nothing, so it may run at every start.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from services.training.settings import TrainingSettings
from services.training.stages.references import BUNDLED, base_name
from shared.bases import publish_base, read_base
from shared.contracts.learning import BaseModelManifest
from shared.errors import LecternError
from shared.objects import ObjectStore, open_store
from shared.telemetry import configure_logs, log


def publish(store: ObjectStore, reference: str, name: str | None = None, licence: str | None = None) -> BaseModelManifest:
    """The manifest of the published base. Raises what preparing and publishing raise."""
    name = name or base_name(Path(reference).resolve().name if Path(reference).is_dir() else reference)
    if reference == BUNDLED and (standing := read_base(store, name)) is not None:
        return standing
    from services.training.adapters.bases import prepare_base  # noqa: PLC0415 - not worth its seconds where nothing is to do

    with tempfile.TemporaryDirectory(prefix="lectern-base-") as directory:
        base = prepare_base(reference, Path(directory) / "base", licence)
        return publish_base(
            store, base.directory, name=name, source=base.source, licence=base.licence,
            architecture=base.architecture, eos_token=base.eos_token,
        )  # fmt: skip


def main() -> int:
    settings = TrainingSettings()
    parser = argparse.ArgumentParser(prog="python -m services.training.publish_base", description=__doc__)
    parser.add_argument("model", nargs="?", default=settings.default_base, help="the bundled model, a directory, or a hub id")
    parser.add_argument("--name", help="the name to publish it under (derived from the model where none is given)")
    parser.add_argument("--licence", help="its licence, where the model does not say")
    wanted = parser.parse_args()
    configure_logs(settings.log_level, settings.log_json)
    try:
        manifest = publish(open_store(settings), wanted.model, wanted.name, wanted.licence)
    except LecternError as error:
        log().error("base.refused", code=error.code, detail=str(error))
        return 1
    log().info("base.published", name=manifest.name, digest=manifest.digest, source=manifest.source, licence=manifest.licence)
    return 0


if __name__ == "__main__":
    sys.exit(main())
