"""Examples: whole sentences to answer with, within the budget, and never the same one on both sides."""

import json
from collections import Counter
from pathlib import Path

import datasets
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cleaning.assemble import Shelf, assemble
from services.cleaning.stages.chunk import chunks
from services.cleaning.stages.dataset import Skipped, Source, Terms, examples, question
from services.cleaning.stages.sentences import sentence_spans
from services.cleaning.stages.split import heldout_documents
from shared.contracts.datasets import NearDuplicateParameters
from shared.contracts.documents import Chunk, ChunkingParameters
from shared.contracts.learning import DatasetParameters, DatasetResult, Example
from shared.contracts.work import Rejected
from shared.template import ALPACA, PromptTemplate, render_prompt
from tests.unit.cleaning.texts import SENTENCES, piece, words

PARAMETERS = DatasetParameters(
    max_answer_tokens=24, max_example_tokens=110, near_duplicates=NearDuplicateParameters(threshold=1)
)
"""The sentences of these tests are alike, and few: near-duplicates have tests of their own."""
TEMPLATE = PromptTemplate(ALPACA)
SOURCE = Source("d" * 64, "tides.pdf", "The Reading of Tides")


def chunks_of(name: str, sections: int = 3) -> list[Chunk]:
    pieces = []
    for number in range(sections):
        text = " ".join(sentence.replace("gauge", f"gauge {name}{number}") for sentence in SENTENCES)
        pieces.append(piece(f"{text} It was in {name} {number}.", section=(f"{number + 1} Gauges of {name}",)))
    return list(chunks(name * 8, pieces, ChunkingParameters(max_tokens=40), words))


def made(found: list[Chunk], parameters: DatasetParameters = PARAMETERS) -> list[Example]:
    return [one for one in examples(SOURCE, found, Terms(parameters, words, TEMPLATE)) if isinstance(one, Example)]


def shelf(root: Path, name: str, sections: int = 3) -> Shelf:
    path = root / f"{name}.chunks.jsonl"
    path.write_text("".join(chunk.model_dump_json() + "\n" for chunk in chunks_of(name, sections)))
    return Shelf(Source(name * 8, f"{name}.pdf", f"Tides of {name}"), path)


def assembled(root: Path, names: str, out: str = "out", sections: int = 3, **parameters: object) -> DatasetResult | Rejected:
    target, scratch = root / out, root / f"{out}-scratch"
    target.mkdir()
    scratch.mkdir()
    shelves = [shelf(root, name, sections) for name in names]
    wanted = PARAMETERS.model_copy(update=parameters)
    return assemble(shelves, target, scratch, Terms(wanted, words, TEMPLATE), lambda done, total, part: None)


def read(path: Path) -> list[Example]:
    return [Example.model_validate_json(line) for line in path.read_text().splitlines()]


def test_answers_are_whole_sentences() -> None:
    for example in made(chunks_of("aa")):
        ends = {end for _, end in sentence_spans(example.output)}
        assert len(example.output) in ends
        assert example.output[-1] in ".!?"


def test_a_continuation_continues_the_chunk_that_it_names() -> None:
    found = {chunk.id: chunk for chunk in chunks_of("aa")}

    for example in made(list(found.values())):
        if example.recipe == "continuation":
            text = found[example.chunk].text
            assert f"{example.input} {example.output}" in text
            assert example.instruction == 'Continue this passage from "The Reading of Tides".'


def test_every_sentence_but_the_first_of_a_chunk_is_an_answer_once() -> None:
    (chunk,) = chunks_of("aa", sections=1)[:1]

    answers = " ".join(example.output for example in made([chunk]) if example.recipe == "continuation")

    assert answers == chunk.text.split(". ", 1)[1]


def test_prompt_answer_and_eos_are_within_the_budget() -> None:
    for example in made(chunks_of("aa")):
        prompt = render_prompt("alpaca", example.instruction, example.input)
        assert words(prompt + example.output) + 1 <= PARAMETERS.max_example_tokens
        assert words(example.output) <= PARAMETERS.max_answer_tokens


def test_a_section_is_asked_for_once_and_answered_by_its_beginning() -> None:
    asked = [example for example in made(chunks_of("aa")) if example.recipe == "question"]

    assert [example.instruction for example in asked] == [
        'What does "The Reading of Tides" say about Gauges of aa?'
    ] * 3  # fmt: skip
    assert [example.output.split(".")[0] for example in asked] == [f"The gauge aa{n} is read each morning" for n in range(3)]


@pytest.mark.parametrize(
    ("heading", "asked"),
    [
        ("2.1 Spring tides", 'What does "Tides" say about Spring tides?'),
        ("Introduction", 'What does the introduction of "Tides" say?'),
        ("5. Conclusions", 'What do the conclusions of "Tides" say?'),
        ("A Winter at Sea", 'What does "Tides" say about A Winter at Sea?'),
        ("SAFE LANDING", 'What does "Tides" say about Safe Landing?'),
        ("1.", ""),
        ("Evil <|im_end|> heading", ""),
    ],
)
def test_questions_are_asked_plainly(heading: str, asked: str) -> None:
    assert question("Tides", heading) == asked


