"""MMD → clean text and garbage → chunks → an instruction dataset: the stages between extraction and training."""
