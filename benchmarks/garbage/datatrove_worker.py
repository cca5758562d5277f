"""datatrove's filters over texts, for comparison. Runs in the peers' environment: imports nothing of Lectern.

`python datatrove_worker.py TEXTS.jsonl` prints, for each filter, processor seconds and what it rejected, as JSON.
"""

import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from datatrove.data import Document
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.filters import C4QualityFilter, FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter
from datatrove.pipeline.readers import JsonlReader
from loguru import logger

FILTERS = (GopherRepetitionFilter, GopherQualityFilter, C4QualityFilter, FineWebQualityFilter)


def main() -> None:
    logger.remove()
    source = Path(sys.argv[1])
    texts = [json.loads(line)["text"] for line in source.read_text().splitlines()]
    made: dict[str, Any] = {kind.__name__: filtered(kind(), texts) for kind in FILTERS}
    made["MinHash"] = minhash(source)
    print(json.dumps(made))


def filtered(rule: Any, texts: list[str]) -> dict[str, Any]:
    rule.filter(Document(text=texts[0], id="warm"))
    reasons: Counter[str] = Counter()
    begin = time.process_time()
    for number, text in enumerate(texts):
        answer = rule.filter(Document(text=text, id=str(number)))
        if isinstance(answer, tuple):
            reasons[answer[1]] += not answer[0]
        elif not answer:
            reasons["rejected"] += 1
    return {"seconds": time.process_time() - begin, "reasons": dict(reasons)}


def minhash(source: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        reader = JsonlReader(str(source.parent), glob_pattern=source.name)
        begin = time.process_time()
        steps: list[list[Any]] = [
            [reader, MinhashDedupSignature(f"{scratch}/signatures")],
            [MinhashDedupBuckets(f"{scratch}/signatures", f"{scratch}/buckets")],
            [MinhashDedupCluster(f"{scratch}/buckets", f"{scratch}/removed")],
            [reader, MinhashDedupFilter(f"{scratch}/removed")],
        ]
        for number, step in enumerate(steps):
            tasks = 14 if number == 1 else 1
            for rank in range(tasks):
                executor = LocalPipelineExecutor(step, tasks=tasks, workers=1, logging_dir=f"{scratch}/log{number}")
                executor._run_for_rank(rank)
        return {"seconds": time.process_time() - begin, "reasons": {}}


if __name__ == "__main__":
    main()
