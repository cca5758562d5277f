"""What API keys ask of the models, counted in SQL, so that several gateways count as one."""

from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from shared.catalog.tables import KeyUseRow
from shared.catalog.transactions import Transactions
from shared.contracts.keys import ApiKey, KeyUse
from shared.errors import LimitReached


class Usage(Transactions):
    """Requests by the minute and tokens by the day, both in windows of the clock (UTC)."""

    def admit(self, key: ApiKey, at: datetime) -> None:
        """Raises LimitReached."""
        with self._write() as session:
            row = self._day(session, key.id, at)
            minute = at.strftime("%H:%M")
            in_minute = row.in_minute if row.minute == minute else 0
            if key.tokens_per_day is not None and row.tokens >= key.tokens_per_day:
                left = (_midnight(at) - at).total_seconds()
                raise LimitReached(f"This key may use {key.tokens_per_day:,} tokens a day (UTC), and has.", int(left) + 1)
            if key.requests_per_minute is not None and in_minute >= key.requests_per_minute:
                raise LimitReached(f"This key may ask {key.requests_per_minute:,} times a minute, and has.", 60 - at.second)
            row.requests, row.minute, row.in_minute = row.requests + 1, minute, in_minute + 1

    def count_use(self, key: str, day: str, use: KeyUse) -> None:
        """Add to what a key has used on a day (YYYY-MM-DD, UTC)."""
        with self._write() as session:
            self._make(session, key, day)
            changed = {"requests": KeyUseRow.requests + use.requests, "tokens": KeyUseRow.tokens + use.tokens}
            session.execute(update(KeyUseRow).where(KeyUseRow.key == key, KeyUseRow.day == day).values(**changed))

    def uses(self, at: datetime) -> dict[str, KeyUse]:
        with self._read() as session:
            rows = session.scalars(select(KeyUseRow).where(KeyUseRow.day == at.date().isoformat()))
            return {row.key: KeyUse(requests=row.requests, tokens=row.tokens) for row in rows}

    def _day(self, session: Session, key: str, at: datetime) -> KeyUseRow:
        """The row of a day, held until the transaction ends."""
        day = at.date().isoformat()
        self._make(session, key, day)
        return session.get_one(KeyUseRow, (key, day), with_for_update=True)

    def _make(self, session: Session, key: str, day: str) -> None:
        fresh = {"key": key, "day": day, "requests": 0, "tokens": 0, "minute": "", "in_minute": 0}
        session.execute(self._dialect.insert(KeyUseRow.__table__).values(**fresh).on_conflict_do_nothing())


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
