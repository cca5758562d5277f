"""What people say of garbage, written down; and the classifier's versions, asked for and put to use."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from shared import layout
from shared.catalog.protocol import Placed, Slice
from shared.clock import now
from shared.contracts.review import (
    ClassifierParameters,
    ClassifierWish,
    Label,
    LabelSource,
    LabelView,
    Verdict,
)
from shared.contracts.views import ClassifierView
from shared.errors import Conflict, NotFound
from shared.ids import short
from shared.indexing import index_classifier
from shared.objects import Series, create_contract
from shared.pipeline import classifier_key
from shared.records import Records

MOST_CHARACTERS = 20_000
"""A label holds so much of its text: more than a classifier reads."""


@dataclass(frozen=True, slots=True)
class Word:
    """What a reviewer wants to say of an item of a document."""

    document: str
    item: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Reviews:
    """Labels and versions, on top of the records."""

    records: Records

    def say(self, reviewer: str, words: Sequence[Word]) -> list[LabelView]:
        """Write labels down, all or none of unknown items. Raises NotFound."""
        found = [self._label(reviewer, word) for word in words]
        by_document: dict[str, list[Label]] = defaultdict(list)
        for label in found:
            by_document[label.document].append(label)
        views: list[LabelView] = []
        for document, labels in by_document.items():
            sequences = Series(self.records.store, layout.labels(document)).extend(labels)
            entries = list(zip(sequences, labels, strict=True))
            self.records.catalog.put_labels(entries)
            views += [LabelView(sequence=sequence, label=label) for sequence, label in entries]
        return views

    def _label(self, reviewer: str, word: Word) -> Label:
        placed = self.records.catalog.reviewable(word.document, word.item)
        if placed is None:
            raise NotFound(
                f"There is no text {word.item} of document {word.document[:16]} to label: it was cut anew since, "
                "or never was. List what there is with `GET /v1/garbage?order=uncertainty`."
            )
        return Label(
            document=placed.document, item=placed.id, mark=placed.mark, text=self._text(placed)[:MOST_CHARACTERS],
            decision="kept" if placed.decision == "kept" else "set-aside", rule=placed.rule, verdict=word.verdict,
            reviewer=reviewer, at=now(),
        )  # fmt: skip

    def _text(self, placed: Placed) -> str:
        return str(json.loads(self.records.store.read_range(placed.path, placed.start, placed.end))["text"])

    def wish_classifier(self, parameters: ClassifierParameters | None = None) -> ClassifierView:
        """Ask for a version trained on all labels there are now; where the last one was, it is that. Raises Conflict where
        there are none."""
        catalog = self.records.catalog
        labels = tuple(LabelSource(document=one, labels=count) for one, count in sorted(catalog.labelled().items()))
        if not labels:
            raise Conflict("Nobody has labelled anything yet, so there is nothing to learn from: `lectern review` asks.")
        wanted = parameters or ClassifierParameters()
        last = next(iter(catalog.classifiers(Slice(limit=1))), None)
        if last is not None and (last.wish.parameters, last.wish.labels) == (wanted, labels):
            return last
        standing = catalog.standing_classifier()
        previous = standing.id if standing else None
        kept, set_aside = catalog.count_reviewables()
        key = classifier_key(wanted, labels, (kept, set_aside), previous)
        wish = ClassifierWish(
            key=key, parameters=wanted, labels=labels, kept=kept, set_aside=set_aside, previous=previous, created_at=now()
        )
        create_contract(self.records.store, layout.classifier(short(key)), wish)
        self.records.jobs.start(index_classifier(self.records.store, catalog, short(key)))
        found = catalog.classifier(short(key))
        assert found is not None, "it was indexed just now"
        return found

    def put_to_use(self) -> list[str]:
        """Have collections that follow the classifier screened by the version that stands; returns their names. Only screening
        is done anew, and what comes after it."""
        standing = self.records.catalog.standing_classifier()
        if standing is None:
            return []
        moved = []
        before: tuple[str, str] | None = None
        while some := self.records.catalog.collections(Slice(200, before)):
            for one in some:
                if one.parameters.screening.follow and one.parameters.screening.classifier != standing.id:
                    self.records.set_parameters(one.name, one.parameters)
                    moved.append(one.name)
            before = (some[-1].created_at, some[-1].name)
        return moved
