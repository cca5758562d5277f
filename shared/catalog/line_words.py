"""What people said of lines in SQL: each reviewer's latest word."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select

from shared.catalog.protocol import Slice
from shared.catalog.tables import LineWordRow
from shared.catalog.transactions import Transactions, page
from shared.contracts.line_labels import LineWord


class LineWords(Transactions):
    """Words on lines."""

    def put_line_words(self, words: Iterable[tuple[int, LineWord]]) -> None:
        with self._write() as session:
            for sequence, word in words:
                self._upsert(
                    session, LineWordRow, document=word.document, extraction=word.extraction, page=word.page,
                    block=word.block, line=word.line, reviewer=word.reviewer, sequence=sequence,
                    entry=f"{word.document}/{sequence:08d}", word=word.model_dump(mode="json"), at=word.at,
                )  # fmt: skip

    def line_words(self, part: Slice, document: str | None = None) -> list[tuple[int, LineWord]]:
        wanted = page(select(LineWordRow), LineWordRow.at, LineWordRow.entry, part)
        if document is not None:
            wanted = wanted.where(LineWordRow.document == document)
        return self._words(wanted)

    def line_words_of(self, document: str, extraction: str) -> list[tuple[int, LineWord]]:
        of_map = (LineWordRow.document == document, LineWordRow.extraction == extraction)
        return self._words(select(LineWordRow).where(*of_map).order_by(LineWordRow.page, LineWordRow.sequence))

    def line_worded(self) -> list[tuple[str, str]]:
        wanted = select(LineWordRow.document, LineWordRow.extraction).distinct()
        with self._read() as session:
            return sorted((document, extraction) for document, extraction in session.execute(wanted))

    def _words(self, wanted: Any) -> list[tuple[int, LineWord]]:
        with self._read() as session:
            return [(row.sequence, LineWord.model_validate(row.word)) for row in session.scalars(wanted)]
