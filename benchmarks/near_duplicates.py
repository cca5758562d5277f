"""Near-duplicates beside datatrove's MinHash, on the same texts in the same run: time, what is found, and what is lost.

    python benchmarks/near_duplicates.py --datatrove PYTHON [--texts 20000] [--out near_duplicates.json]

Texts are made here, so that it is known which are copies: a fifth are copies of an earlier one with some words in a row
replaced, and their true similarity is counted by sets of words. Both tools run one after the other in one process each, with
5-word shingles at a similarity of about 0.8. Figures are processor seconds; ratios mean more than either.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

THRESHOLD = 0.8
WORDS_A_SHINGLE = 5

_OURS = "from benchmarks.near_duplicates import ours; import sys; ours(sys.argv[1], sys.argv[2])"

_DATATROVE = """
import json, sys
from pathlib import Path
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.hashing import HashConfig
from datatrove.utils.word_tokenizers import WordTokenizer

class Spaces(WordTokenizer):
    def word_tokenize(self, text): return text.split()
    def sent_tokenize(self, text): return [text]
    def span_tokenize(self, text): return [(0, len(text))]

texts, root = Path(sys.argv[1]), Path(sys.argv[2])
language = Spaces() if root.name.endswith("spaces") else "en"
config = MinhashConfig(hash_config=HashConfig(precision=64), n_grams=5, num_buckets=14, hashes_per_bucket=8)
def run(steps, tasks):
    logs = str(root / "logs" / type(steps[-1]).__name__)
    LocalPipelineExecutor(pipeline=steps, tasks=tasks, workers=1, logging_dir=logs).run()
reader = lambda: JsonlReader(str(texts.parent), glob_pattern=texts.name)
run([reader(), MinhashDedupSignature(str(root / "signatures"), config=config, language=language)], 1)
run([MinhashDedupBuckets(str(root / "signatures"), str(root / "buckets"), config=config)], config.num_buckets)
run([MinhashDedupCluster(str(root / "buckets"), str(root / "removed"), config=config)], 1)
run([reader(), MinhashDedupFilter(str(root / "removed"), exclusion_writer=JsonlWriter(str(root / "out"), compression=None))], 1)
dropped = [json.loads(line)["id"] for path in (root / "out").rglob("*.jsonl") for line in path.read_text().splitlines()]
(root / "dropped.json").write_text(json.dumps(dropped))
"""
"""As datatrove's own example of deduplication has it, with one process and its default number of buckets and hashes; with its
own words of English (spaCy's), and with words between spaces, which cost next to nothing to find."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datatrove", help="a Python with datatrove installed; left out: Lectern alone")
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--out", type=Path, help="write the figures here, as JSON")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="near-duplicates-") as directory:
        root = Path(directory)
        copies, size = make(root / "texts.jsonl", wanted.texts, wanted.seed)
        tools = {"lectern": (sys.executable, _OURS)}
        if wanted.datatrove:
            tools |= {f"datatrove, {words}": (wanted.datatrove, _DATATROVE) for words in ("its own words", "words by spaces")}
        rows = [measured(name, *tool, root, copies, size) for name, tool in tools.items()]
    show(rows, wanted.texts, size)
    if wanted.out:
        wanted.out.write_text(json.dumps({"texts": wanted.texts, "bytes": size, "tools": rows}, indent=2))
    return 0


def make(target: Path, count: int, seed: int) -> tuple[dict[str, float], int]:
    """Writes the texts; returns each copy with its true similarity to what it is a copy of, and the bytes of all."""
    chance = random.Random(seed)
    vocabulary = ["".join(chance.choices("etaoinshrdlu", k=chance.randint(2, 9))) for _ in range(20_000)]
    originals: list[list[str]] = []
    copies: dict[str, float] = {}
    with target.open("w", encoding="utf-8") as lines:
        for number in range(count):
            if originals and chance.random() < 0.2:
                source = chance.choice(originals)
                said = changed(source, chance.choice((0, 2, 8, 16, 40, 80)), chance)
                copies[str(number)] = similarity(source, said)
            else:
                said = chance.choices(vocabulary, k=chance.randint(120, 260))
                originals.append(said)
            lines.write(json.dumps({"id": str(number), "text": " ".join(said) + "."}) + "\n")
    return copies, target.stat().st_size


def changed(words: list[str], many: int, chance: random.Random) -> list[str]:
    begin = chance.randrange(max(1, len(words) - many))
    return [*words[:begin], *(f"new{chance.randrange(10**6)}" for _ in range(many)), *words[begin + many :]]


def similarity(one: list[str], other: list[str]) -> float:
    first, second = (
        {tuple(words[at : at + WORDS_A_SHINGLE]) for at in range(len(words) - WORDS_A_SHINGLE + 1)} for words in (one, other)
    )
    return len(first & second) / len(first | second)


def ours(texts: str, root: str) -> None:
    """What a dataset's assembly does, on one file."""
    from services.cleaning.duplicates import ChunkFile, find_duplicates
    from shared.contracts.datasets import DuplicateLink, NearDuplicateParameters

    where = Path(root)
    find_duplicates([ChunkFile("texts", Path(texts))], where / "links", where / "scratch", NearDuplicateParameters())
    links = (DuplicateLink.model_validate_json(line) for line in (where / "links").read_text().splitlines())
    (where / "dropped.json").write_text(json.dumps([link.duplicate for link in links]))


def measured(name: str, python: str, code: str, root: Path, copies: dict[str, float], size: int) -> dict[str, Any]:
    """One tool in a process of its own, imports and all."""
    where = root / name
    where.mkdir()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1]), "PYTHONHASHSEED": "0"}
    before, clock = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(
        [python, "-c", code, str(root / "texts.jsonl"), str(where)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - clock
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stderr[-3_000:]}")
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    dropped = set(json.loads((where / "dropped.json").read_text()))
    alike = {one for one, found in copies.items() if found >= THRESHOLD}
    unlike = [one for one in dropped if copies.get(one, 0.0) < THRESHOLD]
    return {
        "tool": name, "cpu_seconds": round(seconds, 2), "wall_seconds": round(wall, 2),
        "mb_per_cpu_second": round(size / 1e6 / seconds, 2),
        "dropped": len(dropped), "of_alike": round(len(alike & dropped) / max(1, len(alike)), 4), "unlike_dropped": len(unlike),
    }  # fmt: skip


def show(rows: list[dict[str, Any]], texts: int, size: int) -> None:
    """`alike`: pairs whose true similarity reaches the threshold. `unlike dropped`: texts dropped that no other is like."""
    print(f"{texts} texts, {size / 1e6:.1f} MB, load {os.getloadavg()[0]:.1f}\n")
    print("| tool | CPU s | wall s | MB/CPU s | dropped | of the alike found | unlike dropped |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for row in rows:
        print(
            f"| {row['tool']} | {row['cpu_seconds']} | {row['wall_seconds']} | {row['mb_per_cpu_second']} | {row['dropped']} "
            f"| {row['of_alike']:.2%} | {row['unlike_dropped']} |"
        )
    for row in rows[1:]:
        print(f"\nLectern takes {rows[0]['cpu_seconds'] / row['cpu_seconds']:.2f} of the processor time of {row['tool']}.")


if __name__ == "__main__":
    sys.exit(main())
