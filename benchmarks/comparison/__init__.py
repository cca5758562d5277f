"""How extraction is compared: the tools, the truths, the scores and their picture."""
