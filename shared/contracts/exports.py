"""Exports: a tuned model in a form that engines without adapters take, kept only if it is the model that was trained."""

from typing import Literal

from pydantic import Field

from shared.contracts.base import Contract

Variant = Literal["merged", "gguf-f16", "gguf-q8_0", "gguf-q5_1", "gguf-q4_1", "awq", "gptq", "int8", "fp8"]
"""merged: bf16 safetensors. gguf-…: one file for llama.cpp, its weights of that type. awq, gptq: safetensors of 4-bit weights,
calibrated on the dataset's own examples. int8, fp8: of 8-bit weights, with which an engine computes in 8 bits."""

COMPRESSED: frozenset[str] = frozenset({"awq", "gptq", "int8", "fp8"})
"""Variants that llm-compressor makes."""

CALIBRATED: frozenset[str] = COMPRESSED - {"fp8"}
"""Variants that are made by looking at examples."""


class ExportParameters(Contract):
    """How a variant is made and looked at. Calibration is of awq, gptq and int8 alone."""

    variant: Variant
    compared_examples: int = Field(16, ge=1, le=256, description="Held-out examples that the gate compares on, drawn by seed.")
    calibration_examples: int = Field(
        64, ge=1, le=1_024, description="Training examples, which hold the collection's chunks, that calibrate; drawn by seed."
    )
    seed: int = 17


class ExportWish(Contract):
    """An export asked for: the key of its stage names it."""

    key: str
    model: str = Field(description="Id of the tuned model.")
    parameters: ExportParameters
    created_at: str


class Comparison(Contract):
    """A variant against its reference. Divergences: means over positions, in nats; agreement: a share without near-ties.
    `adapter_divergence` is KL(reference ‖ base) over prefill: what the adapter itself changes."""

    adapter_divergence: float
    prefill_divergence: float
    prefill_positions: int
    decoding_divergence: float
    decoding_agreement: float
    decoding_positions: int
    reference_perplexity: float
    perplexity: float

    @property
    def perplexity_ratio(self) -> float:
        return self.perplexity / self.reference_perplexity


class Limits(Contract):
    """What a variant may differ by and still be published."""

    divergence: float = Field(description="Over prefill and while decoding, in nats.")
    adapter_share: float = Field(
        description="Of what the adapter itself changes: a variant that lost its adapter differs by all of it, however little "
        "that is."
    )
    agreement: float
    perplexity_ratio: float


class ExportResult(Contract):
    """What an export is and how it compares; also `report.json` beside its files. Sizes in bytes."""

    variant: Variant
    comparison: Comparison
    limits: Limits
    weights_bytes: int
    bf16_bytes: int = Field(description="Of the same weights merged in bf16.")
    made_seconds: float
    compared_seconds: float
