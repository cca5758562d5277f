"""How engines' guesses come out: read from their own counts when somebody looks."""

from collections.abc import Sequence

import httpx
from prometheus_client.parser import text_string_to_metric_families

from shared.contracts.views import DeploymentView, Guesses
from shared.settings import EngineSettings
from shared.telemetry import log

LOOK_SECONDS = 2.0
_COUNTS = {
    "vllm:spec_decode_num_drafts": "times", "vllm:spec_decode_num_draft_tokens": "guessed",
    "vllm:spec_decode_num_accepted_tokens": "accepted",
}  # fmt: skip


def guessed(view: DeploymentView, settings: EngineSettings) -> Guesses | None:
    """What was guessed and accepted since the replicas of the deployment's engine began, for all that they serve; None where
    they do not guess, or none tells."""
    if view.wish.speculation is None or view.state != "ready":
        return None
    told = [found for endpoint in view.endpoints if (found := _told(view.name, endpoint, settings)) is not None]
    return counted(told) if told else None


def _told(deployment: str, endpoint: str, settings: EngineSettings) -> dict[str, int] | None:
    try:
        headers = settings.engine_headers()
        answer = httpx.get(f"{endpoint}/metrics", headers=headers, timeout=LOOK_SECONDS, trust_env=False)
        return counts(answer.raise_for_status().text)
    except (httpx.HTTPError, ValueError) as error:
        log().warning("guesses.untold", deployment=deployment, error=type(error).__name__)
        return None


def counts(metrics: str) -> dict[str, int]:
    """What an engine's metrics tell of its guesses. Raises ValueError where they are no metrics."""
    found = dict.fromkeys(_COUNTS.values(), 0)
    for family in text_string_to_metric_families(metrics):
        if family.name in _COUNTS:
            found[_COUNTS[family.name]] += int(sum(one.value for one in family.samples if one.name.endswith("_total")))
    return found


def counted(engines: Sequence[dict[str, int]]) -> Guesses:
    """The guesses of engines together."""
    sums = {name: sum(one[name] for one in engines) for name in _COUNTS.values()}
    share = round(sums["accepted"] / sums["guessed"], 4) if sums["guessed"] else None
    return Guesses(**sums, acceptance=share)
