"""What the models are asked: prompts in the very form that the tuned model was trained on."""

from typing import Any

from cli.api import Api
from cli.lines import json_lines
from cli.text import segment
from shared.template import user_content

PROBES = 10


def examples(api: Api, dataset: str, split: str) -> list[dict[str, Any]]:
    """A split's examples, in its order."""
    return json_lines(api, f"/v1/datasets/{segment(dataset)}/download", split=split, format="jsonl")


def choose_question(train: list[dict[str, Any]]) -> dict[str, Any]:
    """The example to show: a question where the dataset has one, with an answer of a sentence or more; else a continuation.

    Of those that fit, the one whose answer says most in figures, since these show best what was learnt.
    """
    for recipe in ("question", "continuation"):
        fitting = [example for example in train if example["recipe"] == recipe]
        if fitting:
            return max(fitting, key=lambda example: (telling(example["output"]), example["id"]))
    return train[0]


def telling(answer: str) -> float:
    """The share of an answer's words that hold figures; short answers count for less."""
    words = answer.split()
    return sum(any(char.isdigit() for char in word) for word in words) / max(len(words), 12)


def content(example: dict[str, Any]) -> str:
    """What a user would say."""
    return user_content(example["instruction"], example["input"])


def choose_probes(heldout: list[dict[str, Any]], train: list[dict[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
    """Ten examples spread over the held-out ones; over the trained ones where there are fewer held out."""
    split, found = ("heldout", heldout) if len(heldout) >= PROBES else ("train", train)
    step = max(1, len(found) // PROBES)
    return split, found[::step][:PROBES]
