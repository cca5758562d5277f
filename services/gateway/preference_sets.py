"""Preference sets made: pairs written beside each other in the store, named by what they are, and never changed but where a
document in them is forgotten."""

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from services.gateway.chores.preferences import redact_preferences
from services.gateway.pairs import Refusal, held_out, preferences, prompt_mark, read_rows, sound
from services.gateway.parts import Parts
from shared import layout
from shared.catalog.protocol import Slice
from shared.clock import now
from shared.contracts.feedback import Feedback, Preference
from shared.contracts.preferences import PreferenceParameters, PreferenceSet, PreferenceVersion
from shared.errors import InvalidInput, NotFound
from shared.ids import short
from shared.keys import digest, is_name
from shared.objects import ObjectStore, Series
from shared.tombstones import forgotten_once, require_not_forgotten, tombstone

VERSION = 1
"""Of how sets are made: another one names them anew."""
AT_ONCE = 500
TRAIN, HELDOUT = "train.jsonl", "heldout.jsonl"


class NoPreferences(InvalidInput):
    """There is no pair to make a set of; the message says what became of the rows."""

    code = "no-preferences"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a set is made of, beside its rows."""

    name: str
    by: str
    parameters: PreferenceParameters
    model: str = ""
    filename: str = ""
    file_sha256: str = ""


@dataclass(slots=True)
class _Gathered:
    """Pairs that lie in a file, and what is known of them."""

    digests: list[str] = field(default_factory=list)
    marks: set[bytes] = field(default_factory=set)
    documents: set[str] = field(default_factory=set)
    sources: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    untraced: int = 0


def set_of_feedback(parts: Parts, wanted: Wanted) -> tuple[PreferenceSet, bool]:
    """The preferences that follow from the feedback as it stands; whether it is a new set. Raises NoPreferences."""
    return _made(parts, wanted, preferences(everything(parts, wanted.model or None)))


def set_of_file(parts: Parts, wanted: Wanted, blocks: Iterable[bytes]) -> tuple[PreferenceSet, bool]:
    """The pairs of a file of JSON lines; whether it is a new set. Raises NoPreferences, and Forgotten where a pair names a
    document that was forgotten."""
    return _made(parts, wanted, read_rows(blocks))


def everything(parts: Parts, model: str | None = None) -> Iterator[Feedback]:
    """The latest word of each person on each answer, newest first."""
    before = None
    while some := parts.catalog.all_feedback(Slice(AT_ONCE, before), model):
        yield from some
        before = (some[-1].at, some[-1].id)


def set_called(parts: Parts, preferences: str) -> PreferenceSet:
    """Raises NotFound."""
    found = parts.catalog.preference_set(preferences)
    if found is None:
        raise NotFound(f"There is no preference set {preferences!r}; `lectern preferences list` shows those there are.")
    return found


def _made(parts: Parts, wanted: Wanted, rows: Iterable[Preference | Refusal]) -> tuple[PreferenceSet, bool]:
    if not is_name(wanted.name):
        raise InvalidInput(
            f"{wanted.name!r} cannot be a name: use 1 to 63 lower-case letters, digits, dots, dashes, underscores."
        )
    with tempfile.TemporaryDirectory(prefix="lectern-preferences-") as scratch:
        kept = Path(scratch) / "all.jsonl"
        gathered = _gather(rows, kept, wanted.parameters.seed)
        if not gathered.digests:
            raise NoPreferences(_nothing(wanted, gathered.refused))
        for document in sorted(gathered.documents & forgotten_once(parts.store)):
            require_not_forgotten(parts.store, document)
        key = digest(["preferences", VERSION, wanted.parameters.model_dump(mode="json"), sorted(gathered.digests)])
        standing = Series(parts.store, layout.preference_set(short(key))).latest(PreferenceSet)
        if standing is not None:
            return standing[1], False
        made = _written(parts, key, wanted, gathered, kept)
    return _without_forgotten(parts, made, gathered.documents), True


def _without_forgotten(parts: Parts, made: PreferenceSet, documents: set[str]) -> PreferenceSet:
    """Of those whose forgetting began meanwhile, and may have looked for sets before this one stood."""
    for document in sorted(documents & forgotten_once(parts.store)):
        if tombstone(parts.store, document) is not None:
            redact_preferences(parts.store, parts.catalog, short(made.key), document)
    return set_called(parts, short(made.key))


def _gather(rows: Iterable[Preference | Refusal], into: Path, seed: int) -> _Gathered:
    found = _Gathered()
    with into.open("wb") as writer:
        for one in sound(rows):
            if isinstance(one, str):
                found.refused[one] += 1
                continue
            pair, named = one
            writer.write(pair.model_dump_json().encode() + b"\n")
            found.digests.append(named)
            found.marks.add(prompt_mark(pair.prompt, seed))
            found.documents.update(pair.evidence)
            found.sources[pair.source] += 1
            found.untraced += not pair.evidence
    return found


def _nothing(wanted: Wanted, refused: Counter[str]) -> str:
    if refused:
        told = ", ".join(f"{count} {reason}" for reason, count in sorted(refused.items()))
        return f"No row is a pair: {told}. Each line needs prompt, chosen and rejected, as texts that are not empty and differ."
    if wanted.file_sha256:
        return "The file holds no row: each line has to be a JSON object with prompt, chosen and rejected."
    return (
        "No feedback makes a pair yet: correct an answer, or rate one answer to a prompt up and another down. "
        "Or upload pairs: `lectern preferences build NAME --file pairs.jsonl`."
    )


def _written(parts: Parts, key: str, wanted: Wanted, found: _Gathered, kept: Path) -> PreferenceSet:
    """Files first; the entry of the series, which names them, is the commit."""
    chosen = held_out(found.marks, wanted.parameters.heldout_share)
    counts = _split(kept, chosen, wanted.parameters.seed)
    files = {
        name: parts.store.upload(layout.preference_file(short(key), "made", name), kept.with_name(name)) for name in counts
    }
    at = now()
    made = PreferenceSet(
        key=key, name=wanted.name, version=_version(parts.store, wanted.name, short(key), at),
        source="file" if wanted.file_sha256 else "feedback", model=wanted.model, filename=wanted.filename,
        file_sha256=wanted.file_sha256, parameters=wanted.parameters, pairs=counts[TRAIN], heldout=counts[HELDOUT],
        prompts=len(found.marks), sources=dict(sorted(found.sources.items())), refused=dict(sorted(found.refused.items())),
        untraced=found.untraced, files=files, by=wanted.by, created_at=at,
    )  # fmt: skip
    Series(parts.store, layout.preference_set(short(key))).append(made)
    parts.catalog.put_preferences(made)
    return made


def _split(kept: Path, chosen: frozenset[bytes], seed: int) -> dict[str, int]:
    """Write the training and the held-out file beside it; returns their pairs."""
    counts = {TRAIN: 0, HELDOUT: 0}
    with ExitStack() as stack:
        lines = stack.enter_context(kept.open("rb"))
        writers = {name: stack.enter_context(kept.with_name(name).open("wb")) for name in counts}
        for line in lines:
            mark = prompt_mark(Preference.model_validate_json(line).prompt, seed)
            name = HELDOUT if mark in chosen else TRAIN
            writers[name].write(line)
            counts[name] += 1
    return counts


def _version(store: ObjectStore, name: str, preferences: str, at: str) -> int:
    """The next number of the name, or the one that this set drew in an attempt that was cut short."""
    series = Series(store, layout.preference_versions(name))
    latest = series.latest(PreferenceVersion)
    if latest is not None and latest[1].set == preferences:
        return latest[0]
    return series.append(PreferenceVersion(set=preferences, created_at=at))
