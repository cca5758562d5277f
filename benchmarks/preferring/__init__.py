"""The parts of `benchmarks/alignment.py`."""
