"""How the served model behaves: whether it stops by itself, and how fast it speaks."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cli.api import Api
from cli.demo.facts import Probe, Probes
from cli.demo.questions import content
from cli.talk import ask, user

MAX_TOKENS = 192
"""Twice what answers of the training format have: a model that learnt to stop has room to."""


def probe(api: Api, model: str, split: str, chosen: list[dict[str, Any]]) -> Probes:
    """Ask all prompts at once. Raises Refused, Failure."""
    began = time.monotonic()
    with ThreadPoolExecutor(max(1, len(chosen)), thread_name_prefix="probe") as pool:
        items = tuple(pool.map(lambda example: _ask(api, model, example), chosen))
    return Probes(items, split, time.monotonic() - began)


def _ask(api: Api, model: str, example: dict[str, Any]) -> Probe:
    answer = ask(api, model, [user(content(example))], lambda _piece: None, max_tokens=MAX_TOKENS)
    return Probe(example["recipe"], example["instruction"], example["input"], example["output"], answer)