def test_text_that_speaks_as_the_template_or_tokenizer_makes_no_example() -> None:
    for evil in ("<|im_end|>", "</s>", "### Response:"):
        (chunk,) = chunks_of("aa", sections=1)[:1]
        evil_chunk = chunk.model_copy(update={"text": f"{chunk.text} Then {evil} it said."})

        assert list(examples(SOURCE, [evil_chunk], Terms(PARAMETERS, words, TEMPLATE))) == [Skipped("control-token")]


def test_examples_name_the_spans_they_come_from() -> None:
    found = {chunk.id: chunk for chunk in chunks_of("aa")}

    for example in made(list(found.values())):
        assert example.spans
        text = found[example.chunk].text
        assert any(text[span.start : span.end] in text for span in example.spans)


def test_documents_are_split_and_no_document_is_on_both_sides(tmp_path: Path) -> None:
    result = assembled(tmp_path, "abcdefgh", heldout_share=0.3)

    assert isinstance(result, DatasetResult)
    train, heldout = read(tmp_path / "out/train.jsonl"), read(tmp_path / "out/heldout.jsonl")
    assert (result.train, result.heldout, result.split) == (len(train), len(heldout), "document")
    assert not {one.document for one in train} & {one.document for one in heldout}
    assert len({one.document for one in heldout}) == result.heldout_documents >= 1


def test_one_document_is_split_by_chunk(tmp_path: Path) -> None:
    result = assembled(tmp_path, "a")

    assert isinstance(result, DatasetResult)
    train, heldout = read(tmp_path / "out/train.jsonl"), read(tmp_path / "out/heldout.jsonl")
    assert (result.split, result.heldout_documents) == ("chunk", 0)
    assert train and heldout
    assert not {one.chunk for one in train} & {one.chunk for one in heldout}


@given(st.sets(st.text("abcdef", min_size=1, max_size=6), min_size=2, max_size=30), st.integers(0, 99), st.floats(0.01, 0.89))
def test_either_side_has_a_document_and_another_document_moves_at_most_one(names: set[str], seed: int, share: float) -> None:
    parameters = DatasetParameters(seed=seed, heldout_share=share)

    before = heldout_documents(sorted(names), parameters)
    after = heldout_documents([*sorted(names), "another"], parameters)

    assert 0 < len(before) < len(names)
    assert len((before ^ after) - {"another"}) <= 1


def test_the_same_chunks_give_the_same_bytes(tmp_path: Path) -> None:
    one, other = assembled(tmp_path, "abc", "one"), assembled(tmp_path, "abc", "other")

    assert one == other
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes()


def test_examples_that_say_the_same_are_there_once(tmp_path: Path) -> None:
    root = tmp_path / "twice"
    root.mkdir()
    one, other = shelf(root, "a"), shelf(root, "b")
    again = Shelf(Source("c" * 8, "c.pdf", one.source.title), one.chunks)

    terms = Terms(PARAMETERS, words, TEMPLATE)
    result = assemble([one, other, again], root, tmp_path, terms, lambda done, total, part: None)

    assert isinstance(result, DatasetResult)
    assert result.documents == 2 and result.duplicates == {"exact": 6}
    said = Counter((e.instruction, e.input, e.output) for e in [*read(root / "train.jsonl"), *read(root / "heldout.jsonl")])
    assert set(said.values()) == {1}


@pytest.mark.parametrize("names", ["", "a"])
def test_too_little_text_is_refused(tmp_path: Path, names: str) -> None:
    result = assembled(tmp_path, names, sections=0)

    assert isinstance(result, Rejected)
    assert result.reason == "empty-dataset"


def test_parquet_and_json_lines_open_as_a_dataset_and_say_the_same(tmp_path: Path) -> None:
    assembled(tmp_path, "abc")
    train = tmp_path / "out/train.jsonl"

    rows = pq.read_table(train.with_suffix(".parquet")).to_pylist()
    files = {"parquet": train.with_suffix(".parquet"), "json": train}
    opened = {
        kind: datasets.load_dataset(kind, data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
        for kind, path in files.items()
    }

    assert [row["output"] for row in rows] == [one.output for one in read(train)]
    assert [json.loads(row["spans"]) for row in rows] == [json.loads(line)["spans"] for line in train.read_text().splitlines()]
    assert list(opened["parquet"]["output"]) == list(opened["json"]["output"]) == [one.output for one in read(train)]


def test_the_chunks_behind_the_examples_can_be_looked_up(tmp_path: Path) -> None:
    result = assembled(tmp_path, "abc")

    assert isinstance(result, DatasetResult)
    kept = [Chunk.model_validate_json(line) for line in (tmp_path / "out/chunks.jsonl").read_text().splitlines()]
    named = {one.chunk for one in [*read(tmp_path / "out/train.jsonl"), *read(tmp_path / "out/heldout.jsonl")]}
    assert {chunk.id for chunk in kept} == named
    assert len(kept) == result.chunks
