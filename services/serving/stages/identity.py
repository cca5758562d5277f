"""What makes an engine the one that it is: a deployment that asks for anything else here gets another engine."""

from typing import Literal

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
