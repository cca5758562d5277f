"""Near-duplicates: the best copy stays, every link is true, and nothing is lost to a collision or to the order of things."""

import json
import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.cleaning.adapters.minhash import Sketched, Sketcher
from services.cleaning.duplicates import ChunkFile, Found, find_duplicates
from services.cleaning.stages.near_duplicates import bands, first_copies, near_links
from services.cleaning.stages.shingles import Shingler, jaccard, words_of
from shared.contracts.datasets import DuplicateLink, NearDuplicateParameters

WORDS = [f"word{number}" for number in range(400)]


def prose(seed: int, words: int = 120) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=words))


def changed(text: str, words: int, seed: int = 0) -> str:
    """The text with so many words in a row replaced."""
    said = text.split()
    begin = random.Random(seed).randrange(len(said) - words)
    return " ".join([*said[:begin], *(f"new{n}" for n in range(words)), *said[begin + words :]])


def files(root: Path, **documents: list[str]) -> list[ChunkFile]:
    made = []
    for name, texts in documents.items():
        path = root / f"{name}.jsonl"
        path.write_text("".join(json.dumps({"id": f"{name}-{at}", "text": text}) + "\n" for at, text in enumerate(texts)))
        made.append(ChunkFile(name, path, replayed=name.startswith("replayed")))
    return made


def found(root: Path, given: list[ChunkFile], **parameters: object) -> tuple[Found, list[DuplicateLink]]:
    target = root / "duplicates.jsonl"
    wanted = NearDuplicateParameters.model_validate(parameters)
    result = find_duplicates(given, target, root / "scratch", wanted)
    return result, [DuplicateLink.model_validate_json(line) for line in target.read_text().splitlines()]


def true_similarity(one: str, other: str, words: int = 5) -> float:
    """By sets of strings, which shares no code with what is tested."""
    first, second = (
        {tuple(said[at : at + words]) for at in range(max(1, len(said) - words + 1))} for said in (one.split(), other.split())
    )
    return len(first & second) / len(first | second)


def test_exact_and_near_copies_are_left_out_and_linked_to_the_one_that_stays(tmp_path: Path) -> None:
    text = prose(1)
    near = changed(text, 2)
    result, links = found(tmp_path, files(tmp_path, a=[prose(2), text], b=[text.upper() + "!"], c=[near, prose(3)]))

    assert (result.exact, result.near) == (1, 1)
    assert [(link.duplicate, link.kept, link.how) for link in links] == [("b-0", "a-1", "exact"), ("c-0", "a-1", "near")]
    assert links[1].similarity == pytest.approx(true_similarity(text, near), abs=1e-4)
    assert [flags.tolist() for flags in (result.of(0), result.of(1), result.of(2))] == [[False, False], [True], [True, False]]


def test_the_longest_copy_stays_then_that_of_the_longest_document_then_the_first(tmp_path: Path) -> None:
    text = prose(1)
    longer = text + " and a few words more"
    _, by_length = found(tmp_path, files(tmp_path, a=[text], b=[longer]))
    _, by_document = found(tmp_path, files(tmp_path, a=[text], b=[text, prose(5)]))
    _, by_order = found(tmp_path, files(tmp_path, a=[text], b=[text]))

    assert [link.kept for link in (*by_length, *by_document, *by_order)] == ["b-0", "b-0", "a-0"]


def test_a_replayed_chunk_never_displaces_the_datasets_own(tmp_path: Path) -> None:
    text = prose(1)
    _, links = found(tmp_path, files(tmp_path, a=[text], replayed=[text + " and a few words more", prose(9)]))

    assert [(link.duplicate, link.kept) for link in links] == [("replayed-0", "a-0")]


def test_a_chain_of_ever_less_similar_texts_does_not_drop_its_far_end(tmp_path: Path) -> None:
    chain = [prose(1)]
    for step in range(12):
        said = chain[-1].split()
        said[step * 9] = f"other{step}"
        chain.append(" ".join(said))
    _, links = found(tmp_path, files(tmp_path, a=chain))
    texts = {f"a-{at}": text for at, text in enumerate(chain)}

    assert true_similarity(chain[0], chain[-1]) < 0.5
    assert links
    assert all(true_similarity(texts[link.duplicate], texts[link.kept]) >= 0.8 for link in links)
    assert not {link.kept for link in links} & {link.duplicate for link in links}


