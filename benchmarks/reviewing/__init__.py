"""The parts of `benchmarks/review.py`."""
