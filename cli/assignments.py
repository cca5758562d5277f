"""`name=value` arguments as nested values: `chunking.max_tokens=128` is `{"chunking": {"max_tokens": 128}}`."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cli.outcome import Exit, Failure


def parse_assignments(texts: Iterable[str]) -> dict[str, Any]:
    """Nested values from assignments. A value is JSON where it reads as such, else a string. Raises Failure."""
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not all(name.split(".")):
            raise Failure(f"{text!r} is no NAME=VALUE, such as chunking.max_tokens=128.", Exit.USAGE, "usage")
        _put(values, name.split("."), _value(value), text)
    return values


def _put(values: dict[str, Any], names: list[str], value: Any, text: str) -> None:
    for name in names[:-1]:
        values = values.setdefault(name, {})
        if not isinstance(values, dict):
            raise Failure(f"{text!r} contradicts another assignment.", Exit.USAGE, "usage")
    values[names[-1]] = value


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Both, section by section; where they differ, the second."""
    sections = {
        name: merged(under[name], value)
        for name, value in over.items()
        if isinstance(value, dict) and isinstance(under.get(name), dict)
    }
    return {**under, **over, **sections}


def read_mapping(file: Path) -> dict[str, Any]:
    """A YAML or JSON file that holds names and values. Raises Failure."""
    import yaml

    try:
        # YAML 1.1 takes 3e-4 for a string; JSON does not: ask it first.
        text = file.read_text(encoding="utf-8")
        values = json.loads(text) if file.suffix == ".json" else yaml.safe_load(text)
    except (OSError, UnicodeError, ValueError, yaml.YAMLError) as error:
        raise Failure(f"{file} cannot be read as YAML or JSON: {error}", Exit.USAGE, "usage") from error
    if not isinstance(values, dict):
        raise Failure(f"{file} does not hold names and values.", Exit.USAGE, "usage")
    return {str(name): _number(value) for name, value in values.items()}


def _number(value: Any) -> Any:
    """`3e-4` as YAML 1.1 gives it, a string, is meant as a number."""
    if isinstance(value, str) and value[:1].isdigit():
        try:
            return float(value)
        except ValueError:
            return value
    return value
