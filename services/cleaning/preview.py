"""A dataset's beginnings before it is made: a few documents' examples as the model will see them, and how long they are."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from services.cleaning.assemble import Shelf
from services.cleaning.stages.card import shown
from services.cleaning.stages.dataset import Skipped, Terms, examples
from services.cleaning.stages.lengths import Lengths
from shared.contracts.datasets import DatasetPreview, PreviewExample
from shared.contracts.documents import Chunk
from shared.contracts.learning import DatasetInput, Example
from shared.contracts.work import Rejected
from shared.objects import read_lines

SHOWN_CHARACTERS = 8_000
MOST_CHUNKS = 200
"""Of one document; a preview is quick or it is nothing."""


def preview(
    inputs: Sequence[tuple[DatasetInput, Callable[[], Shelf]]], terms: Terms, eos: str, of_documents: int, wanted: int
) -> DatasetPreview | Rejected:
    """Looks at the given documents alone. No model is asked for pairs, and no near-duplicates are looked for."""
    lengths, recipes, skipped = Lengths(), Counter[str](), Counter[str]()
    chosen: list[Example] = []
    for _, fetch in inputs:
        shelf = fetch()
        for number, one in enumerate(_made(shelf, terms)):
            if isinstance(one, Skipped):
                skipped[one.reason] += 1
                continue
            lengths.add(one.tokens, heldout=False)
            recipes[one.recipe] += 1
            if number % 7 == 0 or one.recipe not in {each.recipe for each in chosen}:
                chosen.append(one)
    if not recipes:
        return Rejected(
            reason="empty-dataset",
            detail="None of the documents looked at gives an example with these settings "
            f"({sum(skipped.values())} passages were skipped). Allow longer answers, or other recipes.",
        )
    told = tuple(_shown(one, terms, eos) for one in _spread(chosen, wanted))
    return DatasetPreview(
        documents=len(inputs), of_documents=of_documents, examples=told,
        made=sum(recipes.values()), recipes=dict(sorted(recipes.items())), skipped=dict(sorted(skipped.items())),
        lengths=lengths.bins(),
    )  # fmt: skip


def _made(shelf: Shelf, terms: Terms) -> Iterator[Example | Skipped]:
    lines = (line for _, line in zip(range(MOST_CHUNKS), read_lines(shelf.chunks), strict=False))
    return examples(shelf.source, (Chunk.model_validate(line) for line in lines), terms)


def _spread(found: Sequence[Example], wanted: int) -> Sequence[Example]:
    """Each recipe's in turn."""
    by_recipe: dict[str, list[Example]] = {}
    for one in found:
        by_recipe.setdefault(one.recipe, []).append(one)
    turns = [one for row in range(wanted) for each in by_recipe.values() for one in each[row : row + 1]]
    return turns[:wanted]


def _shown(one: Example, terms: Terms, eos: str) -> PreviewExample:
    prompt = terms.template.prompt(one.instruction, one.input)
    return PreviewExample(
        recipe=one.recipe, prompt=shown(prompt, SHOWN_CHARACTERS), answer=shown(one.output, SHOWN_CHARACTERS), eos=eos,
        tokens=one.tokens, filename=one.filename, pages=tuple(sorted({span.page for span in one.spans})),
    )  # fmt: skip
