"""Which replica of a deployment is asked next: the one that has the least to answer, as far as this process knows."""

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

SHUNNED_SECONDS = 5.0
"""A replica that could not be asked is the last choice for so long: its deployment's row needs a look or two to tell."""

REMEMBERED = 1_024
"""Addresses whose turn is known: those of engines that are long gone are forgotten."""


class Balance:
    """Requests in flight by an engine's address. For one event loop: nothing here waits, and nothing is locked."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._in_flight: Counter[str] = Counter()
        self._turns: OrderedDict[str, int] = OrderedDict()
        self._shunned: dict[tuple[str, str], float] = {}
        self._asked = 0

    def choose(self, urls: Sequence[str], model: str) -> str:
        """The replica with the fewest requests in flight; of those alike the one that was not asked for longest."""
        moment = self._clock()
        self._shunned = {one: until for one, until in self._shunned.items() if until > moment}
        return min(urls, key=lambda url: ((url, model) in self._shunned, self._in_flight[url], self._turns.get(url, 0)))

    @contextmanager
    def asking(self, url: str) -> Iterator[None]:
        """A request that is in flight for as long as this is open."""
        self._asked += 1
        self._turns[url] = self._asked
        self._turns.move_to_end(url)
        while len(self._turns) > REMEMBERED:
            self._turns.popitem(last=False)
        self._in_flight[url] += 1
        try:
            yield
        finally:
            self._in_flight[url] -= 1
            if not self._in_flight[url]:
                del self._in_flight[url]

    def shun(self, url: str, model: str) -> None:
        """Remember that a replica could not be asked for a model."""
        self._shunned[url, model] = self._clock() + SHUNNED_SECONDS
