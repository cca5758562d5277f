"""The judge of answers lets no mixture pass, and the model of marks says whose adapter answered, whatever it is asked."""

from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from benchmarks.isolating.load import judge, prompts
from benchmarks.isolating.marked import MARKS, write_adapter, write_base

RED = frozenset({"red"})


def test_an_answer_counts_only_where_one_allowed_adapter_made_its_cache_and_its_tokens() -> None:
    assert judge("red.red red.red", RED) == "red" and judge("red.redred.red", RED) == "red"
    assert judge("green.red red.red", RED) is None, "it began over another's cache"
    assert judge("red.red green.green", RED) is None, "it changed on the way"
    assert judge("green.green", RED) is None and judge("none.none", RED) is None and judge("", RED) is None


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("marked")
    write_base(directory)
    return directory


@pytest.mark.parametrize("mark", [None, *MARKS])
def test_every_token_says_which_adapter_it_is_of_by_a_margin_that_no_rounding_closes(
    base: Path, mark: str | None, tmp_path: Path
) -> None:
    model, tokenizer = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16), AutoTokenizer.from_pretrained(base)
    if mark is not None:
        write_adapter(mark, tmp_path / mark)
        model = PeftModel.from_pretrained(model, tmp_path / mark)
    with torch.no_grad():
        logits = model(tokenizer(prompts(0)[0], return_tensors="pt").input_ids).logits[0].float()
    best = logits.topk(2)
    said = f"{mark or 'none'}.{mark or 'none'}"
    assert set(tokenizer.convert_ids_to_tokens(best.indices[:, 0].tolist())) == {said}
    assert (best.values[:, 0] > 1.5 * best.values[:, 1]).all()


def test_a_cache_that_another_adapter_filled_is_seen(base: Path, tmp_path: Path) -> None:
    """What vLLM once did on a reused name: the prompt's keys and values of one adapter, the next token by another."""
    tokenizer = AutoTokenizer.from_pretrained(base)
    ids = tokenizer(prompts(0)[0], return_tensors="pt").input_ids
    for mark in ("red", "green"):
        write_adapter(mark, tmp_path / mark)
    green = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), tmp_path / "green")
    red = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), tmp_path / "red")
    with torch.no_grad():
        cache = green(ids[:, :-1], use_cache=True).past_key_values
        token = int(red(ids[:, -1:], past_key_values=cache).logits[0, -1].argmax())
    said = tokenizer.convert_ids_to_tokens(token)
    assert said == "green.red" and judge(said, RED) is None
