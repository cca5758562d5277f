"""Training measured: each variant in a process of its own, on the bundled base and the examples' PDFs."""
