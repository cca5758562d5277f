"""Which GPUs this process can see, as NVIDIA's own tool tells: it is there wherever the driver is, in containers too."""

import shutil
import subprocess

from shared.contracts.workers import Gpu

_FIELDS = "uuid,index,name,memory.used,memory.total"
_TIMEOUT_SECONDS = 10.0
_MIB = 1 << 20


def seen_gpus() -> tuple[Gpu, ...]:
    """None where there is no driver, or it does not answer in time."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ()
    command = [tool, f"--query-gpu={_FIELDS}", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    return parse_gpus(told.stdout)


def parse_gpus(told: str) -> tuple[Gpu, ...]:
    """nvidia-smi's CSV → GPUs. Lines of another form are left out: the tool prints its errors among them."""
    return tuple(gpu for line in told.splitlines() if (gpu := _gpu([part.strip() for part in line.split(",")])) is not None)


def _gpu(parts: list[str]) -> Gpu | None:
    if len(parts) != len(_FIELDS.split(",")) or not parts[1].isdigit():
        return None
    uuid, index, name, used, total = parts
    return Gpu(uuid=uuid, index=int(index), name=name, memory_used_bytes=_bytes(used), memory_total_bytes=_bytes(total))


def _bytes(mebibytes: str) -> int | None:
    """`[N/A]` and its like are None."""
    return int(mebibytes) * _MIB if mebibytes.isdigit() else None
