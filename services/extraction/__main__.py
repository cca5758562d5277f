"""`python -m services.extraction`: a worker that turns PDFs into MMD."""

from services.extraction.adapters.isolated import IsolatedExtractor
from services.extraction.adapters.transcription import Transcriber
from services.extraction.handlers import handlers
from services.extraction.settings import ExtractionSettings
from shared.worker import serve


def transcriber(settings: ExtractionSettings) -> Transcriber | None:
    """Nougat, where its weights are named. Only then are torch and transformers loaded."""
    if settings.nougat_weights is None:
        return None
    from services.extraction.adapters.nougat import Nougat  # noqa: PLC0415

    return Nougat(settings.nougat_weights, settings.nougat_batch_size, settings.nougat_device)


if __name__ == "__main__":
    given = ExtractionSettings()
    serve("extraction", given, handlers(IsolatedExtractor(given.processes, transcriber(given))))
