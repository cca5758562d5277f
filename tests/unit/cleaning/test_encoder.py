"""An encoder as garbage classifier: tiny, random, tuned on a few labels, and read back."""

from pathlib import Path

import pytest

from services.cleaning.classify import train_to
from services.cleaning.stages.held_out import Parted
from shared.contracts.review import ClassifierParameters, ClassifierResult
from shared.errors import Unsupported
from tests.unit.cleaning.test_classifier import asked, labelled, opened

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import DistilBertConfig, DistilBertForSequenceClassification, PreTrainedTokenizerFast

    directory = tmp_path_factory.mktemp("encoder")
    characters = sorted({char for one in labelled(300) for char in one.text + one.rule + "kept:"} - {" "})
    vocabulary = {token: at for at, token in enumerate(["[PAD]", "[UNK]", *characters])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")  # type: ignore[assignment]
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(directory)
    config = DistilBertConfig(
        vocab_size=len(vocabulary), dim=32, n_layers=1, n_heads=2, hidden_dim=64, max_position_embeddings=96, num_labels=2
    )
    DistilBertForSequenceClassification(config).save_pretrained(directory)
    return directory


def test_an_encoder_is_tuned_calibrated_written_and_asked(encoder: Path, tmp_path: Path) -> None:
    parameters = ClassifierParameters(kind="encoder", encoder="tiny", epochs=8, learning_rate=3e-3, max_tokens=64)
    result = train_to(tmp_path, Parted(labelled(90), labelled(60, seed=2), 0), None, (0, 0), parameters, lambda: encoder)
    assert isinstance(result, ClassifierResult)
    assert result.after.f1 > 0.9 and result.takes_over
    assert "model.safetensors" in {path.name for path in tmp_path.iterdir()}
    assert not [path for path in tmp_path.iterdir() if path.suffix in (".bin", ".pt", ".pkl", ".joblib")]
    texts = labelled(40, seed=3)
    said = asked(opened(tmp_path), texts)
    right = sum((probability > 0.5) == one.garbage for probability, one in zip(said, texts, strict=True))
    assert right >= 36


def test_a_directory_that_is_no_encoder_is_told_plainly(tmp_path: Path) -> None:
    parameters = ClassifierParameters(kind="encoder", encoder="none")
    with pytest.raises(Unsupported, match="no encoder"):
        train_to(tmp_path, Parted(labelled(90), (), 0), None, (0, 0), parameters, lambda: tmp_path)
