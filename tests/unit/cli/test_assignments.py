"""Settings on the command line and in files."""

from pathlib import Path

import pytest

from cli.assignments import merged, parse_assignments, read_mapping
from cli.outcome import Exit, Failure


def test_dots_nest_and_values_are_json_where_they_read_as_such() -> None:
    given = ["chunking.max_tokens=128", "chunking.tokenizer=smollm2", "cleaning.drop_references=false", "learning_rate=2e-4"]
    assert parse_assignments(given) == {
        "chunking": {"max_tokens": 128, "tokenizer": "smollm2"},
        "cleaning": {"drop_references": False},
        "learning_rate": 2e-4,
    }


def test_a_value_may_hold_equals_signs_and_be_empty() -> None:
    assert parse_assignments(["a=b=c", "d="]) == {"a": "b=c", "d": ""}


@pytest.mark.parametrize("text", ["", "name", "=value", "a..b=1", ".a=1"])
def test_what_is_no_assignment_is_a_usage_failure(text: str) -> None:
    with pytest.raises(Failure, match="NAME=VALUE") as told:
        parse_assignments([text])
    assert told.value.exit_code == Exit.USAGE


def test_a_contradiction_is_told() -> None:
    with pytest.raises(Failure, match="contradicts"):
        parse_assignments(["a=1", "a.b=2"])


def test_a_recipe_is_yaml_or_json_and_its_exponents_are_numbers(tmp_path: Path) -> None:
    yaml, json = tmp_path / "recipe.yaml", tmp_path / "recipe.json"
    yaml.write_text("learning_rate: 3e-4\nschedule: cosine\nmax_steps: 20\n")
    json.write_text('{"learning_rate": 3e-4, "schedule": "cosine", "max_steps": 20}')
    assert read_mapping(yaml) == read_mapping(json) == {"learning_rate": 3e-4, "schedule": "cosine", "max_steps": 20}


@pytest.mark.parametrize("text", ["- a\n- list\n", "{broken", "!!python/object/apply:os.system ['true']"])
def test_a_file_that_holds_no_names_and_values_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(text)
    with pytest.raises(Failure):
        read_mapping(file)


def test_assignments_fill_in_a_files_sections() -> None:
    file = {"alignment": {"method": "dpo", "beta": 0.3}, "lora_r": 8}
    assert merged(file, {"alignment": {"method": "reward"}, "seed": 1}) == {
        "alignment": {"method": "reward", "beta": 0.3}, "lora_r": 8, "seed": 1,
    }  # fmt: skip
    assert merged({"continual": None}, {"continual": {"ewc": 0}}) == {"continual": {"ewc": 0}}
    assert file["alignment"] == {"method": "dpo", "beta": 0.3}
