"""Measurements against other tools, in one run on one machine. Nothing here is shipped, and nothing here is a test."""
