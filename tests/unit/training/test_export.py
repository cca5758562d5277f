"""Exports of a tiny model, and the gate that stops what is not the model that was trained."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from gguf import GGUFReader
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from services.training import exporting
from services.training.adapters import activations, gguf_file, models
from services.training.adapters.children import Children
from services.training.compress import group_of
from services.training.exporting import CARD, REPORT, export
from services.training.exports import ExportStage, about_of
from services.training.settings import TrainingSettings
from services.training.spec import ExportSpec
from services.training.stages.export_card import About, Taught, card
from services.training.stages.gate import LIMITS, NEAR_TIE, Position, compare, judge
from services.training.stages.gguf_layout import hyperparameters, pre_tokenizer, tensor_type
from shared.bases import read_base
from shared.contracts.exports import COMPRESSED, ExportParameters, ExportResult, ExportWish, Variant
from shared.contracts.learning import DatasetParameters, EvaluationResult, Model, Parent, Score
from shared.contracts.recipes import TrainingRecipe
from shared.contracts.work import ExportWork, Rejected
from shared.errors import Unsupported
from shared.ids import short
from shared.objects import ObjectStore
from shared.stage import StageContext
from shared.template import ALPACA
from tests.unit.training.tiny import TINY
from tests.unit.training.world import NAME, examples, make_tokenizer, publish_tiny, put_dataset, put_run, write_lines

MERGED = LIMITS["merged"]
SAME = Position(divergence=0.0, margin=1.0, agrees=True)
FAR = Position(divergence=1.0, margin=1.0, agrees=False)


@pytest.fixture
def adapter(tiny_base: Path, tmp_path: Path) -> Path:
    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(tiny_base), LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear")
    )
    torch.manual_seed(1)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)  # little: KL 0.003, where the limit for a divergence is 0.01
    model.save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


HEADS: dict[str, dict[str, Any]] = {"qwen3": {"head_dim": 128}}

ABOUT = About(
    model="run-0123", base="tiny", base_source="test", licence="none", dataset="set", run="r" * 16, documents=1,
    documents_licence="not stated",
)  # fmt: skip


def spec_of(base: Path, adapter: Path, tmp_path: Path, variant: Variant = "merged") -> ExportSpec:
    """What the handler would write, over directories of this test."""
    for name in ("out", "work"):
        (tmp_path / name).mkdir(exist_ok=True)
    return ExportSpec(
        about=ABOUT, base=base, adapter=adapter, heldout=write_lines(tmp_path / "h.jsonl", examples(2)),
        train=write_lines(tmp_path / "t.jsonl", examples(4, seed=1)), template="alpaca",
        parameters=ExportParameters(variant=variant, compared_examples=2), compressor=None, out=tmp_path / "out",
        work=tmp_path / "work",
    )  # fmt: skip


def exported(base: Path, adapter: Path, tmp_path: Path, variant: Variant = "merged") -> ExportResult | Rejected:
    return export(spec_of(base, adapter, tmp_path, variant), threads=1)


def test_a_merged_model_is_the_model_that_was_trained(tiny_base: Path, adapter: Path, tmp_path: Path) -> None:
    found = exported(tiny_base, adapter, tmp_path)
    assert isinstance(found, ExportResult), found
    assert ExportResult.model_validate_json((tmp_path / "out" / REPORT).read_text()) == found
    assert found.weights_bytes == found.bf16_bytes == sum(one.stat().st_size for one in tmp_path.glob("out/*.safetensors"))
    assert AutoTokenizer.from_pretrained(tmp_path / "out").chat_template == ALPACA
    assert f"{found.comparison.prefill_divergence:.4g}" in (tmp_path / "out" / CARD).read_text()


@pytest.mark.parametrize("kind", ["gguf-f16", "gguf-q8_0"])
def test_a_gguf_is_the_model_that_was_trained(tiny_base: Path, adapter: Path, tmp_path: Path, kind: Variant) -> None:
    found = exported(tiny_base, adapter, tmp_path, kind)
    assert isinstance(found, ExportResult), found
    assert {one.name for one in (tmp_path / "out").iterdir()} == {f"run-0123-{kind[5:].upper()}.gguf", REPORT, CARD}
    told = GGUFReader(next(tmp_path.glob("out/*.gguf"))).fields
    assert told["tokenizer.chat_template"].contents() == ALPACA
    assert told["general.name"].contents() == "run-0123"


@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3"])
def test_a_gguf_read_back_computes_what_the_model_does(kind: str, tmp_path: Path) -> None:
    make_tokenizer(tmp_path)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(
        AutoConfig.for_model(kind, **{**TINY[kind], **HEADS.get(kind, {})}, eos_token_id=0)
    ).eval()
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter)
    model.save_pretrained(tmp_path)
    assert gguf_file.refuse(tmp_path) is None
    gguf_file.write(tmp_path, tmp_path / "m.gguf", "F16", {"name": kind})
    ids = torch.arange(40)[None] % 400
    with torch.inference_mode():
        ours, theirs = model(ids).logits, gguf_file.load(tmp_path / "m.gguf", torch.device("cpu"))(ids).logits
    assert torch.allclose(ours, theirs, atol=0.01)


def test_what_llama_cpp_may_read_otherwise_is_refused(tmp_path: Path) -> None:
    llama = AutoConfig.for_model("llama", **TINY["llama"]).to_dict()
    assert not isinstance(hyperparameters(llama), Rejected)
    strange_models: list[dict[str, Any]] = [
        {"model_type": "mamba"}, {"rope_parameters": {"rope_type": "yarn"}}, {"model_type": "qwen3"},
        {"use_sliding_window": True},
    ]  # fmt: skip
    for config in ({**llama, **one} for one in strange_models):
        refused = hyperparameters(config)
        assert isinstance(refused, Rejected) and refused.reason == "no-gguf"
    make_tokenizer(tmp_path)
    told = json.loads((tmp_path / "tokenizer.json").read_text())
    assert pre_tokenizer(told) == "gpt-2"
    digits = {"type": "Digits", "individual_digits": True}
    apart = {"type": "Sequence", "pretokenizers": [digits, told["pre_tokenizer"]]}
    assert pre_tokenizer({**told, "pre_tokenizer": apart}) == "smollm"
    strange = [
        {"pre_tokenizer": {"type": "Whitespace"}},
        {"normalizer": {"type": "Lowercase"}},
        {"model": {"type": "WordPiece"}},
    ]
    assert all(isinstance(pre_tokenizer({**told, **one}), Rejected) for one in strange)


def test_the_vocabulary_keeps_eight_bits_beside_four() -> None:
    assert tensor_type("Q4_1", "blk.0.attn_q.weight", (64, 64)) == "Q4_1"
    assert tensor_type("Q4_1", "token_embd.weight", (400, 64)) == "Q8_0"
    assert tensor_type("Q4_1", "blk.0.ffn_down.weight", (64, 40)) == "F16"
    assert tensor_type("Q4_1", "blk.0.attn_norm.weight", (64,)) == "F32"


def test_corrupted_weights_are_stopped_with_their_figures(
    tiny_base: Path, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = models.merge_adapter

    def corrupted(*given: Any) -> Any:
        model = honest(*given)
        torch.manual_seed(2)
        torch.nn.init.normal_(model.model.layers[0].mlp.down_proj.weight, std=1.0)
        return model

    monkeypatch.setattr(models, "merge_adapter", corrupted)
    found = exported(tiny_base, adapter, tmp_path)
    assert isinstance(found, Rejected)
    assert found.reason == "beyond-limit"
    assert "divergence over prefill" in found.detail
    assert found.figures["prefill_divergence"] > MERGED.divergence


def test_a_file_corrupted_after_it_was_written_is_stopped(
    tiny_base: Path, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = gguf_file.write

    def swapped(merged: Path, file: Path, *given: Any) -> None:
        """Two layers in each other's place: every number is there, and none is where it belongs."""
        weights = load_file(merged / "model.safetensors")
        names = [f"model.layers.{layer}.mlp.down_proj.weight" for layer in (0, 1)]
        weights[names[0]], weights[names[1]] = weights[names[1]] * 8, weights[names[0]] * 8
        save_file(weights, merged / "model.safetensors", {"format": "pt"})
        honest(merged, file, *given)

    monkeypatch.setattr(gguf_file, "write", swapped)
    found = exported(tiny_base, adapter, tmp_path, "gguf-q4_1")
    assert isinstance(found, Rejected) and found.reason == "beyond-limit"


