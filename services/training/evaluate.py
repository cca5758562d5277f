"""`python -m services.training.evaluate SPEC.json`: one evaluation, in a process of its own."""

import sys
from pathlib import Path

from services.training.adapters.children import die_with_parent
from services.training.answers import answer
from services.training.settings import TrainingSettings, quiet_libraries
from services.training.spec import EvaluationSpec


def main(path: Path) -> int:
    spec = EvaluationSpec.model_validate_json(path.read_bytes())
    die_with_parent(spec.parent)
    settings = TrainingSettings()
    quiet_libraries(settings)
    from services.training.measuring import measure  # noqa: PLC0415 - its libraries read the environment when imported

    return answer(spec.work, measure(spec, settings.threads))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
