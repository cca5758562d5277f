"""A dataset's card: what it is made of, for people, and for `datasets.load_dataset`, which reads its front matter.

What documents say stands in it only between fences that they cannot close, and without characters that hide or turn text.
"""

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from shared.contracts.learning import DatasetResult, DatasetWish, Example
from shared.ids import short
from shared.template import PromptTemplate

CARD = "README.md"
MAX_DOCUMENTS = 200
MAX_SAMPLE_CHARACTERS = 4_000
BAR = 40

_OPENING = """## Opening it

```python
datasets.load_dataset(DIRECTORY)  # JSON lines
datasets.load_dataset("parquet", data_files={"train": "train.parquet", "heldout": "heldout.parquet"})
```

"""
_HIDDEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
_FENCE = re.compile(r"`{3,}")


@dataclass(frozen=True, slots=True)
class Written:
    """A dataset as it was written: its result, the examples of each file ([train, held out]), and some of them."""

    result: DatasetResult
    documents: Mapping[str, Sequence[int]]
    samples: Sequence[Example]


def card(wish: DatasetWish, base_licence: str, template: PromptTemplate, eos: str, written: Written) -> str:
    """The whole of `README.md`."""
    parts = [
        _front_matter(wish, written.result), f"# {wish.name}, version {wish.version}\n", _summary(wish, written.result),
        _licences(wish, base_licence), _counts(written.result), _lengths(written.result), _documents(written),
        _samples(written.samples, template, eos),
    ]  # fmt: skip
    return "\n".join(parts)


def _front_matter(wish: DatasetWish, result: DatasetResult) -> str:
    """YAML whose values are JSON, which is YAML too."""

    files = [{"split": split, "path": f"{split}.jsonl"} for split in ("train", "heldout")]
    values = {
        "pretty_name": f"{wish.name} {wish.version}", "license": "other", "license_name": shown(wish.licence_told),
        "task_categories": ["text-generation"], "tags": ["lectern"],
        "configs": [{"config_name": "default", "data_files": files}],
        "lectern": {"dataset": short(wish.key), "name": wish.name, "version": wish.version, "digest": result.digest},
    }  # fmt: skip
    lines = (f"{name}: {json.dumps(value, ensure_ascii=False)}\n" for name, value in values.items())
    return f"---\n{''.join(lines)}---\n"


def _summary(wish: DatasetWish, result: DatasetResult) -> str:
    return _table(
        ("", ""),
        [
            ("dataset", f"`{short(wish.key)}`"), ("SHA-256 of its examples", f"`{result.digest}`"),
            ("collection", wish.collection),
            ("base model", wish.base), ("template", wish.parameters.template), ("recipes", ", ".join(wish.parameters.recipes)),
            ("written by", _cell(wish.parameters.qa.model) if wish.parameters.qa else "the documents alone"),
            ("asked for", wish.created_at),
        ],
    )  # fmt: skip


def _licences(wish: DatasetWish, base_licence: str) -> str:
    rows = [("documents", _cell(wish.licence_told)), (f"base model {wish.base} (tokenizer)", _cell(base_licence))]
    return "## Licences\n\n" + _table(("of", "licence"), rows)


def _counts(result: DatasetResult) -> str:
    rows = [
        ("training examples", str(result.train)), ("of them replayed from earlier datasets", str(result.replayed)),
        ("held-out examples", str(result.heldout)), ("never on both sides", result.split), ("documents", str(result.documents)),
        ("chunks", str(result.chunks)),
        *((f"examples by recipe: {_cell(name)}", str(number)) for name, number in result.recipes.items()),
        *((f"chunks left out: {how} duplicates", str(number)) for how, number in result.duplicates.items()),
        *((f"skipped: {_cell(reason)}", str(number)) for reason, number in result.skipped.items()),
    ]  # fmt: skip
    return _OPENING + "## Counts\n\n" + _table(("what", "how many"), rows)


def _lengths(result: DatasetResult) -> str:
    most = max((one.train + one.heldout for one in result.lengths), default=1)
    lines = [
        f"{one.up_to:>6}  {one.train:>8}  {one.heldout:>8}  {'█' * round(BAR * (one.train + one.heldout) / most)}"
        for one in result.lengths
    ]
    head = f"{'up to':>6}  {'train':>8}  {'held out':>8}"
    return "## Lengths\n\nTokens of prompt, answer and EOS.\n\n" + _fenced("\n".join([head, *lines]), "text")


def _documents(written: Written) -> str:
    rows = [(_cell(name), str(sides[0]), str(sides[1])) for name, sides in sorted(written.documents.items())]
    more = f"\n… and {len(rows) - MAX_DOCUMENTS} more.\n" if len(rows) > MAX_DOCUMENTS else ""
    return "## Documents\n\n" + _table(("document", "train", "held out"), rows[:MAX_DOCUMENTS]) + more


def _samples(samples: Sequence[Example], template: PromptTemplate, eos: str) -> str:
    return "## Samples\n\nAs the model sees them: the answer and EOS are learnt.\n\n" + "\n".join(_each(samples, template, eos))


def _each(samples: Sequence[Example], template: PromptTemplate, eos: str) -> Iterator[str]:
    for one in samples:
        pages = ", ".join(str(page) for page in sorted({span.page for span in one.spans}))
        yield f"From {_cell(one.filename)}, page {pages or 'unknown'} ({one.recipe}, {one.tokens} tokens):\n"
        yield _fenced(shown(template.prompt(one.instruction, one.input) + one.output + eos, MAX_SAMPLE_CHARACTERS), "text")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(text: str) -> str:
    """One line in a cell of a table, whatever Markdown or HTML the text may hold."""
    line = " ".join(shown(text, 200).split())
    return re.sub(r"([\\`*_{}\[\]()#+!|~>-])", r"\\\1", line.replace("&", "&amp;").replace("<", "&lt;"))


def _fenced(text: str, kind: str) -> str:
    longest = max((len(found) for found in _FENCE.findall(text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{kind}\n{text}\n{fence}\n"


def shown(text: str, characters: int = 1_000) -> str:
    """Text without control, format and unassigned characters (ordinary line ends and tabs may stay), and not too much of it."""
    kept = "".join(c for c in text[: characters + 1] if c in "\n\t" or unicodedata.category(c) not in _HIDDEN)
    return kept if len(text) <= characters else kept[:characters] + " …"
