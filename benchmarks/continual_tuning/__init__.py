"""Tuning on disjoint collections one after another: what is forgotten, and what helps."""
