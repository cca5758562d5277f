"""What replay is drawn by, where a dataset is assembled and where a run starts from a model: lots that depend on the seed and
a name alone, and what an example says."""

import hashlib

from shared.contracts.learning import Example


def draw(seed: int, name: str) -> float:
    """A number in [0, 1) that depends on nothing but the seed and the name."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:8], "big") / 2**64


def fingerprint(example: Example) -> bytes:
    """Equal for examples that say the same, whichever document they come from."""
    return hashlib.sha256("\x00".join((example.instruction, example.input, example.output)).encode()).digest()[:16]


def replayed_beside(own: int, share: float) -> int:
    """How many replayed examples beside `own` ones make up the share of all."""
    return round(own * share / (1 - share))
