"""What makes an engine the one that it is, and the seats that its replicas take. A deployment that asks for anything else here
gets another engine."""

from typing import Literal

from pydantic import Field

from shared.contracts.base import Contract
from shared.contracts.engines import EngineArguments, ServedVariant, Speculation
from shared.ids import export_name
from shared.keys import digest

Runtime = Literal["vllm", "llama.cpp"]


class EngineIdentity(Contract):
    """The weights that an engine is started on, and how. `export` is an export's key, None for a base with its adapters."""

    base: str
    variant: ServedVariant = "adapter"
    export: str | None = None
    speculation: Speculation | None = None
    arguments: EngineArguments = EngineArguments()

    @property
    def served_name(self) -> str:
        """What the engine calls the model that it was started on."""
        return self.base if self.export is None else export_name(self.export)

    @property
    def runtime(self) -> Runtime:
        return "llama.cpp" if self.variant.startswith("gguf-") else "vllm"

    @property
    def name(self) -> str:
        """For its files and for people. No base can be called like another engine, since `+` is in no base's name."""
        if self == EngineIdentity(base=self.base):
            return self.base
        form = "" if self.variant == "adapter" else f"{self.variant}-"
        return f"{self.base}+{form}{digest(self)[:8]}"


class Seat(Contract):
    """Where one replica of an engine runs. Replicas are alike, and each lives and dies by itself."""

    engine: EngineIdentity
    replica: int = Field(0, ge=0)

    @property
    def name(self) -> str:
        """For its files and for people. The first is called as its engine is; `~` is in no base's name."""
        return self.engine.name if self.replica == 0 else f"{self.engine.name}~{self.replica}"
