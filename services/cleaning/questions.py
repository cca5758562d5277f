"""The recipe `qa`: a model writes question-answer pairs of a document's chunks, and only what passes the checks is taken.

Replies are kept as they come, so that a job that is taken up again asks nothing twice.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Protocol

from services.cleaning.adapters.endpoint import Refused
from services.cleaning.stages.dataset import CONTROL_TOKEN, Skipped, Source, Terms, example
from services.cleaning.stages.qa import Pair, Request, evidence, fault, judge, read_pairs, read_verdict, same_question, writer
from shared.contracts.datasets import QaParameters
from shared.contracts.documents import Chunk
from shared.contracts.learning import Example
from shared.ids import short
from shared.objects import read_lines

KEPT_EVERY = 16


class Asker(Protocol):
    """Whoever answers requests."""

    def ask(self, request: Request) -> str: ...


class Memory(Protocol):
    """Where replies are kept between attempts, as a stage's context does it."""

    def keep(self, file: Path) -> None: ...

    def recall(self, target: Path) -> bool: ...


class Replies:
    """Replies by request, in a file that outlives the attempt."""

    def __init__(self, file: Path, memory: Memory, asker: Asker) -> None:
        self._file, self._memory, self._asker = file, memory, asker
        self._lock = Lock()
        self._new = 0
        known = read_lines(file) if memory.recall(file) else iter(())
        self._known = {str(line["request"]): str(line["reply"]) for line in known}

    def ask(self, request: Request) -> str:
        name = request.name
        with self._lock:
            if name in self._known:
                return self._known[name]
        reply = self._asker.ask(request)
        with self._lock, self._file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"request": name, "reply": reply}) + "\n")
            self._known[name] = reply
            self._new += 1
            if self._new % KEPT_EVERY:
                return reply
        self.keep()
        return reply

    def keep(self) -> None:
        with self._lock:
            if self._new:
                self._memory.keep(self._file)


class PairWriter:
    """Makes the pairs of one document after the other."""

    def __init__(
        self, asker: Asker, memory: Memory, scratch: Path, terms: Terms, told: Callable[[], None] = lambda: None
    ) -> None:
        parameters = terms.parameters.qa
        assert parameters is not None, "parameters with the recipe qa have them"
        self._parameters: QaParameters = parameters
        self._asker, self._memory, self._scratch, self._terms, self._told = asker, memory, scratch, terms, told
        self._questions: set[str] = set()

    def __call__(self, source: Source, chunks: Sequence[Chunk]) -> Iterator[Example | Skipped]:
        replies = Replies(self._scratch / f"replies-{short(source.document)}.jsonl", self._memory, self._asker)
        with ThreadPoolExecutor(self._parameters.concurrent_requests) as threads:
            try:
                for chunk, pairs in zip(chunks, threads.map(lambda one: self._judged(one, replies), chunks), strict=True):
                    self._told()
                    for pair in pairs:
                        yield pair if isinstance(pair, Skipped) else self._example(source, chunk, pair)
            except BaseException:
                threads.shutdown(wait=True, cancel_futures=True)
                raise
            finally:
                replies.keep()

    def _judged(self, chunk: Chunk, replies: Replies) -> list[Pair | Skipped]:
        if CONTROL_TOKEN.search(chunk.text):
            return []  # counted once, by the recipes that need no model
        try:
            request = writer(chunk, self._parameters, self._terms.parameters.max_answer_tokens)
            pairs = read_pairs(replies.ask(request), self._parameters.pairs_per_chunk)
        except Refused:
            return [Skipped("qa-endpoint-refused")]
        return [self._checked(pair, chunk, replies) for pair in pairs] if pairs else [Skipped("qa-unreadable-reply")]

    def _checked(self, pair: Pair, chunk: Chunk, replies: Replies) -> Pair | Skipped:
        if CONTROL_TOKEN.search(f"{pair.question} {pair.answer}"):
            return Skipped("qa-control-token")
        if self._terms.count(pair.answer) > self._terms.parameters.max_answer_tokens:
            return Skipped("qa-answer-too-long")
        if (reason := fault(pair, chunk, self._parameters)) is not None:
            return Skipped(f"qa-{reason}")
        try:
            verdict = read_verdict(replies.ask(judge(chunk, pair, self._parameters)))
        except Refused:
            return Skipped("qa-endpoint-refused")
        if verdict is None:
            return Skipped("qa-unreadable-verdict")
        return pair if verdict else Skipped("qa-judged-wrong")

    def _example(self, source: Source, chunk: Chunk, pair: Pair) -> Example | Skipped:
        question = same_question(pair)
        if question in self._questions:
            return Skipped("qa-duplicate-question")
        self._questions.add(question)
        return example(source, chunk, "qa", (pair.question, "", pair.answer), evidence(pair, chunk), self._terms)
