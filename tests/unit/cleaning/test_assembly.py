"""A dataset as a whole: nothing known on both sides, every example traced, earlier datasets replayed, a card that says so."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import datasets
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yaml import safe_load

from services.cleaning.assemble import Parts, Shelf, assemble
from services.cleaning.replay import Earlier
from services.cleaning.stages.card import card, shown
from services.cleaning.stages.chunk import chunks
from services.cleaning.stages.dataset import Skipped, Source, Terms
from shared.contracts.datasets import DuplicateLink, NearDuplicateParameters, ReplayParameters
from shared.contracts.documents import Chunk, ChunkingParameters
from shared.contracts.learning import DatasetInput, DatasetParameters, DatasetResult, DatasetWish, Example
from shared.contracts.work import Rejected
from shared.template import ALPACA, PromptTemplate
from tests.unit.cleaning.texts import piece, words

TEMPLATE = PromptTemplate(ALPACA)
PARAMETERS = DatasetParameters(max_answer_tokens=40, max_example_tokens=140)
THINGS = [f"{kind}{number}" for kind in ("gauge", "pier", "drum", "float") for number in range(60)]


def sentence(chance: random.Random) -> str:
    return f"The {' '.join(chance.choices(THINGS, k=9))} is read each morning."


def document(root: Path, name: str, seed: int, pages: int = 3, sentences: int = 12) -> Shelf:
    """A document whose text no other has, unless it has the same seed."""
    chance = random.Random(seed)
    pieces = [
        piece(" ".join(sentence(chance) for _ in range(sentences)), section=(f"{page} Gauges",), number=page)
        for page in range(1, pages + 1)
    ]
    path = root / f"{name}.chunks.jsonl"
    made = chunks(name * 8, pieces, ChunkingParameters(max_tokens=60), words)
    path.write_text("".join(chunk.model_dump_json() + "\n" for chunk in made))
    return Shelf(Source(name * 8, f"{name}.pdf", f"Tides of {name}"), path)


def made(
    root: Path, shelves: list[Shelf], parameters: DatasetParameters = PARAMETERS, parts: Parts | None = None, out: str = "out"
) -> DatasetResult | Rejected:
    (root / out).mkdir(parents=True)
    (root / f"{out}-scratch").mkdir()
    terms = Terms(parameters, words, TEMPLATE)
    return assemble(shelves, root / out, root / f"{out}-scratch", terms, lambda done, total, part: None, parts)


def read(root: Path, split: str) -> list[Example]:
    return [Example.model_validate_json(line) for line in (root / f"{split}.jsonl").read_text().splitlines()]


def kept_chunks(root: Path) -> dict[str, Chunk]:
    found = (Chunk.model_validate_json(line) for line in (root / "chunks.jsonl").read_text().splitlines())
    return {chunk.id: chunk for chunk in found}


def words_alike(one: str, other: str) -> float:
    first, second = ({tuple(said[at : at + 5]) for at in range(max(1, len(said) - 4))} for said in (one.split(), other.split()))
    return len(first & second) / len(first | second)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 4)), min_size=1, max_size=6), st.integers(0, 50),
    st.floats(0.05, 0.6), st.integers(16, 60),
)  # fmt: skip
def test_whatever_the_documents_the_sides_are_apart_the_budget_is_kept_and_every_example_is_traced(
    tmp_path_factory: pytest.TempPathFactory, seeds: list[tuple[int, int]], seed: int, share: float, budget: int
) -> None:
    """Documents of the same seed are copies of each other, of more or fewer pages."""
    root = tmp_path_factory.mktemp("dataset")
    shelves = [document(root, "abcdef"[at], number, pages) for at, (number, pages) in enumerate(seeds)]
    parameters = DatasetParameters(max_answer_tokens=budget, max_example_tokens=140, seed=seed, heldout_share=share)

    result = made(root, shelves, parameters)

    if isinstance(result, Rejected):
        assert result.reason == "empty-dataset"
        return
    train, heldout, known = read(root / "out", "train"), read(root / "out", "heldout"), kept_chunks(root / "out")
    assert train and heldout
    if result.split != "chunk":
        pages_of = [{(one.document, span.page) for one in side for span in one.spans} for side in (train, heldout)]
        assert not pages_of[0] & pages_of[1]
    for one in heldout:
        assert all(words_alike(known[one.chunk].text, known[other.chunk].text) < 0.8 for other in train)
    for one in (*train, *heldout):
        text = known[one.chunk].text
        assert one.output in text and (one.input in text)
        assert one.spans and all(span in known[one.chunk].spans for span in one.spans)
        begin = text.index(one.input + " " + one.output if one.input else one.output)
        assert any(span.start <= begin < span.end for span in one.spans)
        assert one.tokens == words(TEMPLATE.prompt(one.instruction, one.input) + one.output) + 1 <= 140
        assert words(one.output) <= budget


def test_a_copy_of_a_document_is_left_out_and_its_links_are_written_down(tmp_path: Path) -> None:
    shelves = [document(tmp_path, "a", 1), document(tmp_path, "b", 2), document(tmp_path, "c", 1)]
    result = made(tmp_path, shelves)

    assert isinstance(result, DatasetResult)
    links = [DuplicateLink.model_validate_json(line) for line in (tmp_path / "out/duplicates.jsonl").read_text().splitlines()]
    assert {(link.duplicate_document, link.kept_document) for link in links} == {("c" * 8, "a" * 8)}
    assert sum(result.duplicates.values()) == len(links) == sum(1 for _ in shelves[2].chunks.open())
    assert result.documents == 2


def test_one_document_is_split_by_page_where_it_has_enough(tmp_path: Path) -> None:
    result = made(tmp_path, [document(tmp_path, "a", 1, pages=6)])

    assert isinstance(result, DatasetResult) and result.split == "page"
    sides = [{span.page for one in read(tmp_path / "out", split) for span in one.spans} for split in ("train", "heldout")]
    assert sides[0] and sides[1] and not sides[0] & sides[1]
    assert result.skipped.get("page-held-out", 0) > 0, "chunks on the held-out chunks' pages are on neither side"


def test_earlier_examples_are_replayed_to_their_share_and_say_where_they_are_from(tmp_path: Path) -> None:
    first = made(tmp_path, [document(tmp_path, name, number) for number, name in enumerate("abcd")], out="first")
    earlier = Earlier("1" * 16, tmp_path / "first/train.jsonl", tmp_path / "first/chunks.jsonl")
    parameters = PARAMETERS.model_copy(update={"replay": ReplayParameters(datasets=("1" * 16,), share=0.2)})
    own = [document(tmp_path, name, 10 + number) for number, name in enumerate("efgh")]

    result = made(tmp_path, own, parameters, Parts(earlier=(earlier,)), out="second")
    again = made(tmp_path, own, parameters, Parts(earlier=(earlier,)), out="third")

    assert isinstance(first, DatasetResult) and isinstance(result, DatasetResult) and result == again
    replayed = [one for one in read(tmp_path / "second", "train") if one.replayed_from]
    assert result.replayed == len(replayed) == round(0.25 * (result.train - result.replayed))
    assert {one.replayed_from for one in replayed} == {"1" * 16}
    known = kept_chunks(tmp_path / "second")
    assert all(one.output in known[one.chunk].text for one in replayed)
    assert not any(one.replayed_from for one in read(tmp_path / "second", "heldout"))


def test_what_is_too_long_for_this_dataset_is_not_replayed(tmp_path: Path) -> None:
    made(tmp_path, [document(tmp_path, name, number) for number, name in enumerate("abcd")], out="first")
    earlier = Earlier("1" * 16, tmp_path / "first/train.jsonl", tmp_path / "first/chunks.jsonl")
    told = {"replay": ReplayParameters(datasets=("1" * 16,), share=0.5), "max_example_tokens": 80}
    own = [document(tmp_path, name, 10 + number) for number, name in enumerate("efgh")]

    result = made(tmp_path, own, PARAMETERS.model_copy(update=told), Parts(earlier=(earlier,)), out="second")

    assert isinstance(result, DatasetResult) and result.replayed > 0
    assert any(one.tokens > 80 for one in read(tmp_path / "first", "train"))
    assert all(one.tokens <= 80 for one in read(tmp_path / "second", "train"))


def test_nothing_that_is_held_out_comes_back_by_replay(tmp_path: Path) -> None:
    made(tmp_path, [document(tmp_path, name, number) for number, name in enumerate("abcd")], out="first")
    earlier = Earlier("1" * 16, tmp_path / "first/train.jsonl", tmp_path / "first/chunks.jsonl")
    parameters = PARAMETERS.model_copy(update={"replay": ReplayParameters(datasets=("1" * 16,), share=0.9), "seed": 5})
    own = [document(tmp_path, name, number) for number, name in zip((0, 1, 2, 7), "aijk", strict=True)]

    result = made(tmp_path, own, parameters, Parts(earlier=(earlier,)), out="second")

    assert isinstance(result, DatasetResult)
    train, heldout = read(tmp_path / "second", "train"), read(tmp_path / "second", "heldout")
    held = kept_chunks(tmp_path / "second")
    for one in (each for each in train if each.replayed_from):
        assert one.document == "d" * 8, "all else is what this dataset says itself"
        assert all(words_alike(held[one.chunk].text, held[other.chunk].text) < 0.8 for other in heldout)


def wish(**parameters: object) -> DatasetWish:
    wanted = DatasetParameters.model_validate(parameters)
    inputs = (DatasetInput(document="d", filename="d.pdf", screening_key="k"),)
    return DatasetWish(
        key="0123456789abcdef" * 4, name="tides", collection="papers", base="tiny", parameters=wanted, inputs=inputs, version=3,
        created_at="2026-01-01T00:00:00Z",
    )  # fmt: skip


def described(root: Path, shelves: list[Shelf], **parameters: object) -> str:
    one = wish(**parameters)
    parts = Parts(describe=lambda written: card(one, "Apache-2.0", TEMPLATE, "<eos>", written))
    made(root, shelves, PARAMETERS, parts)
    return (root / "out/README.md").read_text()


def test_the_card_counts_and_its_directory_opens_as_a_dataset_by_either_format(tmp_path: Path) -> None:
    text = described(tmp_path, [document(tmp_path, name, number) for number, name in enumerate("abc")], licence="CC BY 4.0")
    front = safe_load(text.split("---\n")[1])

    assert (front["license_name"], front["lectern"]["version"]) == ("CC BY 4.0", 3)
    assert "| a\\.pdf |" in text.replace("a.pdf", "a\\.pdf") and "Tokens of prompt, answer and EOS." in text
    train, heldout = read(tmp_path / "out", "train"), read(tmp_path / "out", "heldout")
    parquet = {split: str(tmp_path / f"out/{split}.parquet") for split in ("train", "heldout")}
    for name, files in ((str(tmp_path / "out"), None), ("parquet", parquet)):
        opened = datasets.load_dataset(name, data_files=files, cache_dir=str(tmp_path / "cache"))
        assert list(opened["train"]["output"]) == [one.output for one in train]
        assert list(opened["heldout"]["id"]) == [one.id for one in heldout]


def test_a_document_cannot_speak_in_the_cards_name(tmp_path: Path) -> None:
    evil = "The pier is old. `````\n# Hacked\n<script>alert(1)</script> and | a cell \u202e turned."
    shelves = [document(tmp_path, name, number) for number, name in enumerate("ab")]
    for one in shelves:
        lines = [Chunk.model_validate_json(line) for line in one.chunks.read_text().splitlines()]
        one.chunks.write_text(
            "".join(c.model_copy(update={"text": f"{evil} {c.text}"}).model_dump_json() + "\n" for c in lines)
        )
    shelves[0] = Shelf(Source("a" * 8, "<img src=x>|`a`\u202e.pdf", "Tides"), shelves[0].chunks)

    text = described(tmp_path, shelves, licence='"\n---\nlicense: mit')

    outside, fence = [], ""
    for line in text.splitlines():
        ticks = line[: len(line) - len(line.lstrip("`"))]
        if not fence and len(ticks) >= 3:
            fence = ticks
        elif fence and line == fence:
            fence = ""
        elif not fence:
            outside.append(line)
    assert not fence
    assert not any("Hacked" in line or "<script" in line or "<img" in line for line in outside)
    assert "\u202e" not in text
    assert safe_load(text.split("---\n")[1])["license"] == "other"


def test_what_is_shown_of_a_text_has_no_hidden_characters_and_an_end() -> None:
    assert shown("a\u202eb\u200b\x1b[31m\nc") == "ab[31m\nc"
    assert shown("x" * 50, 10) == "x" * 10 + " …"


def test_a_threshold_is_a_share() -> None:
    with pytest.raises(ValueError, match="threshold"):
        NearDuplicateParameters(threshold=1.1)
    with pytest.raises(ValueError, match="qa needs a model"):
        DatasetParameters(recipes=("qa",))


def test_a_model_is_asked_about_as_many_chunks_as_the_wish_allows(tmp_path: Path) -> None:
    shelves = [document(tmp_path, name, number) for number, name in enumerate("abc")]
    parameters = DatasetParameters.model_validate({
        "recipes": ("continuation", "qa"), "qa": {"model": "m", "max_chunks": 4}, "max_example_tokens": 140,
    })  # fmt: skip
    asked: list[str] = []

    def pairs(source: Source, chunks: Sequence[Chunk]) -> Iterator[Example | Skipped]:
        asked.extend(chunk.id for chunk in chunks)
        yield Skipped("qa-judged-wrong")

    result = made(tmp_path, shelves, parameters, Parts(pairs=pairs))

    assert isinstance(result, DatasetResult) and len(set(asked)) == len(asked) == 4
    assert result.skipped["qa-judged-wrong"] == 3
