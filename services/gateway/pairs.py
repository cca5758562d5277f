"""Pairs of answers, from what people said or from the rows of a file: which are one, and why the others are not."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.contracts.feedback import Feedback, Preference
from shared.keys import canonical_json

MAX_PROMPT, MAX_ANSWER = 8_000, 40_000
"""Characters, as feedback may have."""
MAX_LINE_BYTES = 1 << 20

Refusal = Literal["not-json", "not-a-pair", "empty", "same-answers", "too-long", "repeated"]
DocumentId = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Row(BaseModel):
    """A pair as files have it. Other columns are passed over."""

    model_config = ConfigDict(extra="ignore", strict=True, hide_input_in_errors=True)

    prompt: str
    chosen: str
    rejected: str
    mode: Literal["chat", "completion"] = "chat"
    evidence: Annotated[list[DocumentId], Field(max_length=50)] = []


def preferences(said: Iterable[Feedback]) -> Iterator[Preference]:
    """Of the latest words: a correction is preferred to what it corrects; and of the answers to one prompt that one person
    rated, those rated up are preferred to those rated down."""
    rated: dict[tuple[str, str, str], list[Feedback]] = {}
    for one in said:
        if one.correction and one.correction != one.answer:
            yield _pair(one, one, one.correction, "correction")
        if one.rating != "none":
            rated.setdefault((one.reviewer, one.mode, one.prompt), []).append(one)
    for words in rated.values():
        rejected = [one for one in words if one.rating == "down"]
        for good in (one for one in words if one.rating == "up"):
            yield from (_pair(good, bad, good.answer, "ratings") for bad in rejected if bad.answer != good.answer)


def _pair(good: Feedback, bad: Feedback, chosen: str, source: Literal["correction", "ratings"]) -> Preference:
    return Preference(
        prompt=good.prompt, chosen=chosen, rejected=bad.answer, mode=good.mode, source=source, reviewer=good.reviewer,
        feedback=tuple(dict.fromkeys((good.id, bad.id))), evidence=tuple(sorted({*good.evidence, *bad.evidence})),
    )  # fmt: skip


def read_rows(blocks: Iterable[bytes]) -> Iterator[Preference | Refusal]:
    """The rows of a file of JSON lines, each a pair or why it is none. Blank lines are passed over."""
    for line in bounded_lines(blocks):
        if line is None:
            yield "too-long"
        elif line.strip():
            yield _row(line)


def _row(line: bytes) -> Preference | Refusal:
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return "not-json"
    try:
        row = Row.model_validate(told)
    except ValidationError:
        return "not-a-pair"
    return Preference(
        prompt=row.prompt, chosen=row.chosen, rejected=row.rejected, mode=row.mode, source="file", evidence=tuple(row.evidence)
    )


def sound(rows: Iterable[Preference | Refusal]) -> Iterator[tuple[Preference, str] | Refusal]:
    """Pairs that something can be learned from, each once with its digest; and why the others cannot be."""
    seen: set[bytes] = set()
    for row in rows:
        refused = row if isinstance(row, str) else _fault(row)
        if refused is not None:
            yield refused
            continue
        assert isinstance(row, Preference)
        named = hashlib.sha256(canonical_json([row.mode, row.prompt, row.chosen, row.rejected])).digest()
        if named in seen:
            yield "repeated"
            continue
        seen.add(named)
        yield row, hashlib.sha256(canonical_json(row)).hexdigest()


def _fault(pair: Preference) -> Refusal | None:
    texts = (pair.prompt, pair.chosen, pair.rejected)
    if not all(text.strip() for text in texts):
        return "empty"
    if pair.chosen.strip() == pair.rejected.strip():
        return "same-answers"
    try:
        for text in texts:
            text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can spell and no tokenizer reads
        return "not-a-pair"
    return "too-long" if len(pair.prompt) > MAX_PROMPT or max(map(len, texts[1:])) > MAX_ANSWER else None


def bounded_lines(blocks: Iterable[bytes]) -> Iterator[bytes | None]:
    """The lines of a stream; None for one longer than MAX_LINE_BYTES, which is never whole in memory."""
    rest, skipping = b"", False
    for block in blocks:
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            yield None if skipping or len(line) > MAX_LINE_BYTES else line
            skipping = False
        if len(rest) > MAX_LINE_BYTES:
            rest, skipping = b"", True
    if rest or skipping:
        yield None if skipping else rest


def held_out(marks: Iterable[bytes], share: float) -> frozenset[bytes]:
    """Of the marks of prompts, those that are kept out of training: the same ones whatever order they come in."""
    ordered = sorted(marks)
    return frozenset(ordered[: int(share * len(ordered))])


def prompt_mark(prompt: str, seed: int) -> bytes:
    """Names a prompt, in an order that the seed decides."""
    return hashlib.sha256(f"{seed}:{prompt}".encode()).digest()[:16]
