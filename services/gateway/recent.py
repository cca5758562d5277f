"""What was made of the files asked for last: kept for the next request, and let go of when others were asked for since."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

V = TypeVar("V")


class Recent(Generic[V]):
    """At most `keep` values. Two that ask for the same at once may both make it: nobody waits for another's file."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._values: OrderedDict[str, V] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._values)

    def of(self, key: str, make: Callable[[], V]) -> V:
        """The value of that key, made where it is not kept."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        made = make()
        with self._lock:
            self._values[key] = made
            while len(self._values) > self._keep:
                self._values.popitem(last=False)
        return made
