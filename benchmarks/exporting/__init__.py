"""Parts of `benchmarks/exports.py`."""
