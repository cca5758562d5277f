"""`python -m services.cleaning`: a worker that cleans, chunks and assembles datasets."""

from services.cleaning.handlers import handlers
from shared.settings import SharedSettings
from shared.worker import serve

if __name__ == "__main__":
    serve("cleaning", SharedSettings(), handlers())