COMPRESSOR = """#!{python}
import json, shutil, sys
spec = json.load(open(sys.argv[2]))
assert spec["algorithm"] in ("gptq", "int8", "fp8") and all(len(ids) > 9 for ids in spec["ids"]), spec
assert bool(spec["ids"]) == (spec["algorithm"] != "fp8"), spec
for target in (spec["out"], spec["unpacked"]):
    shutil.copytree({source}, target, dirs_exist_ok=True)
"""
"""In llm-compressor's place: hands on a directory as if it were what it had made of the model."""


def compressor(tmp_path: Path, source: str) -> Path:
    script = tmp_path / "compressor"
    script.write_text(COMPRESSOR.format(python=sys.executable, source=source))
    script.chmod(0o755)
    return script


def test_what_the_compressor_wrote_is_compared_and_not_what_it_was_given(
    tiny_base: Path, adapter: Path, tmp_path: Path
) -> None:
    spec = spec_of(tiny_base, adapter, tmp_path, "gptq").model_copy(
        update={"compressor": compressor(tmp_path, 'spec["model"]')}
    )
    found = export(spec, threads=1)
    assert isinstance(found, ExportResult), found
    assert found.comparison.prefill_divergence < MERGED.divergence
    assert (spec.out / "tokenizer.json").is_file()
    (tmp_path / "again").mkdir()
    lost = spec_of(tiny_base, adapter, tmp_path / "again", "gptq")
    refused = export(lost.model_copy(update={"compressor": compressor(tmp_path, repr(str(tiny_base)))}), threads=1)
    assert isinstance(refused, Rejected) and "beside the adapter's own" in refused.detail


