"""The base of every value that crosses a process: frozen, closed to unknown fields, versioned."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Contract(BaseModel):
    """A value on the queue, in the object store or on the wire."""

    # Values may be documents' text, which has no place in the message of an error that is logged.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    UNKEYED: ClassVar[frozenset[str]] = frozenset()
    """Fields of parameters that do not decide what a stage makes: its key leaves them out."""

    KEYED_ONCE_SET: ClassVar[frozenset[str]] = frozenset()
    """Fields that keys leave out while they are as by default: they came later, and what was made before keeps its key."""

    schema_version: int = 1
