"""The effects of training: models in memory, Ray, child processes, checkpoints in the object store."""
