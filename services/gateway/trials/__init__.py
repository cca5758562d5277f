"""Trials of a deployment's settings: which to try, on what, how each is measured, and which is kept."""
