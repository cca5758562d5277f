"""`make bench-speculation`: what guessing tokens does to answers and to speed, by n-grams and by a draft model.

Greedy answers with and without are compared token by token, in float32 and in bfloat16; where they part, how far apart the two
likeliest tokens were there without speculation. Then tokens a second, alone and many at once, and how many guesses were right:
on texts to be copied, on lists to go on with, and on openings of prose, in which a small model that is asked for its likeliest
tokens soon repeats itself.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from benchmarks.load import Ask, Door, drive
from services.gateway.guesses import counts
from services.serving.adapters import children
from services.serving.adapters.commands import free_port
from services.serving.adapters.engine_api import EngineApi
from services.serving.adapters.launching import launch
from services.serving.settings import ServingSettings, engine_environment
from services.serving.stages.identity import EngineIdentity
from services.serving.stages.plan import EngineSpec
from shared.contracts.engines import DraftSpeculation, EngineArguments, NgramSpeculation, Speculation
from tests.servers import wait_until

BASE = "speculated"
HOW: Mapping[str, Speculation | None] = {
    "none": None, "ngram": NgramSpeculation(), "draft": DraftSpeculation(model="draft"),
}  # fmt: skip
_TEXTS = (
    "The ferry leaves the north pier at seven and comes back at noon, but for Sundays, when it does not leave at all.",
    "Whoever opens the valve writes the hour, the pressure and their name in the book that hangs beside the door.",
    "Samples are kept cold, counted twice, and sent to the laboratory on the morning after they were taken.",
    "def area(width, height):\n    if min(width, height) < 0:\n        raise ValueError('no area')\n    return width * height",
    "The committee met in March, heard both sides, and asked for the figures of the last four winters.",
    "Old maps of the marsh show three channels; the one in the middle was filled in when the railway came.",
)
_LIST = "red: 12\ngreen: 7\nblue: 31\namber: 4\nblack: 18\nwhite: 25\n"


def copying(at: int) -> str:
    """Two texts and their copies, and a third whose copy is to come: what a model does that edits or quotes."""
    shown = "".join(f"Text: {one}\nCopy: {one}\n\n" for one in (_TEXTS[at - 1], _TEXTS[at - 2]))
    return f"{shown}Text: {_TEXTS[at]}\nCopy:"


PROMPTS = {
    "copies": [copying(at) for at in range(4)],
    "lists": [f"Copy the list {times}.\n\n{_LIST}\n{_LIST}\n{_LIST}" for times in ("once", "again", "as it is", "below")],
    "prose": [
        f"{begin}" for begin in (
            "The tide gauge in the harbour is read twice a day, and", "My grandmother kept bees because",
            "Before the bridge was built, the people of the valley", "A good editor of a newspaper will",
        )
    ],
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speculation", description=__doc__)
    parser.add_argument("--vllm", type=Path, default=Path(".venv-vllm/bin/vllm"))
    parser.add_argument("--base", type=Path, help="a model's directory; the bundled base where left out")
    parser.add_argument("--layers", type=int, default=10, help="the draft model is the base's first so many layers")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--at-once", type=int, default=16)
    parser.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--out", type=Path, help="a file for the figures as JSON")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="speculation-") as root:
        told = measured(asked, Path(root))
    print(json.dumps(told, indent=1))
    if asked.out:
        asked.out.write_text(json.dumps(told, indent=2), encoding="utf-8")
    return 0


def measured(asked: argparse.Namespace, root: Path) -> dict[str, Any]:
    from benchmarks.training import prepared

    base = asked.base or prepared(root / "base")
    draft = shortened(base, root / "draft", asked.layers)
    told: dict[str, Any] = {"load_at_first": os.getloadavg()[0], "tokens": asked.tokens, "draft_layers": asked.layers}
    for dtype in asked.dtypes:
        plain: dict[str, Any] = {}
        for name, speculation in HOW.items():
            with engine(asked.vllm, root, base, draft, dtype, speculation) as url:
                found = {kind: on(url, texts, asked, plain.get(kind)) for kind, texts in PROMPTS.items()}
            plain = plain or {kind: one.pop("said") for kind, one in found.items()}
            for one in found.values():
                one.pop("said", None)
            told[f"{dtype} {name}"] = found
            print(json.dumps({f"{dtype} {name}": found}), flush=True)
    return {**told, "load_at_last": os.getloadavg()[0]}


def shortened(base: Path, into: Path, layers: int) -> Path:
    """The first layers of a model with its embeddings and its head: the cheapest draft model that there is."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(base, dtype="auto")
    model.model.layers = model.model.layers[:layers]
    model.config.num_hidden_layers = layers
    if getattr(model.config, "layer_types", None):
        model.config.layer_types = model.config.layer_types[:layers]
    model.save_pretrained(into)
    AutoTokenizer.from_pretrained(base).save_pretrained(into)
    return into


