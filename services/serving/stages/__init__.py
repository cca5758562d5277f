"""The pure part of serving."""
