"""Which deployment is meant, and the base model behind it."""

from typing import Any

from cli.api import Api
from cli.outcome import Exit, Failure
from cli.text import segment


def choose(api: Api, name: str | None) -> dict[str, Any]:
    """The deployment named, or the only one that is ready: a tuned model before a base. Raises Failure."""
    if name is not None:
        found: dict[str, Any] = api.get(f"/v1/deployments/{segment(name)}")
        return found
    ready = [each for each in api.items("/v1/deployments") if each["state"] == "ready"]
    tuned = [each for each in ready if each["wish"]["model"]]
    for choice in (tuned, ready):
        if len(choice) == 1:
            return choice[0]
    if not ready:
        raise Failure("No model is served. Serve one with `lectern deploy MODEL --wait`.", Exit.NOT_FOUND, "not-found")
    raise Failure(
        f"Several models are served: name one of {', '.join(each['name'] for each in ready)}.", Exit.USAGE, "ambiguous"
    )


def base_of(deployment: dict[str, Any]) -> str:
    """The name that the deployment's base model answers to: an engine that serves an adapter serves its base too."""
    return str(deployment["wish"]["base"])
