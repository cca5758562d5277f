"""Editors ask at every key: of one editor's requests only the newest is of use, so it ends the one before."""

import asyncio
from collections.abc import AsyncIterator
from weakref import WeakValueDictionary

from shared.errors import LecternError


class Superseded(LecternError):
    """A newer request of the same session took this one's place."""

    code = "superseded"

    def __init__(self) -> None:
        super().__init__("A newer request of this session took this one's place.")


class Turn:
    """A request's turn in its session, for as long as somebody holds it."""

    def __init__(self) -> None:
        self._over = asyncio.Event()

    def end(self) -> None:
        self._over.set()

    async def ended(self) -> None:
        await self._over.wait()

    async def until_ended(self, blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The blocks as they come. Raises Superseded as soon as the turn is over."""
        over = asyncio.ensure_future(self.ended())
        following = None
        try:
            while True:
                following = asyncio.ensure_future(_next(blocks))
                await asyncio.wait({following, over}, return_when=asyncio.FIRST_COMPLETED)
                if over.done():
                    raise Superseded
                block = following.result()
                if block is None:
                    return
                yield block
        finally:
            tasks = [task for task in (over, following) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _next(blocks: AsyncIterator[bytes]) -> bytes | None:
    """The next block, or None after the last: StopAsyncIteration cannot be a task's result."""
    return await anext(blocks, None)


class Editors:
    """Whose turn it is in each session. A session is one key's own: nobody ends another's. Only within this process."""

    def __init__(self) -> None:
        self._turns: WeakValueDictionary[tuple[str, str], Turn] = WeakValueDictionary()

    def take(self, key: str, session: str) -> Turn:
        """The newest turn; the one before it is over."""
        before = self._turns.get((key, session))
        if before is not None:
            before.end()
        turn = self._turns[key, session] = Turn()
        return turn
