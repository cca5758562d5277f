"""What this machine can compute, and what was taken of it."""

import resource

import torch

from services.training.stages.precision import Capabilities


def capabilities() -> Capabilities:
    """What this machine computes in. A CPU's bf16 counts where it has instructions for it."""
    if torch.cuda.is_available():
        return Capabilities("cuda", bf16=torch.cuda.is_bf16_supported(including_emulation=False))
    return Capabilities("cpu", bf16=torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def peak_memory_bytes(device: torch.device) -> int:
    """The most memory this process ever held: of the GPU where it has one, else of the machine."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
