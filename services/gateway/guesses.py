"""How an engine's guesses come out: read from its own counts when somebody looks."""

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
    """What was guessed and accepted since the deployment's engine began, for all that it serves; None where it does not guess,
    or does not tell."""
    if view.wish.speculation is None or view.state != "ready" or view.endpoint is None:
        return None
    try:
        headers = settings.engine_headers()
        answer = httpx.get(f"{view.endpoint}/metrics", headers=headers, timeout=LOOK_SECONDS, trust_env=False)
        return counted(answer.raise_for_status().text)
    except (httpx.HTTPError, ValueError) as error:
        log().warning("guesses.untold", deployment=view.name, error=type(error).__name__)
        return None


def counted(metrics: str) -> Guesses:
    """The guesses that an engine's metrics tell of. Raises ValueError where they are no metrics."""
    sums = dict.fromkeys(_COUNTS.values(), 0)
    for family in text_string_to_metric_families(metrics):
        if family.name in _COUNTS:
            sums[_COUNTS[family.name]] += int(sum(one.value for one in family.samples if one.name.endswith("_total")))
    share = round(sums["accepted"] / sums["guessed"], 4) if sums["guessed"] else None
    return Guesses(**sums, acceptance=share)