def test_a_threshold_of_one_finds_exact_copies_alone(tmp_path: Path) -> None:
    text = prose(1)
    result, _ = found(tmp_path, files(tmp_path, a=[text, text, changed(text, 1)]), threshold=1)

    assert (result.exact, result.near) == (1, 0)


def test_texts_that_collide_in_every_band_are_kept_unless_they_are_alike() -> None:
    shingles = [np.arange(start, start + 50, dtype=np.uint64) for start in range(0, 5_000, 50)]
    shared = np.ones((100, 4), np.int32)
    kept = np.zeros((2, 16), np.int32)

    assert list(near_links(np.arange(100), shared, kept, lambda row: shingles[row], 0.8)) == []


def test_nearly_all_pairs_above_the_threshold_are_found(tmp_path: Path) -> None:
    originals = [prose(seed) for seed in range(300)]
    copies = [changed(text, 8, seed) for seed, text in enumerate(originals)]
    pairs = sum(true_similarity(one, other) >= 0.8 for one, other in zip(originals, copies, strict=True))
    result, _ = found(tmp_path, files(tmp_path, a=originals, b=copies))

    assert pairs == 300
    assert result.near >= 0.97 * pairs


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 0.9, 0.95])
def test_bands_propose_what_is_at_the_threshold(threshold: float) -> None:
    count, rows = bands(threshold, 128)

    assert count * rows <= 128
    assert 1 - (1 - threshold**rows) ** count >= 0.99


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.sampled_from("abcd"), min_size=0, max_size=9), min_size=1, max_size=12), st.integers(1, 6))
def test_hashed_shingles_are_as_alike_as_shingles_of_words(texts: list[list[str]], size: int) -> None:
    said = [" ".join(words) for words in texts]
    made = Shingler(size)(said)
    ends = made.offsets.astype(int)
    sets = [np.unique(made.shingles[begin:end]) for begin, end in pairwise(ends)]

    for one, first in zip(said, sets, strict=True):
        assert len(first) == (len({tuple(one.split()[at : at + size]) for at in range(max(1, len(one.split()) - size + 1))})
                              if one else 0)  # fmt: skip
        for other, second in zip(said, sets, strict=True):
            if one and other and min(len(one.split()), len(other.split())) >= size:
                assert jaccard(first, second) == pytest.approx(true_similarity(one, other, size))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_each_text_has_one_copy_that_stays_and_it_is_the_best(names: list[int], chance: random.Random) -> None:
    order = list(range(len(names)))
    chance.shuffle(order)
    identity = np.array([[name, name] for name in names], np.uint64)

    copies = first_copies(identity, np.array(order))

    for row, name in enumerate(names):
        assert copies[row] == next(at for at in order if names[at] == name)


def test_texts_without_words_are_copies_only_of_themselves(tmp_path: Path) -> None:
    result, links = found(tmp_path, files(tmp_path, a=["!!!", "???", "!!!", "…"]))

    assert [(link.duplicate, link.kept) for link in links] == [("a-2", "a-0")]
    assert (result.exact, result.near) == (1, 0)


def test_words_are_compared_without_case_and_by_character_where_there_are_no_spaces() -> None:
    assert words_of("The ﬁrst GAUGE, x < 3") == ["the", "first", "gauge", "x", "<", "3"]
    assert words_of("潮位計") == ["潮", "位", "計"]


def test_sketches_do_not_depend_on_how_texts_are_batched() -> None:
    texts = [prose(seed, words) for seed, words in ((1, 200), (2, 3), (3, 0), (4, 57))]
    together = Sketcher(NearDuplicateParameters())(texts)
    alone: list[Sketched] = [Sketcher(NearDuplicateParameters())([text]) for text in texts]

    assert (together.keys == np.concatenate([one.keys for one in alone])).all()
    assert (together.shingled.identity == np.concatenate([one.shingled.identity for one in alone])).all()
