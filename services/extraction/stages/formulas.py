"""Words of a page that make formulas → one word each, spelled as LaTeX between dollars.

A formula is known by its fonts: letters of math fonts and signs that only formulas have, and what stands close to them
and may be part of one. Pages without such fonts pass unchanged.
"""

from collections import Counter
from collections.abc import Sequence

from services.extraction.stages.formula_displays import Piece, are_one, fragments, is_display, may_display
from services.extraction.stages.formula_roles import Place, promote, role_of
from services.extraction.stages.formula_spans import NEAR_EM, TRAILING, spans_of
from services.extraction.stages.formula_tree import formula_latex, hangs, real_baseline
from services.extraction.stages.words import Rule, Word

LEAST_CROWD = 4
"""So many words of small print on one baseline are a line of their own, and no scripts."""


def with_formulas(words: Sequence[Word], rules: Sequence[Rule]) -> Sequence[Word]:
    """The words of a page, those of each formula replaced by one, where its first word stood."""
    if not any(word.math for word in words):
        return words
    return _Page(words, rules).replaced()


class _Page:
    def __init__(self, words: Sequence[Word], rules: Sequence[Rule]) -> None:
        self._words = words
        self._rules = [rule for rule in rules if rule.horizontal]
        self._size = _usual_size(words)
        self._loose: list[Place] = []
        self._taken: set[int] = set()
        self._made: dict[int, Word] = {}

    def replaced(self) -> list[Word]:
        places = [
            Place(index, word, role_of(word)) for index, word in enumerate(self._words) if not word.mono and not word.turn
        ]
        if any(place.role == "core" for place in places):
            lines = self._lines(places)
            for line in lines:
                promote(line, self._size)
            self._displays(lines)
            for line in lines:
                self._inline([place for place in line if place.index not in self._taken])
        if not self._made:
            return list(self._words)
        return [
            self._made.get(index) or _escaped(word)
            for index, word in enumerate(self._words)
            if index in self._made or index not in self._taken
        ]

    def _lines(self, places: Sequence[Place]) -> list[list[Place]]:
        """Words of the usual size by baseline, each with the small ones beside it, from left to right."""
        lines: list[list[Place]] = []
        crowd = Counter(
            (place.word.size, round(place.word.baseline))
            for place in places
            if not place.word.math and place.word.spaced and len(place.word.text) > 1
        )
        main = [
            place
            for place in places
            if not hangs(place.word)
            and (place.word.size > 0.85 * self._size or crowd[place.word.size, round(place.word.baseline)] >= LEAST_CROWD)
        ]
        for place in sorted(main, key=lambda place: place.word.baseline):
            if lines and place.word.baseline - lines[-1][0].word.baseline <= 0.22 * self._size:
                lines[-1].append(place)
            else:
                lines.append([place])
        baselines = [line[0].word.baseline for line in lines]
        known = {place.index for place in main}
        for place in places:
            if place.index in known:
                continue
            if (at := self._beside(place.word, lines, baselines)) is not None:
                lines[at].append(place)
            else:
                self._loose.append(place)
        for line in lines:
            line.sort(key=lambda place: ((place.word.left + place.word.right) / 2, place.word.left))
        return lines

    def _beside(self, word: Word, lines: Sequence[Sequence[Place]], baselines: Sequence[float]) -> int | None:
        """The line that a small or tall word belongs to: near in height, with a word right beside it."""
        middle = real_baseline(word)
        best: tuple[float, int] | None = None
        for index, baseline in enumerate(baselines):
            shift = (middle - baseline) / self._size
            if -1.0 <= shift <= 0.75:
                gap = min(max(place.word.left - word.right, word.left - place.word.right, 0.0) for place in lines[index])
                if gap <= 1.5 * self._size:
                    found = (abs(shift + 0.1) + 0.5 * gap / self._size, index)
                    best = min(best, found) if best else found
        return best[1] if best else None

    def _displays(self, lines: Sequence[Sequence[Place]]) -> None:
        """Formulas on lines of their own: the pieces of one that stand above each other are taken together."""
        pieces = [Piece.of(piece) for line in lines for piece in fragments(line, self._size) if may_display(piece)]
        pieces += [Piece.of([place]) for place in self._loose if place.role != "text"]
        done: list[Piece] = []
        zones: list[Piece] = []
        for piece in sorted(pieces, key=lambda piece: piece.top):
            whole, apart = piece, []
            for zone in zones:
                if zone.bottom < piece.top - self._size:
                    done.append(zone)
                elif are_one(zone, piece, self._size, self._rules):
                    whole = whole.joined(zone)
                else:
                    apart.append(zone)
            zones = [*apart, whole]
        for zone in (*done, *zones):
            if is_display(zone):
                self._replace(zone.places, "$$")

    def _inline(self, line: Sequence[Place]) -> None:
        for span in spans_of(line, self._size):
            self._replace(span, "$")

    def _replace(self, places: Sequence[Place], mark: str) -> None:
        """Makes one word of a formula's words. Punctuation that ends it in the text's font stays the text's."""
        words = [place.word for place in places]
        last = max(places, key=lambda place: place.word.right)
        tail = ""
        if mark == "$" and last.role != "core" and len(places) > 1 and (found := TRAILING.search(last.word.text)):
            tail = found[0] if found.start() else ""
            words[places.index(last)] = last.word._replace(text=last.word.text[: len(last.word.text) - len(tail)])
        left, right = min(word.left for word in words), max(word.right for word in words)
        top, bottom = min(word.top for word in words), max(word.bottom for word in words)
        if not (tex := formula_latex(words, self._bars(left, top, right, bottom))):
            return
        indexes = sorted(place.index for place in places)
        first = min(places, key=lambda place: (place.word.left, place.index)).word
        base = max(words, key=lambda word: (word.size, -abs(word.baseline - (top + bottom) / 2)))
        begins = first.starts_line and not self._follows_word(indexes[0], left, base)
        spaced = any(word.spaced for word in words if word.left <= left + 0.3 * base.size)
        self._taken.update(indexes)
        self._made[indexes[0]] = Word(
            f"{mark}{tex}{mark}{tail}", left, top, right, bottom, base.baseline, base.size,
            spaced=spaced, starts_line=begins, math=True,
        )  # fmt: skip

    def _bars(self, left: float, top: float, right: float, bottom: float) -> list[Rule]:
        return [
            rule
            for rule in self._rules
            if left - 2 <= rule.left and rule.right <= right + 2 and top - 2 <= rule.top <= bottom + 2
        ]

    def _follows_word(self, index: int, left: float, base: Word) -> bool:
        """Whether the word before a formula in the content stream stands right before it on its line."""
        if index == 0:
            return False
        last = self._words[index - 1]
        return abs(last.baseline - base.baseline) <= 0.3 * base.size and -0.5 <= left - last.right <= NEAR_EM * base.size


def _escaped(word: Word) -> Word:
    """A dollar of the text, on a page where dollars mark formulas."""
    return word._replace(text=word.text.replace("$", "\\$")) if "$" in word.text else word


def _usual_size(words: Sequence[Word]) -> float:
    weights: Counter[float] = Counter()
    for word in words:
        weights[round(word.size, 1)] += len(word.text)
    return weights.most_common(1)[0][0]
