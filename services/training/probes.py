"""General questions that come with Lectern: what a model knew before it was tuned should still be there after it."""

from pathlib import Path

from services.training.spec import HeldOut

PROBES = HeldOut(set="probes", name="general probes", examples=Path(__file__).with_name("probes.jsonl"))
"""Written for Lectern, under its licence. Which version was asked, the digest of the examples tells."""
