"""The base of every value that crosses a process: frozen, closed to unknown fields, versioned."""

from pydantic import BaseModel, ConfigDict


class Contract(BaseModel):
    """A value on the queue, in the object store or on the wire."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = 1
