"""From a source text to pages: parse, choose a look, flow, and for a scan, photograph."""
