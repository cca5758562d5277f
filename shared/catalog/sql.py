"""The catalog in SQL: one class over SQLite and Postgres, a module a noun."""

from shared.catalog.access import Access
from shared.catalog.feedback import FeedbackRows
from shared.catalog.forgetting import Forgetting
from shared.catalog.jobs import Jobs
from shared.catalog.learning import Learning
from shared.catalog.line_words import LineWords
from shared.catalog.review import Review
from shared.catalog.shelves import Shelves
from shared.catalog.usage import Usage


class SqlCatalog(Shelves, Jobs, Learning, Review, LineWords, FeedbackRows, Access, Usage, Forgetting):
    """The `Catalog` Protocol over an SQLAlchemy engine."""
