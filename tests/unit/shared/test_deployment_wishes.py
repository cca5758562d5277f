"""Wishes for deployments: old ones mean what they meant, and no new one means two things."""

import pytest
from pydantic import ValidationError

from services.serving.stages.identity import EngineIdentity
from shared.contracts.engines import MAX_REPLICAS, EngineArguments, NgramSpeculation
from shared.contracts.learning import Canary, DeploymentWish

OLD = (
    '{"schema_version":1,"name":"papers","model":"m","base":"b","state":"running","context_tokens":2048,'
    '"wished_at":"2026-01-01T00:00:00Z"}'
)
KEY = "a" * 64


def wish(**fields: object) -> DeploymentWish:
    return DeploymentWish.model_validate(
        {"name": "n", "model": "m", "base": "b", "wished_at": "2026-01-01T00:00:00Z", **fields}
    )


def test_a_wish_from_before_there_were_variants_is_for_the_adapter_without_speculation() -> None:
    old = DeploymentWish.model_validate_json(OLD)
    assert (old.variant, old.export, old.speculation, old.engine_arguments) == ("adapter", None, None, EngineArguments())
    assert old.replicas == 1
    assert old.same_as(wish(name="papers"))


def test_a_wish_that_is_stored_is_read_back_as_it_was() -> None:
    one = wish(speculation={"method": "ngram", "tokens": 3}, engine_arguments={"dtype": "float32"})
    assert DeploymentWish.model_validate_json(one.model_dump_json()) == one
    assert one.speculation == NgramSpeculation(tokens=3)


@pytest.mark.parametrize(
    "fields",
    [
        {"variant": "merged"},
        {"variant": "adapter", "export": KEY},
        {"variant": "gguf-q8_0", "export": KEY, "model": None},
        {"variant": "int3", "export": KEY},
        {"speculation": {"method": "telepathy"}},
        {"speculation": {"method": "ngram", "tokens": 0}},
        {"speculation": {"method": "ngram", "shortest_match": 5, "longest_match": 4}},
        {"speculation": {"method": "draft", "model": "../elsewhere"}},
        {"engine_arguments": {"trust_remote_code": True}},
        {"engine_arguments": {"max_concurrent_requests": 0}},
        {"replicas": 0},
        {"replicas": MAX_REPLICAS + 1},
        {"replicas": 1.5},
    ],
)
def test_what_cannot_be_meant_is_no_wish(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        wish(**fields)


def test_an_engine_is_another_for_anything_that_it_is_started_with_and_its_name_tells_them_apart() -> None:
    plain = EngineIdentity(base="b")
    others = [
        plain.model_copy(update={"speculation": NgramSpeculation()}),
        plain.model_copy(update={"speculation": NgramSpeculation(tokens=2)}),
        plain.model_copy(update={"arguments": EngineArguments(dtype="float32")}),
        EngineIdentity(base="b", variant="merged", export=KEY),
        EngineIdentity(base="b", variant="merged", export="b" * 64),
    ]
    assert plain.name == "b" and len({plain, *others}) == len({one.name for one in (plain, *others)}) == 6
    assert EngineIdentity.model_validate_json(others[0].model_dump_json()) == others[0]
    assert {one.runtime for one in others} == {"vllm"}
    assert EngineIdentity(base="b", variant="gguf-q8_0", export=KEY).runtime == "llama.cpp"


def test_a_finished_canary_is_asked_of_no_fewer_replicas_than_the_deployment_was() -> None:
    canary = Canary(percent=10, model="m2", base="b", replicas=2)
    assert Canary.model_validate_json('{"percent":10,"model":"m2","base":"b"}').replicas == 1, "of before there were any"
    for had, has in ((3, 3), (1, 2)):
        finished = wish(replicas=had, canary=canary).finished
        assert finished is not None and (finished.model, finished.replicas, finished.canary) == ("m2", has, None)
    assert wish().finished is None


def test_another_number_of_replicas_is_another_wish_and_answers_as_before() -> None:
    assert not wish(replicas=2).same_as(wish()) and wish(replicas=2).answers_as(wish())
    assert not wish(model="m2").answers_as(wish())
