"""Kernels of our own, in Triton: what runs on a GPU, and on a CPU by Triton's interpreter so that it can be proved there."""
