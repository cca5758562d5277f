"""Taggers are trained from labelled pages, of each kind, and published for the workers."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import DistilBertConfig, DistilBertModel, PreTrainedTokenizerFast

from examples.labelled.__main__ import document
from examples.labelled.houses import HELD_OUT, TRAINING
from services.cleaning.adapters.published_models import line_model, model_in
from services.cleaning.adapters.tagger_torch import BiLstmCrf, LinearCrf, batch_of
from services.cleaning.evaluate_tagger import measured
from services.cleaning.labelled import by_document, flat_labels, read_labelled, rows
from services.cleaning.stages.line_features import LABELS
from services.cleaning.stages.line_model import ChainModel
from services.cleaning.tag_lines import labelled_pages
from services.cleaning.train_tagger import main, train_tagger
from shared.contracts.taggers import LabelledPage
from shared.errors import Conflict, InvalidInput, NotFound
from shared.objects import ObjectStore, open_store
from shared.settings import SharedSettings
from shared.taggers import publish_tagger

Documents = list[list[LabelledPage]]


@pytest.fixture(scope="module")
def documents() -> Documents:
    return [document(house, seed) for house in TRAINING[:5] for seed in (0, 1)]


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(SharedSettings(store_url=f"file://{tmp_path / 'store'}"))


@pytest.mark.parametrize(("kind", "epochs", "least"), [("crf", 12, 0.93), ("bilstm-crf", 30, 0.85)])
def test_a_few_pages_teach_a_tagger_most_of_their_labels(
    documents: Documents, kind: str, epochs: int, least: float, tmp_path: Path
) -> None:
    """The commonest label alone would be right of two lines in three."""
    train_tagger(documents, kind, tmp_path, epochs, 0, None)

    assert measured(model_in(tmp_path), documents).accuracy() > least


@pytest.mark.parametrize("network", [LinearCrf, BiLstmCrf])
def test_numpy_says_what_torch_says(documents: Documents, network: type[LinearCrf] | type[BiLstmCrf]) -> None:
    torch.manual_seed(3)
    trained = network().eval()
    for parameter in trained.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    pages = list(rows(documents[0]))
    model = ChainModel({name: tensor.detach().numpy() for name, tensor in trained.arrays().items()})

    best = [[tag.label for tag in tags] for tags in model.labelled([features for features, _ in pages])]

    told = [
        (features, np.array([LABELS.index(label) for label in labels]))
        for (features, _), labels in zip(pages, best, strict=True)
    ]
    others = [(features, (labels + 1) % len(LABELS)) for features, labels in told]
    with torch.no_grad():
        assert trained(batch_of(told)) < trained(batch_of(others))


def test_the_same_pages_and_seed_make_the_same_tagger(documents: Documents, tmp_path: Path) -> None:
    for name in ("one", "two"):
        train_tagger(documents[:4], "crf", tmp_path / name, 2, 0, None)

    assert (tmp_path / "one" / "model.safetensors").read_bytes() == (tmp_path / "two" / "model.safetensors").read_bytes()


def test_any_encoder_of_a_local_directory_can_be_fine_tuned_instead(documents: Documents, tmp_path: Path) -> None:
    base, out = tmp_path / "base", tmp_path / "out"
    tiny = DistilBertConfig(vocab_size=64, dim=16, n_layers=1, n_heads=2, hidden_dim=32, max_position_embeddings=128)
    DistilBertModel(tiny).save_pretrained(base)
    words = {word: at for at, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "paragraph", "top", "bottom", "|"])}
    plain = Tokenizer(WordLevel(words, unk_token="[UNK]"))
    plain.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=plain, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(base)

    made = train_tagger(documents[:3], "encoder", out, 1, 0, base)

    assert made["kind"] == "encoder"
    assert (out / "model.safetensors").is_file()
    (tags,) = (one.labels for one in labelled_page_of(documents[0][0], out, tmp_path))
    assert sum(len(own) for own in tags) == len(flat_labels(documents[0][0]))


def labelled_page_of(one: LabelledPage, tagger: Path, scratch: Path) -> list[LabelledPage]:
    (scratch / "one.pages.jsonl").write_text(one.page.model_dump_json() + "\n")
    return list(labelled_pages("one", scratch / "one.pages.jsonl", model_in(tagger)))


def test_an_encoder_needs_one_to_start_from(documents: Documents, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="--base"):
        train_tagger(documents[:2], "encoder", tmp_path, 1, 0, None)


def test_workers_fetch_a_published_tagger_by_its_name(documents: Documents, store: ObjectStore, tmp_path: Path) -> None:
    train_tagger(documents[:4], "crf", tmp_path / "made", 1, 0, None)
    train_tagger(documents[:4], "crf", tmp_path / "other", 2, 0, None)

    def fetch(path: str) -> Path:
        store.download(path, tmp_path / "fetched" / path)
        return tmp_path / "fetched" / path

    first = publish_tagger(store, tmp_path / "made", "ours")
    assert publish_tagger(store, tmp_path / "made", "ours") == first
    assert line_model("ours", fetch, tmp_path / "scratch") is not None
    assert line_model("rules", fetch, tmp_path / "scratch") is None
    with pytest.raises(Conflict, match="another tagger"):
        publish_tagger(store, tmp_path / "other", "ours")
    with pytest.raises(InvalidInput, match="cannot name a tagger"):
        publish_tagger(store, tmp_path / "made", "crf")
    with pytest.raises(NotFound, match="lectern cleaner publish"):
        line_model("theirs", fetch, tmp_path / "scratch")


def test_a_file_of_something_else_is_refused_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "labels.jsonl").write_text('{"document": "a"}\n')

    assert main([str(tmp_path / "labels.jsonl"), "--out", str(tmp_path / "out")]) == 1
    assert "line 1 of labels.jsonl is no labelled page" in json.loads(capsys.readouterr().out)["detail"]


def test_labels_that_do_not_fit_their_page_are_refused(documents: Documents, tmp_path: Path) -> None:
    short = documents[0][0].model_copy(update={"labels": documents[0][0].labels[:-1]})
    (tmp_path / "labels.jsonl").write_text(short.model_dump_json() + "\n")

    with pytest.raises(InvalidInput, match="for each line of each block"):
        list(by_document(read_labelled(tmp_path / "labels.jsonl")))


@pytest.mark.parametrize("house", [*TRAINING, *HELD_OUT], ids=lambda house: house.name)
def test_invented_pages_know_what_nearly_all_of_their_lines_are(house: object) -> None:
    labels = [label for page in document(house, 7) for label in flat_labels(page)]  # type: ignore[arg-type]

    assert labels.count(None) <= 0.02 * len(labels)
    assert "content" in labels
