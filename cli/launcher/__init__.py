"""The one-machine launcher: the same entry points that run in containers, as supervised processes under one home."""
