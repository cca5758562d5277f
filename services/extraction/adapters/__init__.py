"""The parsers behind extraction, and the child process that they run in."""
