"""`python -m services.training.job SPEC.json`: one training job, in a process of its own.

One process a job: bitsandbytes keeps state from one training to the next, and memory that a model took comes back only
when its process ends.
"""

import sys
from pathlib import Path

from services.training.adapters.children import die_with_parent
from services.training.answers import answer
from services.training.settings import TrainingSettings, quiet_libraries
from services.training.spec import TrainingSpec


def main(path: Path) -> int:
    spec = TrainingSpec.model_validate_json(path.read_bytes())
    die_with_parent(spec.parent)
    settings = TrainingSettings()
    quiet_libraries(settings)
    from services.training.tuning import tune  # noqa: PLC0415 - its libraries read the environment when imported

    return answer(spec.work, tune(spec, settings))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
