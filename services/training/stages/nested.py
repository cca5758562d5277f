"""Nested state (of an optimizer, a scheduler, a random generator) as JSON and tensors, so that no checkpoint is a pickle.

JSON has neither tuples nor keys other than text, so every container says what it is: `{"dict": [[key, value], …]}`,
`{"list": […]}`, `{"tuple": […]}`, `{"tensor": "7"}`; text, numbers, booleans and null stand for themselves.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")
Scalar = str | int | float | bool | None


def flatten(value: Any, tensor_type: type[T]) -> tuple[Any, dict[str, T]]:
    """A value that JSON can hold, and the tensors it refers to by number. Raises TypeError for anything else."""
    tensors: dict[str, T] = {}
    return _flatten(value, tensor_type, tensors), tensors


def restore(flat: Any, tensors: Mapping[str, T]) -> Any:
    """The inverse of `flatten`. Raises ValueError where the JSON is not of its making."""
    if not isinstance(flat, dict):
        return flat
    ((kind, content),) = flat.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "dict":
        return {restore(key, tensors): restore(item, tensors) for key, item in content}
    if kind not in {"list", "tuple"}:
        raise ValueError(f"no container is called {kind!r}")
    items = [restore(item, tensors) for item in content]
    return tuple(items) if kind == "tuple" else items


def _flatten(value: Any, tensor_type: type[T], tensors: dict[str, T]) -> Any:
    if isinstance(value, tensor_type):
        name = str(len(tensors))
        tensors[name] = value
        return {"tensor": name}
    if isinstance(value, Mapping):
        return {"dict": [[_flatten(part, tensor_type, tensors) for part in pair] for pair in value.items()]}
    if isinstance(value, list | tuple):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [_flatten(item, tensor_type, tensors) for item in value]}
    if isinstance(value, Scalar):
        return value
    raise TypeError(f"{type(value).__name__} has no place in a checkpoint")