@pytest.mark.parametrize(("kind", "few"), [("int8", 1.0), ("fp8", 2.0**-9)])
def test_what_an_engine_rounds_on_its_way_is_compared_too(
    kind: Variant, few: float, tiny_base: Path, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = compressor(tmp_path, 'spec["model"]')
    honest = spec_of(tiny_base, adapter, tmp_path, kind).model_copy(update={"compressor": stand_in})
    found = export(honest, threads=1)
    assert isinstance(found, ExportResult), found
    (tmp_path / "again").mkdir()
    coarse = spec_of(tiny_base, adapter, tmp_path / "again", kind).model_copy(update={"compressor": stand_in})
    monkeypatch.setattr(activations, f"LARGEST_{kind.upper()}", few)  # a handful of steps in place of hundreds
    refused = export(coarse, threads=1)
    assert isinstance(refused, Rejected) and refused.reason == "beyond-limit"
    assert refused.figures["prefill_divergence"] > 3 * found.comparison.prefill_divergence


def test_eight_bits_keep_a_tokens_largest_and_round_the_rest_to_its_steps() -> None:
    values = torch.tensor([[127.0, 1.4, -0.6, 0.2], [0.0, 0.0, 0.0, 0.0], [448.0, 17.0, -1.03, 0.0]])
    assert torch.equal(activations.int8(values)[:2], torch.tensor([[127.0, 1.0, -1.0, 0.0], [0.0] * 4]))
    assert torch.equal(activations.fp8(values)[1:], torch.tensor([[0.0] * 4, [448.0, 16.0, -1.0, 0.0]]))


@pytest.mark.parametrize("kind", sorted(COMPRESSED))
def test_a_worker_without_a_compressor_says_how_to_get_one(kind: Variant, store: ObjectStore, tmp_path: Path) -> None:
    wish = ExportWish(key="e" * 64, model="m", parameters=ExportParameters(variant=kind), created_at="t")
    (tmp_path / "wish.json").write_text(wish.model_dump_json())
    stage = ExportStage(store, TrainingSettings(compressor_python=None), Children({}, 1, 1))
    work = ExportWork(job="j", trace="t", export=wish.key)
    context: Any = SimpleNamespace(work=work, fetch_object=lambda _: tmp_path / "wish.json")
    with pytest.raises(Unsupported, match="make compressor"):
        stage(context)


def test_weights_share_a_scale_in_the_largest_groups_that_divide_every_row() -> None:
    assert group_of([576, 1536]) == 64
    assert group_of([4096]) == 128
    with pytest.raises(ValueError, match="cannot be cut"):
        group_of([576, 40])


def test_a_tokenizer_that_cuts_otherwise_is_stopped(
    tiny_base: Path, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_tokenizer(tmp_path / "other")
    monkeypatch.setattr(other, "encode", lambda *_, **__: [1])
    monkeypatch.setattr(exporting.gguf_file, "load_tokenizer", lambda _: other)
    found = exported(tiny_base, adapter, tmp_path, "gguf-f16")
    assert isinstance(found, Rejected) and found.reason == "tokenizer-differs"


def test_an_adapter_that_was_left_out_is_noticed(
    tiny_base: Path, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "merge_adapter", lambda base, _, device: models.load_served(base, device))
    found = exported(tiny_base, adapter, tmp_path)
    assert isinstance(found, Rejected)
    assert "beside the adapter's own" in found.detail


def test_a_card_holds_no_markup_of_other_peoples_names(tiny_base: Path, adapter: Path, tmp_path: Path) -> None:
    found = exported(tiny_base, adapter, tmp_path)
    assert isinstance(found, ExportResult)
    hostile = ABOUT.model_copy(update={"documents_licence": "`x`\n# Head\n<script>", "licence": 'a"\n---\n# Head'})
    lines = card(hostile, found).splitlines()
    assert [line for line in lines if line.startswith("#")] == ["# `run-0123` as merged"]
    assert "`'x' # Head <script>`" in "\n".join(lines)
    assert "learned of" not in "\n".join(lines)
    taught = Taught(dataset="older", documents=7, documents_licence="CC BY 4.0\n# Head")
    lines = card(ABOUT.model_copy(update={"parent": "run-0000", "before": (taught,)}), found).splitlines()
    assert "The run started from `run-0000`." in lines
    assert "- `older` (7 documents, licence: `CC BY 4.0 # Head`)" in lines


class Fetching:
    """As much of a stage's context as looking up where a model comes from takes."""

    def __init__(self, store: ObjectStore, scratch: Path) -> None:
        self._store = store
        self._scratch = scratch

    def fetch_object(self, path: str) -> Path:
        self._store.download(path, target := self._scratch / path)
        return target


def test_a_card_tells_of_every_dataset_of_the_line(store: ObjectStore, tiny_base: Path, tmp_path: Path) -> None:
    publish_tiny(store, tiny_base)
    base = read_base(store, NAME)
    recipe = TrainingRecipe(base=NAME)
    first = put_dataset(store, tmp_path / "a", [], [], "a" * 64, DatasetParameters(licence="CC BY 4.0"))
    parent = put_run(store, first, recipe, "b")
    second = put_dataset(store, tmp_path / "c", [], [], "c" * 64)
    run = put_run(store, second, recipe, "b", Parent(model="early", run=parent.key, adapter_digest="d"))
    score = Score(loss=1.0, perplexity=2.7, tokens=1, examples=1)
    model = Model(
        id="late", name="late", run=short(run.key), dataset=short(second.key), base=NAME, adapter_key=run.key,
        adapter_digest="e", template="alpaca", parent="early", evaluation=EvaluationResult(base=score, tuned=score),
        created_at="t",
    )  # fmt: skip
    assert base is not None
    told = about_of(cast("StageContext[ExportWork]", Fetching(store, tmp_path / "scratch")), model, base, run)
    assert (told.dataset, told.documents_licence, told.parent) == ("set", "not stated", "early")
    assert [(one.dataset, one.documents_licence) for one in told.before] == [("set", "CC BY 4.0")]


def test_good_prefill_with_bad_decoding_is_stopped() -> None:
    wild = Position(divergence=2.0, margin=1.0, agrees=False)
    refused = judge(compare([FAR], [SAME], [wild], [1.0], [1.0]), MERGED)
    assert refused is not None
    assert "while decoding" in refused.detail
    assert "prefill" not in refused.detail


def test_a_near_tie_may_go_either_way() -> None:
    tie = Position(divergence=0.0, margin=NEAR_TIE / 2, agrees=False)
    assert judge(compare([FAR], [SAME], [SAME, tie], [1.0], [1.0]), MERGED) is None


def test_what_is_not_a_number_is_beyond_any_limit() -> None:
    nothing = Position(divergence=float("nan"), margin=1.0, agrees=True)
    assert judge(compare([FAR], [nothing], [SAME], [1.0], [1.0]), MERGED) is not None
