"""What Prometheus scrapes: requests as they are answered, and queues and jobs as they stand when it asks."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from shared.catalog.protocol import Catalog
from shared.errors import Unavailable
from shared.queue import Queue, queues

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Metrics:
    """The figures of one application, in a registry of its own."""

    def __init__(self, catalog: Catalog, queue: Queue) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(_Standing(catalog, queue))
        labels = ("method", "route")
        self._requests = Counter("lectern_http_requests", "Requests answered.", (*labels, "status"), registry=self.registry)
        self._seconds = Histogram(
            "lectern_http_request_seconds", "Time to the end of the answer.", labels, buckets=SECONDS, registry=self.registry
        )

        told = ("deployment", "model")
        self._answers = Counter(
            "lectern_answers", "Chats and completions by the version that answered.", (*told, "status"), registry=self.registry
        )
        self._answer_seconds = Histogram(
            "lectern_answer_seconds", "Time to the end of a chat or completion.", told, buckets=SECONDS, registry=self.registry
        )

    def observe_answer(self, deployment: str, model: str, status: int, seconds: float) -> None:
        """`deployment` is the name that was asked for, and was found."""
        self._answers.labels(deployment, model, str(status)).inc()
        self._answer_seconds.labels(deployment, model).observe(seconds)

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)


class _Standing(Collector):
    """Read at each scrape, so that no figure is older than the scrape."""

    def __init__(self, catalog: Catalog, queue: Queue) -> None:
        self._catalog = catalog
        self._queue = queue

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        jobs = GaugeMetricFamily("lectern_jobs", "Jobs by kind and state.", labels=("kind", "state"))
        for (kind, state), count in self._catalog.count_jobs().items():
            jobs.add_metric((kind, state), count)
        yield jobs
        yield self._depths()

    def _depths(self) -> Metric:
        depths = GaugeMetricFamily("lectern_queue_depth", "Messages that wait.", labels=("queue",))
        try:
            for queue in queues():
                depths.add_metric((queue,), self._queue.depth(queue))
        except Unavailable:
            depths.samples.clear()
        return depths