@contextmanager
def engine(vllm: Path, root: Path, base: Path, draft: Path, dtype: Any, speculation: Speculation | None) -> Iterator[str]:
    """An engine as serving starts it, without adapters."""
    settings = ServingSettings(home=root, vllm_command=vllm, cache_dir=root / "cache")
    identity = EngineIdentity(base=BASE, speculation=speculation, arguments=EngineArguments(dtype=dtype))
    begun = launch(settings, EngineSpec(identity, 1_024, 0), base, engine_environment(), free_port(), draft)
    record = children.start(begun.command, begun.environment, root / "engine.log")
    api = EngineApi(begun.endpoint, 60)
    try:
        wait_until(lambda: api.is_healthy() and api.gives_a_token(BASE), "the engine", 900)
        yield begun.endpoint
    finally:
        api.close()
        children.end(record, 20)


def on(url: str, texts: list[str], asked: argparse.Namespace, plain: list[Any] | None) -> dict[str, Any]:
    """Answers to these prompts one by one, their speed, their guesses, and the speed at many at once."""
    said = [greedy(url, text, asked.tokens) for text in texts]
    before = guesses(url)
    alone = asyncio.run(drive(Door(url, BASE), [Ask(text, asked.tokens) for text in texts], 1))
    after = guesses(url)
    many = [Ask(f"{text} {at}", asked.tokens) for at in range(asked.at_once // len(texts)) for text in texts]
    together = asyncio.run(drive(Door(url, BASE), many, asked.at_once))
    drafted = after["guessed"] - before["guessed"]
    return {
        "said": said, "acceptance": round((after["accepted"] - before["accepted"]) / drafted, 3) if drafted else None,
        "alone_tokens_per_second": speed(alone, asked.tokens), "together_tokens_per_second": speed(together, asked.tokens),
        **({} if plain is None else compared(plain, said)),
    }  # fmt: skip


def speed(done: Any, tokens: int) -> float:
    """Events are no measure where several tokens come at once: each answer has as many tokens as were asked for."""
    return round(len(done.good) * tokens / done.seconds, 2)


def greedy(url: str, text: str, tokens: int) -> dict[str, Any]:
    """An answer's tokens and, at each place, by how much the likeliest was likelier than the second, in nats."""
    body = {
        "model": BASE, "prompt": text, "max_tokens": tokens, "min_tokens": tokens, "temperature": 0, "logprobs": 2,
        "return_token_ids": True,
    }  # fmt: skip
    answer = (
        httpx.post(f"{url}/v1/completions", json=body, timeout=900, trust_env=False).raise_for_status().json()["choices"][0]
    )
    tops = [sorted(one.values(), reverse=True) for one in answer["logprobs"]["top_logprobs"]]
    return {"tokens": answer["token_ids"], "gaps": [one[0] - one[1] for one in tops]}


def compared(plain: list[Any], said: list[Any]) -> dict[str, Any]:
    """How many answers are the same, and how near a tie each of the others parts at."""
    partings = [
        next(at for at, (a, b) in enumerate(zip(one["tokens"], other["tokens"], strict=True)) if a != b)
        if one["tokens"] != other["tokens"] else None
        for one, other in zip(plain, said, strict=True)
    ]  # fmt: skip
    gaps = [round(one["gaps"][at], 4) for one, at in zip(plain, partings, strict=True) if at is not None]
    return {"same": partings.count(None), "of": len(plain), "part_at_gaps_of_nats": gaps}


def guesses(url: str) -> dict[str, int]:
    return counts(httpx.get(f"{url}/metrics", timeout=60, trust_env=False).text)


if __name__ == "__main__":
    sys.exit(main())
