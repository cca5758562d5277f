"""Instruction examples made of the example PDFs' sentences: lengths vary as those of real datasets do."""

import random
import re
from pathlib import Path

from services.extraction.local import text_of_file
from shared.contracts.learning import Example

_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")


def sentences(folder: Path) -> list[list[str]]:
    """The sentences of each PDF, in order."""
    documents = []
    for path in sorted(folder.glob("*.pdf")):
        text = text_of_file(path)
        if isinstance(text, str):
            found = [" ".join(part.split()) for part in _SENTENCE.split(text)]
            documents.append([one for one in found if 30 <= len(one) <= 300])
    return documents


def examples(folder: Path, count: int, seed: int = 17) -> list[Example]:
    """Some sentences given, the next ones wanted. The same every time."""
    chance = random.Random(seed)
    documents = [one for one in sentences(folder) if len(one) > 12]
    made = []
    for index in range(count):
        document = chance.choice(documents)
        given, wanted = chance.randint(1, 6), chance.randint(1, 3)
        start = chance.randrange(len(document) - given - wanted)
        middle, end = start + given, start + given + wanted
        made.append(
            Example(
                id=f"e{index:04d}", instruction="Continue the text.", input=" ".join(document[start:middle]),
                output=" ".join(document[middle:end]), recipe="continuation", chunk=f"c{index}", document="d", filename="d.pdf",
            )
        )  # fmt: skip
    return made
