"""Replay of a model's earlier datasets: how many, which never, and that lots decide."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from services.training.replaying import Replayed, replay
from services.training.spec import Earlier
from services.training.stages.examples import Encoded
from services.training.stages.replay import lot, quality
from shared.contracts.documents import Chunk
from shared.contracts.learning import Example
from shared.contracts.recipes import Continual
from tests.unit.training.world import examples, write_lines


def of(document: str, count: int, seed: int) -> list[Example]:
    """Examples of a document, each of a chunk of its own."""
    return [one.model_copy(update={"document": document, "chunk": f"{document}-{one.id}"}) for one in examples(count, seed)]


def earlier(
    tmp_path: Path, name: str, train: Sequence[Example], heldout: Sequence[Example] = (), garbage: float = 0.0
) -> Earlier:
    """A dataset; `garbage` is what the classifier thinks of the chunks of its second half."""
    place = tmp_path / name
    halves = [0.0] * (len(train) // 2) + [garbage] * (len(train) - len(train) // 2)
    chunks = [
        Chunk(id=one.chunk, document=one.document, index=0, text="", tokens=1, probability=probability)
        for one, probability in zip(train, halves, strict=True)
    ]
    paths = {part: write_lines(place / f"{part}.jsonl", rows) for part, rows in (("train", train), ("heldout", heldout))}
    (place / "chunks.jsonl").write_text("".join(f"{one.model_dump_json()}\n" for one in chunks))
    return Earlier(dataset=name, chunks=place / "chunks.jsonl", **paths)


def encode(example: Example) -> Encoded:
    """Told apart by its id, and as long as its output has words."""
    return Encoded(ids=(int(example.id.replace("-", "")[1:]),) * len(example.output.split()), labels=(0,))


def drawn(tmp_path: Path, before: Sequence[Earlier], own: Sequence[Example], how: Continual, seed: int = 17) -> Replayed:
    heldout = write_lines(tmp_path / "own-heldout.jsonl", of("kept back", 2, 9))
    return replay(before, own, heldout, how, seed, 100, encode)


OWN = of("new", 8, 1)


def test_the_share_is_of_all_that_is_trained_on(tmp_path: Path) -> None:
    before = [earlier(tmp_path, "a", of("a", 30, 2)), earlier(tmp_path, "b", of("b", 30, 3))]
    found = drawn(tmp_path, before, OWN, Continual(replay_share=0.5))
    assert len(found.encoded) == 8 and sum(count for _, count in found.counts) == 8
    assert {name for name, _ in found.counts} == {"a", "b"}
    assert found == drawn(tmp_path, before, OWN, Continual(replay_share=0.5))
    assert found != drawn(tmp_path, before, OWN, Continual(replay_share=0.5), seed=18)
    assert drawn(tmp_path, before, OWN, Continual(replay_share=0, ewc=0)) == Replayed()
    assert len(drawn(tmp_path, before, OWN, Continual(replay_share=0.95)).encoded) == 60, "as far as there are so many"


def test_the_first_drawn_tell_what_mattered_whether_they_are_replayed_or_not(tmp_path: Path) -> None:
    before = [earlier(tmp_path, "a", of("a", 30, 2))]
    found = drawn(tmp_path, before, OWN, Continual(replay_share=0.5, ewc=1.0, fisher_examples=12))
    assert (len(found.encoded), len(found.mattering), found.counts) == (8, 12, (("a", 8),))
    assert found.mattering[:8] == found.encoded
    alone = drawn(tmp_path, before, OWN, Continual(replay_share=0, ewc=1.0, fisher_examples=12))
    assert (alone.encoded, alone.counts, alone.mattering) == ((), (), found.mattering)
    assert drawn(tmp_path, before, OWN, Continual(replay_share=0.5, ewc=0)).mattering == ()


def test_what_is_held_out_anywhere_is_never_replayed_nor_what_is_trained_on_already(tmp_path: Path) -> None:
    heldout_in_b, both, own_document = of("b2", 3, 4), of("c", 3, 5), of("kept back", 2, 8)
    first = earlier(tmp_path, "a", [*heldout_in_b, *both, *OWN[:4], *own_document, *of("a", 2, 6)])
    second = earlier(tmp_path, "b", [*of("b", 2, 7), both[2]], [*of("b2", 1, 4), *both[:1]])
    found = drawn(tmp_path, [first, second], [*OWN, both[1]], Continual(replay_share=0.9))
    assert sorted(one.ids[0] for one in found.encoded) == sorted(
        encode(one).ids[0] for one in [both[2], *of("a", 2, 6), *of("b", 2, 7)]
    ), "of b2 the whole document is held out in b; of c one chunk, and another is trained on anyway"


def test_each_that_says_the_same_is_replayed_once(tmp_path: Path) -> None:
    rows = of("a", 5, 2)
    found = drawn(tmp_path, [earlier(tmp_path, "a", rows), earlier(tmp_path, "b", rows)], OWN, Continual(replay_share=0.9))
    assert found.counts == (("a", 5),)


def test_an_example_over_the_limit_is_passed_over_for_another(tmp_path: Path) -> None:
    rows = of("a", 20, 2)
    long = {encode(one).ids[0] for one in rows if len(encode(one).ids) > 6}
    heldout = write_lines(tmp_path / "h.jsonl", [])
    found = replay([earlier(tmp_path, "a", rows)], OWN, heldout, Continual(replay_share=0.5), 17, 6, encode)
    assert len(found.encoded) == 8 and long and not long & {one.ids[0] for one in found.encoded}


def test_by_quality_what_looked_like_garbage_is_drawn_less_and_by_reservoir_as_often(tmp_path: Path) -> None:
    rows = of("a", 40, 2)
    before = [earlier(tmp_path, "a", rows, garbage=0.9)]
    better = {encode(one).ids[0] for one in rows[:20]}

    def share(how: str) -> float:
        told = Counter(
            one.ids[0] in better
            for seed in range(40)
            for one in drawn(
                tmp_path, before, OWN, Continual.model_validate({"replay_share": 0.5, "replay": how}), seed
            ).encoded
        )
        return told[True] / sum(told.values())

    assert share("reservoir") == pytest.approx(0.5, abs=0.1)
    assert share("quality") > 0.75


def test_weights_decide_in_their_ratio() -> None:
    first = sum(lot(seed, "a", 3.0) < lot(seed, "b", 1.0) for seed in range(2_000)) / 2_000
    assert first == pytest.approx(0.75, abs=0.03), "of two, the one with three quarters of the weight"


def test_people_overrule_the_classifier_and_flags_halve() -> None:
    def chunk(**fields: object) -> Chunk:
        return Chunk.model_validate({"id": "c", "document": "d", "index": 0, "text": "", "tokens": 1, **fields})

    assert quality(chunk()) == 1.0
    assert quality(chunk(probability=0.75)) == 0.25
    assert quality(chunk(probability=0.75, decided_by="people")) == 1.0
    assert quality(chunk(flags=("phone", "instructions"))) == 0.25
    assert quality(chunk(probability=1.0)) == 0.01
