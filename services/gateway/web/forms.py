"""Forms made from contracts: a field for each setting, named by its path, with its own description and bounds."""

from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from services.gateway.problems import in_words
from shared.errors import InvalidInput

BETWEEN = ", "


@dataclass(frozen=True, slots=True)
class Field:
    """One setting as it stands in a form."""

    path: str
    label: str
    value: Any
    usual: Any
    description: str
    kind: str
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None


def groups(contract: type[BaseModel], values: dict[str, Any]) -> dict[str, list[Field]]:
    """The fields of each part of a contract of contracts."""
    found = {}
    for name, info in contract.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            found[name] = fields(info.annotation, values[name], f"{name}.")
    return found


def fields(contract: type[BaseModel], values: dict[str, Any], prefix: str = "") -> list[Field]:
    return [
        _field(f"{prefix}{name}", name, info, values[name])
        for name, info in contract.model_fields.items()
        if name != "schema_version" and _kind(info) is not None
    ]


def values(contract: type[BaseModel], standing: BaseModel, sent: dict[str, list[str]], prefix: str = "") -> dict[str, Any]:
    """A form's values over the ones that stand, to be validated: what a form does not show stays as it is."""
    merged: dict[str, Any] = standing.model_dump(mode="json")
    for name, info in contract.model_fields.items():
        path, annotation = f"{prefix}{name}", info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            merged[name] = values(annotation, getattr(standing, name), sent, f"{path}.")
        elif path in sent:
            merged[name] = _value(info, sent[path])
    return merged


def checked(contract: type[BaseModel], standing: BaseModel, sent: dict[str, list[str]], prefix: str = "") -> Any:
    """A form's contract. Raises InvalidInput with the fields that are wrong."""
    return validated(contract, values(contract, standing, sent, prefix))


def validated(contract: type[BaseModel], told: dict[str, Any]) -> Any:
    """Raises InvalidInput with the fields that are wrong."""
    try:
        return contract.model_validate(told)
    except ValidationError as error:
        raise InvalidInput(f"This cannot be: {in_words(error.errors())}. Go back and change it.") from None


def _value(info: FieldInfo, sent: list[str]) -> Any:
    kind, last = _kind(info), sent[-1].strip()
    if kind == "switch":
        return last == "on"
    if kind == "list":
        return [part.strip() for part in last.split(",") if part.strip()]
    if kind == "several":
        return [one for one in sent if one]
    return None if last == "" and type(None) in get_args(info.annotation) else last


def _field(path: str, name: str, info: FieldInfo, value: Any) -> Field:
    bounds = {kind: getattr(one, kind) for one in info.metadata for kind in ("ge", "gt", "le", "lt") if hasattr(one, kind)}
    usual = info.get_default(call_default_factory=True)
    return Field(
        path=path, label=name.replace("_", " ").capitalize(), value=_shown(value), usual=_shown(usual),
        description=info.description or "", kind=_kind(info) or "text", choices=_choices(info.annotation),
        least=bounds.get("ge", bounds.get("gt")), most=bounds.get("le", bounds.get("lt")),
    )  # fmt: skip


def _shown(value: Any) -> Any:
    return BETWEEN.join(map(str, value)) if isinstance(value, list | tuple) else value


def _choices(annotation: Any) -> tuple[str, ...]:
    if get_origin(annotation) is Literal:
        return tuple(map(str, get_args(annotation)))
    return tuple(choice for part in get_args(annotation) if part is not Ellipsis for choice in _choices(part))


def _kind(info: FieldInfo) -> str | None:
    annotation = info.annotation
    kinds = {bool: "switch", int: "whole", float: "number", str: "text"}
    if annotation in kinds:
        return kinds[annotation]
    if get_origin(annotation) is Literal:
        return "choice"
    if get_origin(annotation) is tuple:
        return "several" if _choices(annotation) else "list"
    inner = [part for part in get_args(annotation) if part is not type(None)]
    if len(inner) > 1 and all(get_origin(part) is Literal for part in inner):
        return "choice"
    return kinds.get(inner[0]) if len(inner) == 1 else None
