"""Our rules over the texts that datatrove's filters see, in processor seconds of one process; and near-duplicates."""

import json
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.cleaning.duplicates import ChunkFile, find_duplicates
from services.cleaning.stages.garbage import Memory, judge
from services.cleaning.stages.hostile import flags_of
from services.cleaning.stages.mojibake import mended
from services.cleaning.stages.personal import masked
from shared.contracts.datasets import NearDuplicateParameters
from shared.contracts.documents import Chunk, CleaningParameters

WORKER = Path(__file__).with_name("datatrove_worker.py")
OURS = CleaningParameters(languages=("en",))


@dataclass(frozen=True, slots=True)
class Timed:
    """Processor seconds, and how many reasons were given to how many texts."""

    name: str
    seconds: float
    reasons: dict[str, int]


def ours(documents: Sequence[Sequence[str]]) -> list[Timed]:
    """Documents as paragraphs: all rules of garbage; personal data and flags; near-duplicates between documents."""
    judge("paragraph", documents[0][0], OURS)
    reasons: Counter[str] = Counter()

    def rules() -> None:
        for paragraphs in documents:
            memory = Memory()
            for text in paragraphs:
                if (verdict := judge("paragraph", mended(text), OURS, memory)) is not None:
                    reasons[verdict.reason] += 1

    def personal() -> None:
        for paragraphs in documents:
            for text in paragraphs:
                _, found, _ = masked(text, OURS)
                flags_of(text, text, found, OURS)

    return [
        Timed("Lectern: rules of garbage", _seconds(rules), dict(reasons)),
        Timed("Lectern: personal data, secrets, orders", _seconds(personal), {}),
        Timed("Lectern: near-duplicates", _seconds(lambda: _near(documents)), {}),
    ]


def datatrove(documents: Sequence[Sequence[str]], python: Path) -> list[Timed]:
    """Its filters over the same texts, in its own environment."""
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "texts.jsonl"
        lines = (json.dumps({"id": str(number), "text": "\n\n".join(one)}) for number, one in enumerate(documents))
        source.write_text("\n".join(lines) + "\n", encoding="utf-8")
        run = subprocess.run([python, WORKER, source], capture_output=True, text=True, check=True)
        made = json.loads(run.stdout.strip().splitlines()[-1])
        return [Timed(f"datatrove: {name}", one["seconds"], one["reasons"]) for name, one in made.items()]


def _near(documents: Sequence[Sequence[str]]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "chunks.jsonl"
        chunks = (
            Chunk(id=str(number), document=str(number), index=0, text="\n\n".join(one), tokens=0)
            for number, one in enumerate(documents)
        )
        path.write_text("".join(chunk.model_dump_json() + "\n" for chunk in chunks), encoding="utf-8")
        find_duplicates([ChunkFile("all", path)], Path(scratch) / "links", Path(scratch), NearDuplicateParameters())


def _seconds(work: Callable[[], None]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin
