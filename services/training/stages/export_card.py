"""The card of an export: where it comes from, what it is, and how it compared, as Markdown with YAML front matter."""

import json

from shared.contracts.base import Contract
from shared.contracts.exports import ExportResult


class Taught(Contract):
    """A dataset that the model learned of before its own: one that its dataset replays, or of a model that it came from."""

    dataset: str
    documents: int
    documents_licence: str


class About(Contract):
    """What an export's card says of where it comes from."""

    model: str
    base: str
    base_source: str
    licence: str
    dataset: str
    run: str
    documents: int
    documents_licence: str
    parent: str | None = None
    before: tuple[Taught, ...] = ()


def card(about: About, result: ExportResult) -> str:
    """`README.md` as the hub's model cards are laid out. Names come from people, so they are written as JSON strings, which
    are YAML too, and as code."""
    found, limits = result.comparison, result.limits
    front = {"base_model": about.base, "license": about.licence, "tags": ["lectern", result.variant]}
    rows = [
        ("divergence over prefill (nats)", f"{found.prefill_divergence:.4g}", f"at most {limits.divergence:g}"),
        ("beside what the adapter changes", f"{found.adapter_divergence:.4g}", f"at most {limits.adapter_share:g} of it"),
        ("divergence while decoding (nats)", f"{found.decoding_divergence:.4g}", f"at most {limits.divergence:g}"),
        ("token agreement while decoding", f"{found.decoding_agreement:.4f}", f"at least {limits.agreement:g}"),
        ("perplexity, trained model and export", f"{found.reference_perplexity:.4g} and {found.perplexity:.4g}",
         f"ratio at most {limits.perplexity_ratio:g}"),
    ]  # fmt: skip
    return "\n".join([
        "---", *(f"{name}: {json.dumps(value)}" for name, value in front.items()), "---", "",
        f"# `{about.model}` as {result.variant}", "",
        f"Tuned on the dataset `{about.dataset}` ({about.documents} documents, licence: {_inline(about.documents_licence)}) "
        f"by the run `{about.run}`, from `{about.base}` ({_inline(about.base_source)}).",
        *_before(about), "", f"{result.weights_bytes:,} bytes of weights; merged in bf16 they are {result.bf16_bytes:,}.", "",
        f"Compared with the adapter on its base over {found.prefill_positions} held-out tokens and {found.decoding_positions} "
        "of its own greedy answers:", "", "| figure | found | limit |", "| --- | --- | --- |",
        *(f"| {' | '.join(row)} |" for row in rows), "",
    ])  # fmt: skip


def _before(about: About) -> list[str]:
    """The licences of everything it learned of bind whoever passes it on."""
    began = [f"The run started from `{about.parent}`."] if about.parent else []
    told = [f"- `{one.dataset}` ({one.documents} documents, licence: {_inline(one.documents_licence)})" for one in about.before]
    return [*([""] if began or told else []), *began, *(["Before, it learned of:", "", *told] if told else [])]


def _inline(text: str) -> str:
    """Somebody's words within a line: no markup of theirs takes hold."""
    return "`" + " ".join(text.replace("`", "'").split()) + "`"
