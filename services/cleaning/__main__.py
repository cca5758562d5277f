"""`python -m services.cleaning`: a worker that cleans, chunks and assembles datasets."""

from functools import partial

from services.cleaning.adapters.endpoint import open_endpoint
from services.cleaning.building import Datasets
from services.cleaning.duplicates import sketch_here
from services.cleaning.handlers import handlers
from services.cleaning.settings import CleaningSettings, keep_ray_to_itself
from shared.worker import serve

if __name__ == "__main__":
    settings = CleaningSettings()
    sketches = sketch_here
    if settings.duplicates_ray_address is not None:
        if settings.duplicates_ray_address == "local":
            keep_ray_to_itself()
        from services.cleaning.adapters.ray_sketches import sketch_on_ray

        sketches = partial(sketch_on_ray, address=settings.duplicates_ray_address)
    serve("cleaning", settings, handlers(Datasets(partial(open_endpoint, settings), sketches)))
