"""A dataset's beginnings before it is made: a few documents' examples as the model will see them, and how long they are."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice

from services.cleaning.assemble import Shelf
from services.cleaning.stages.card import shown
from services.cleaning.stages.dataset import Skipped, Terms, examples
from services.cleaning.stages.lengths import Lengths
from shared.contracts.datasets import DatasetPreview, PreviewExample
from shared.contracts.documents import Chunk
from shared.contracts.learning import Example
from shared.contracts.work import PreviewWork, Rejected
from shared.objects import read_lines

SHOWN_CHARACTERS = 8_000
MOST_CHUNKS = 200
"""Of one document; a preview is quick or it is nothing."""


def preview(shelves: Iterable[Shelf], terms: Terms, eos: str, work: PreviewWork) -> DatasetPreview | Rejected:
    """Looks at the given documents alone. No model is asked for pairs, and no near-duplicates are looked for."""
    lengths, recipes, skipped = Lengths(), Counter[str](), Counter[str]()
    chosen: dict[str, list[Example]] = {}
    for shelf in shelves:
        for one in _made(shelf, terms):
            if isinstance(one, Skipped):
                skipped[one.reason] += 1
                continue
            lengths.add(one.tokens, heldout=False)
            recipes[one.recipe] += 1
            chosen[one.recipe] = sorted([*chosen.get(one.recipe, []), one], key=lambda each: each.id)[: work.examples]
    if not recipes:
        return Rejected(
            reason="empty-dataset",
            detail="None of the documents looked at gives an example with these settings "
            f"({sum(skipped.values())} passages were skipped). Allow longer answers, or other recipes.",
        )
    turns = (each[row] for row in range(work.examples) for each in chosen.values() if row < len(each))
    return DatasetPreview(
        documents=len(work.inputs), of_documents=work.of_documents, made=sum(recipes.values()),
        examples=tuple(_shown(one, terms, eos) for one in islice(turns, work.examples)),
        recipes=dict(sorted(recipes.items())), skipped=dict(sorted(skipped.items())), lengths=lengths.bins(),
    )  # fmt: skip


def _made(shelf: Shelf, terms: Terms) -> Iterator[Example | Skipped]:
    lines = islice(read_lines(shelf.chunks), MOST_CHUNKS)
    return examples(shelf.source, (Chunk.model_validate(line) for line in lines), terms)


def _shown(one: Example, terms: Terms, eos: str) -> PreviewExample:
    prompt = terms.template.prompt(one.instruction, one.input)
    return PreviewExample(
        recipe=one.recipe, prompt=shown(prompt, SHOWN_CHARACTERS), answer=shown(one.output, SHOWN_CHARACTERS), eos=eos,
        tokens=one.tokens, filename=one.filename, pages=tuple(sorted({span.page for span in one.spans})),
    )  # fmt: skip
