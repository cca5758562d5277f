"""A shelf carried from PDFs to a tuned model over REST, and what came of it as digests: two runs of the same work agree."""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx

from shared.contracts.views import FINISHED
from shared.objects import ObjectStore
from tests.servers import wait_until

SHELF = "shelf"
PATIENCE_SECONDS = 3000
ASK_SECONDS = 0.5
"""Between two questions about one piece of work: each costs the gateway some of what it is measured by."""
QUESTIONS = (
    "What is a tide gauge?",
    "Which periods does the bay have?",
    "What does the duty desk do when the water rises?",
    "Who reads the evening reading?",
)
ANSWER_TOKENS = 48


@dataclass(frozen=True)
class Answer:
    """What a deployment said at temperature 0, and the log-probability of each token of it."""

    text: str
    logprobs: list[float]


@dataclass
class Carried:
    """What a shelf became, and the seconds that each part took."""

    documents: dict[str, str] = field(default_factory=dict)
    chunks: int = 0
    dataset: str = ""
    curve: list[list[float]] = field(default_factory=list)
    adapter: str = ""
    losses: tuple[float, float] = (0.0, 0.0)
    answers: list[Answer] = field(default_factory=list)
    """To `QUESTIONS`, in their order; none where nothing is served."""
    results: dict[str, int] = field(default_factory=dict)
    """Committed results of each stage: what was done twice is here twice."""
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.seconds[part] = time.monotonic() - began

    def differs(self, other: "Carried") -> list[str]:
        """The names of what differs, answers by their text; the time it took may."""
        mine, others = ({**asdict(one), "seconds": None, "answers": texts(one.answers)} for one in (self, other))
        return [name for name, value in mine.items() if value != others[name]]

    def apart(self, other: "Carried") -> float:
        """The largest difference between the log-probabilities of a token in both's answers."""
        both = zip(self.answers, other.answers, strict=True)
        tokens = [pair for mine, others in both for pair in zip(mine.logprobs, others.logprobs, strict=False)]
        return max((abs(mine - others) for mine, others in tokens), default=0.0)


def texts(answers: list[Answer]) -> list[str]:
    return [one.text for one in answers]


class Lectern:
    """A client that asks again where a server is away: what it sends may be sent twice."""

    def __init__(self, url: str, key: str) -> None:
        self._client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60, trust_env=False)

    def ask(self, method: str, path: str, **given: Any) -> httpx.Response:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            with suppress(httpx.TransportError):
                answer = self._client.request(method, path, **given)
                if answer.status_code < 500:
                    answer.raise_for_status()
                    return answer
            if time.monotonic() > deadline:
                raise TimeoutError(f"{method} {path} was not answered")
            time.sleep(0.3)

    def get(self, path: str, **query: Any) -> Any:
        return self.ask("GET", path, params=query).json()

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return self.ask("POST", path, json=body).json()

    def upload(self, files: list[Path]) -> None:
        for file in files:
            self.ask(
                "POST", f"/v1/collections/{SHELF}/documents", params={"filename": file.name}, content=file.read_bytes(),
                headers={"Content-Type": "application/pdf"},
            )  # fmt: skip

    def documents(self) -> list[dict[str, Any]]:
        return list(self.get(f"/v1/collections/{SHELF}/documents", limit=200)["items"])

    def finished(self) -> int:
        return sum(one["state"] in FINISHED for one in self.documents())

    def job_done(self, job: str) -> bool:
        found = self.get(f"/v1/jobs/{job}")
        if found["state"] in FINISHED and found["state"] != "done":
            raise RuntimeError(f"{job} ended {found['state']}: {found['code']} {found['detail']}")
        return bool(found["state"] == "done")


@dataclass(frozen=True)
class Wanted:
    """What is carried, and with which run."""

    files: list[Path]
    base: str
    recipe: dict[str, Any]
    serving: bool


Meanwhile = Callable[[Lectern], None]


def carry(
    at: Lectern,
    wanted: Wanted,
    during_documents: Meanwhile = lambda _: None,
    during_training: Callable[[Lectern, str], None] = lambda _at, _job: None,
) -> Carried:
    """PDFs to documents to a dataset to a model, and an answer of it where serving is wanted."""
    found = Carried()
    with found.timed("documents"):
        at.upload(wanted.files)
        during_documents(at)
        wait_until(lambda: at.finished() == len(wanted.files), "the documents", PATIENCE_SECONDS, ASK_SECONDS)
    with found.timed("dataset"):
        dataset = at.post("/v1/datasets", {"name": "set", "collection": SHELF, "base": wanted.base})
        wait_until(lambda: at.job_done(dataset["job"]), "the dataset", PATIENCE_SECONDS, ASK_SECONDS)
    with found.timed("run"):
        recipe = {"base": wanted.base, **wanted.recipe}
        run = at.post("/v1/runs", {"name": "tuned", "dataset": dataset["id"], "recipe": recipe})
        during_training(at, run["job"])
        wait_until(lambda: at.job_done(run["job"]), "the run", PATIENCE_SECONDS, ASK_SECONDS)
    if wanted.serving:
        at.post("/v1/deployments", {"name": "answers", "model": "tuned"})
        found.seconds["deployment"] = answering(at)
    return read(at, found, wanted.serving)


def answering(at: Lectern) -> float:
    """Seconds until the deployment is ready."""
    return wait_until(
        lambda: at.get("/v1/deployments/answers")["state"] == "ready", "the engine", PATIENCE_SECONDS, ASK_SECONDS
    )


def count_results(store: ObjectStore) -> dict[str, int]:
    paths = (path.split("/") for path in store.list("stages") if path.endswith("/manifest.json"))
    return dict(sorted(Counter(path[1] for path in paths).items()))


def read(at: Lectern, found: Carried, serving: bool) -> Carried:
    """What stands, as digests. Documents' texts are read whole; the answers are at temperature 0."""
    for one in sorted(at.documents(), key=lambda one: one["filename"]):
        if one["state"] != "done":
            raise RuntimeError(f"{one['filename']} ended {one['state']}: {one['code']}")
        text = at.ask("GET", f"/v1/collections/{SHELF}/documents/{one['id']}/mmd").content
        found.documents[one["filename"]] = hashlib.sha256(text).hexdigest()
    (dataset,) = at.get("/v1/datasets")["items"]
    assembled = next(stage["result"] for stage in dataset["stages"] if stage["stage"] == "dataset")
    found.dataset, found.chunks = assembled["digest"], assembled["chunks"]
    (run,) = at.get("/v1/runs")["items"]
    found.curve = [[point["step"], point["loss"]] for point in at.get(f"/v1/runs/{run['id']}/curve")["items"]]
    model = at.get("/v1/tuned-models/tuned")
    found.adapter = model["adapter_digest"]
    found.losses = (model["evaluation"]["base"]["loss"], model["evaluation"]["tuned"]["loss"])
    found.answers = [answer_of(at, question) for question in QUESTIONS] if serving else []
    return found


def answer_of(at: Lectern, question: str) -> Answer:
    """What the deployment says at temperature 0."""
    asked = {
        "model": "answers", "messages": [{"role": "user", "content": question}], "temperature": 0, "max_tokens": ANSWER_TOKENS,
        "logprobs": True,
    }  # fmt: skip
    (said,) = at.post("/v1/chat/completions", asked)["choices"]
    return Answer(said["message"]["content"], [token["logprob"] for token in said["logprobs"]["content"]])
