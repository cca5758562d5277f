"""The demonstration's steps, in the order of the flow: each asks the running Lectern for one thing and shows what came."""

from pathlib import Path
from typing import Any

from cli.board import ShelfBoard, board
from cli.commands.models import evidence_items
from cli.commands.runs import curve_points, stage_result
from cli.commands.upload import send
from cli.demo import show
from cli.demo.clock import Stopwatch
from cli.demo.facts import Facts, Reply, document_fact, work_seconds
from cli.demo.measure import probe
from cli.demo.questions import choose_probes, choose_question, content, examples
from cli.lines import with_stages
from cli.outcome import Exit, Failure
from cli.session import Session
from cli.talk import ask, user
from cli.text import plain, segment
from cli.uploading import find_pdfs
from cli.waiting import wait_for_deployment, wait_for_job
from cli.watching import watch_shelf

COLLECTION, NAME = "demo", "demo"


class Story:
    """One demonstration on a Lectern that is up."""

    def __init__(self, session: Session, pdfs: Path, recipe: dict[str, Any], watch: Stopwatch) -> None:
        self._session = session
        self._api = session.api
        self._pdfs = pdfs
        self._recipe = recipe
        self._watch = watch
        self.facts = Facts(pdfs=str(pdfs), seconds=watch.seconds)

    def tell(self) -> Facts:
        """All of it. Raises Failure at the first step that cannot go on."""
        self._documents()
        dataset = self._dataset()
        self._run(dataset)
        self._deploy()
        self._question(dataset)
        self._probes(dataset)
        return self.facts

    # ---- the steps

    def _documents(self) -> None:
        files = find_pdfs([self._pdfs])
        self._head(f"Uploading {len(files)} PDFs from {self._pdfs}")
        with self._watch.step("upload"):
            outcomes = send(self._session, COLLECTION, files)
        for outcome in outcomes:
            if outcome.document is None:
                self.facts.refused.append((outcome.file.name, outcome.code or "", outcome.detail or ""))
                self._session.say(f"✗ refused    {outcome.file.name}  {outcome.code}: {outcome.detail}")
        jobs = {outcome.document["job"] for outcome in outcomes if outcome.document is not None}
        if not jobs:
            raise Failure("Every file was refused, so there is nothing to learn from.", Exit.FAILED, "no-documents")
        self._head("Extraction, cleaning, chunking, screening")
        with self._watch.step("documents"), board(self._session.console) as on:
            watch_shelf(self._api, COLLECTION, ShelfBoard(on), jobs)
        self._tell_documents()

    def _tell_documents(self) -> None:
        listed = list(self._api.items(f"/v1/collections/{segment(COLLECTION)}/documents"))
        documents = with_stages(self._api, sorted(listed, key=lambda each: each["filename"]))
        self.facts.documents = [document_fact(document) for document in documents]
        show.documents(self._session.console, self.facts)
        show.garbage(self._session.console, self.facts)
        show.work(self._session.console, work_seconds(documents))
        if not self.facts.done:
            raise Failure("No document came through; the reasons are above.", Exit.FAILED, "no-documents")

    def _dataset(self) -> str:
        self._head("An instruction dataset")
        with self._watch.step("dataset"):
            asked = self._api.post("/v1/datasets", {"name": NAME, "collection": COLLECTION})
            wait_for_job(self._session, asked["job"])
        found = self._api.get(f"/v1/datasets/{asked['id']}")
        self.facts.dataset = stage_result(found, "dataset")
        self.facts.base = found["wish"]["base"]
        show.dataset(self._session.console, found["id"], self.facts.dataset)
        return str(found["id"])

    def _run(self, dataset: str) -> None:
        self._head(f"QLoRA on {self.facts.base}, then evaluation against it")
        body = {"name": NAME, "dataset": dataset, "recipe": self._recipe}
        run = self._api.post("/v1/runs", body)
        wait_for_job(self._session, run["job"])
        found = self._api.get(f"/v1/runs/{run['id']}")
        for stage in found["stages"]:
            self._watch.seconds[stage["stage"]] = stage.get("seconds") or 0.0
        self.facts.recipe = found["wish"]["recipe"]
        self.facts.training, self.facts.evaluation = stage_result(found, "training"), stage_result(found, "evaluation")
        self.facts.curve = curve_points(self._api.get(f"/v1/runs/{run['id']}/curve"))
        self.facts.model = self._model_of(run["id"])
        show.run(self._session.console, self.facts)

    def _model_of(self, run: str) -> str:
        for model in self._api.items("/v1/tuned-models"):
            if model["run"] == run:
                return str(model["id"])
        raise Failure(f"Run {run} left no model.", Exit.FAILED, "no-model")

    def _deploy(self) -> None:
        self._head("Deployment on vLLM")
        with self._watch.step("deployment"):
            self._api.post("/v1/deployments", {"name": NAME, "model": self.facts.model})
            wait_for_deployment(self._session, NAME)
        self._session.say(f"✓ ready      {self.facts.model} is served as {NAME!r}")

    def _question(self, dataset: str) -> None:
        train = examples(self._api, dataset, "train")
        self.facts.source = choose_question(train)
        self.facts.question = content(self.facts.source)
        self._head("A question, asked of both")
        show.quote(self._session.console, self.facts.question)
        with self._watch.step("answers"):
            for title, model in (("base", self.facts.base), ("tuned", NAME)):
                self._session.console.print(f"\n{title} ({model})", style="bold", markup=False)
                answer = ask(self._api, model, [user(self.facts.question)], self._stream)
                self.facts.replies.append(Reply(model, answer))
                self._stream("\n")
                show.ending(self._session.console, answer)
        query = f"{self.facts.question} {self.facts.replies[-1].answer.text}"[:8_000]
        found = self._api.get(f"/v1/tuned-models/{segment(self.facts.model)}/evidence", text=query, limit=3)
        self.facts.evidence = evidence_items(found)
        show.evidence(self._session.console, self.facts)

    def _stream(self, piece: str) -> None:
        self._session.console.file.write(plain(piece))
        self._session.console.file.flush()

    def _probes(self, dataset: str) -> None:
        heldout, train = examples(self._api, dataset, "heldout"), examples(self._api, dataset, "train")
        split, chosen = choose_probes(heldout, train)
        self._head(f"{len(chosen)} prompts of the training format, at once")
        with self._watch.step("measuring"), self._session.console.status("Asking"):
            self.facts.probes = probe(self._api, NAME, split, chosen)
        show.probes(self._session.console, self.facts.probes)

    def _head(self, text: str) -> None:
        self._session.console.print()
        self._session.console.rule(plain(text), align="left", style="dim")


def verdict(facts: Facts) -> list[str]:
    """What did not come out as it should; nothing where all is well."""
    wrong = []
    if facts.evaluation["tuned"]["loss"] >= facts.evaluation["base"]["loss"]:
        wrong.append("the tuned model's held-out loss is not below the base's")
    if not facts.replies or not facts.replies[-1].answer.text.strip():
        wrong.append("the deployed model did not answer")
    if facts.probes is None or not facts.probes.stopped:
        wrong.append("the deployed model never stopped by itself")
    return wrong
