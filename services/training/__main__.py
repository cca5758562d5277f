"""`python -m services.training`: a worker that trains and evaluates runs, each in a process of its own."""

from services.training.handlers import handlers
from services.training.settings import TrainingSettings
from shared.objects import open_store
from shared.worker import serve

if __name__ == "__main__":
    settings = TrainingSettings()
    serve("training", settings, handlers(open_store(settings), settings))
