"""What NVIDIA's tool tells of GPUs, as it was seen to tell it."""

from shared.gpus import parse_gpus

TWO = """GPU-5e1c, 0, NVIDIA H100 80GB HBM3, 1024, 81559
GPU-77ab, 1, NVIDIA H100 80GB HBM3, [N/A], [N/A]
"""


def test_each_line_is_a_gpu_and_memory_that_is_not_told_is_none() -> None:
    first, second = parse_gpus(TWO)
    assert (first.index, first.name, first.memory_used_bytes) == (0, "NVIDIA H100 80GB HBM3", 1024 << 20)
    assert first.memory_total_bytes == 81559 << 20
    assert (second.memory_used_bytes, second.memory_total_bytes) == (None, None)


def test_errors_among_the_lines_are_no_gpus() -> None:
    assert parse_gpus("No devices were found\n") == ()
    assert parse_gpus("Failed to initialize NVML: Driver/library version mismatch\n\n") == ()
