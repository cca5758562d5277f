"""Recipes before any work: their schema, what is refused with its reason, and what a run would cost."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.bases import publish_base
from shared.objects import ObjectStore
from tests.api.conftest import PDF, Gateway

CONFIG = (
    '{"model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, '
    '"num_key_value_heads": 2, "vocab_size": 400, "max_position_embeddings": 512, "tie_word_embeddings": true}'
)


@pytest.fixture
def published(store: ObjectStore, tmp_path: Path, base: str) -> Iterator[None]:
    """A llama, a mamba and a base without EOS beside the dataset's own base."""
    for name, config, eos in (
        ("llama", CONFIG, "<eos>"),
        ("mamba", '{"model_type": "mamba"}', "<eos>"),
        ("endless", CONFIG, ""),
    ):
        directory = tmp_path / name
        directory.mkdir()
        (directory / "config.json").write_text(config)
        publish_base(store, directory, name=name, source="test", licence="none", architecture="any", eos_token=eos)
    yield


@pytest.fixture
def dataset(gateway: Gateway, client: httpx.Client, published: None) -> str:
    for at in range(3):
        gateway.workers.text = lambda _, at=at: f"Text number {at} about gauges that drift."
        gateway.add(content=PDF + bytes([at]), filename=f"{at}.pdf")
    asked = client.post("/v1/datasets", json={"name": "papers-1", "collection": "papers"}).json()
    assert gateway.workers.run(asked["job"]) == "done"
    return str(asked["id"])


def test_the_schema_explains_every_field(client: httpx.Client) -> None:
    schema = client.get("/v1/recipes/schema").json()
    assert schema["properties"]["packing"]["default"] == "auto"
    assert all(field.get("description") for name, field in schema["properties"].items() if name != "schema_version")


@pytest.mark.parametrize(
    ("recipe", "status", "code", "told"),
    [
        ({"base": "llama", "colour": "blue"}, 422, "invalid-request", "colour"),
        ({"base": "llama", "warmup_steps": 9, "max_steps": 9}, 422, "invalid-request", "warmup_steps"),
        ({"base": "llama", "max_tokens": 1024}, 422, "bad-recipe", "longer-than-context"),
        ({"base": "mamba", "packing": "full"}, 422, "bad-recipe", "impossible-packing"),
        ({"base": "mamba", "lora_targets": "all-linear"}, 422, "bad-recipe", "impossible-targets"),
        ({"base": "endless"}, 422, "bad-recipe", "no-eos-token"),
        ({"base": "unheard-of"}, 404, "not-found", "unheard-of"),
    ],
)
def test_a_bad_recipe_is_refused_before_any_work_starts(
    client: httpx.Client, dataset: str, recipe: dict[str, Any], status: int, code: str, told: str
) -> None:
    for path, body in (
        ("/v1/recipes/check", recipe), ("/v1/runs", {"name": "r", "dataset": dataset, "recipe": recipe}),
    ):  # fmt: skip
        answer = client.post(path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
        assert told in answer.text
    assert client.get("/v1/runs").json()["items"] == []


def test_a_sound_recipe_comes_back_with_its_defaults(client: httpx.Client, published: None) -> None:
    answer = client.post("/v1/recipes/check", json={"base": "mamba", "lora_r": 8})
    assert (answer.status_code, answer.json()["lora_r"], answer.json()["packing"]) == (200, 8, "auto")


def test_a_run_is_estimated_by_part(client: httpx.Client, dataset: str) -> None:
    asked = {"dataset": dataset, "recipe": {"base": "llama", "max_tokens": 256}, "device_memory_bytes": 8 << 30}
    found = client.post("/v1/recipes/estimate", json=asked).json()
    parts = {name: value for name, value in found["memory"].items() if name != "schema_version"}
    assert found["total_bytes"] == sum(parts.values()) and min(parts.values()) > 0
    assert (found["steps"], [one["fits"] for one in found["fits"]]) == (1, [True])
    assert client.post("/v1/recipes/estimate", json={"recipe": {"base": "mamba"}}).json()["code"] == "unsupported"
    assert client.post("/v1/recipes/estimate", json={"recipe": {"base": "nothing"}}).status_code == 404


def test_the_estimate_of_a_run_from_a_model_counts_what_is_replayed(
    gateway: Gateway, client: httpx.Client, dataset: str
) -> None:
    recipe = {"base": "llama", "batch_size": 1, "gradient_accumulation": 1, "lora_r": 4}
    made = client.post("/v1/runs", json={"name": "early", "dataset": dataset, "recipe": recipe}).json()
    assert gateway.workers.run(made["job"]) == "done"

    def steps(share: float) -> int:
        wanted = {"batch_size": 1, "gradient_accumulation": 1, "continual": {"replay_share": share}}
        found = client.post("/v1/recipes/estimate", json={"dataset": dataset, "recipe": wanted, "parent": "early"}).json()
        assert found["base"] == "llama" and found["trainable_parameters"] == plain["trainable_parameters"]
        return int(found["steps"])

    plain = client.post("/v1/recipes/estimate", json={"dataset": dataset, "recipe": recipe}).json()
    assert (plain["steps"], steps(0), steps(0.5), steps(0.99)) == (2, 2, 4, 5), "of three that were trained on before"
    assert client.post("/v1/recipes/estimate", json={"dataset": dataset, "parent": "nobody"}).status_code == 404


def test_a_large_base_is_estimated_for_24_48_and_80_gb_without_being_there(client: httpx.Client, published: None) -> None:
    found = client.post(
        "/v1/recipes/estimate", json={"recipe": {"base": "codellama-34b", "gradient_checkpointing": True}}
    ).json()
    assert 33.5e9 < found["total_parameters"] < 34e9
    assert [one["device"] for one in found["fits"]][:3] == ["24 GB GPU", "48 GB GPU", "80 GB GPU"]
    plain = client.post("/v1/recipes/estimate", json={"recipe": {"base": "codellama-34b"}}).json()
    assert plain["total_bytes"] > found["total_bytes"]
