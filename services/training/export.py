"""`python -m services.training.export SPEC.json`: one export, in a process of its own."""

import sys
from pathlib import Path

from services.training.adapters.children import die_with_parent
from services.training.answers import answer
from services.training.settings import TrainingSettings, quiet_libraries
from services.training.spec import ExportSpec


def main(path: Path) -> int:
    spec = ExportSpec.model_validate_json(path.read_bytes())
    die_with_parent(spec.parent)
    settings = TrainingSettings()
    quiet_libraries(settings)
    from services.training.exporting import export  # noqa: PLC0415 - its libraries read the environment when imported

    return answer(spec.work, export(spec, settings.threads))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
