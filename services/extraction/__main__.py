"""`python -m services.extraction`: a worker that turns PDFs into MMD."""

from services.extraction.handlers import handlers
from shared.settings import SharedSettings
from shared.worker import serve

if __name__ == "__main__":
    serve("extraction", SharedSettings(), handlers())
