"""A stage's world in a directory, as the runner gives it: what earlier stages made, and where this one writes."""

import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from shared import layout
from shared.bases import publish_base
from shared.contracts.base import Contract
from shared.contracts.work import Rejected, Work
from shared.errors import NotFound
from shared.objects import open_store
from shared.pipeline import STAGES
from shared.settings import StoreSettings
from shared.stage import Handler

BASE = "tiny-base"


class Desk:
    """Runs handlers one after the other on the same directory. `context` is the StageContext of the last one."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.told: list[tuple[int, int, str]] = []
        self.work: Any = None
        self.key = ""
        self.out = self.scratch = root

    def put(self, path: str, data: bytes) -> None:
        target = self.root / "store" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    def put_base(self) -> None:
        """A base model with a tokenizer that counts words and punctuation marks."""
        tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
        tokenizer.pre_tokenizer = Whitespace()  # type: ignore[assignment]
        made = self.root / "tokenizer"
        made.mkdir()
        tokenizer.save(str(made / "tokenizer.json"))
        store = open_store(StoreSettings(store_url=f"file://{self.root / 'store'}"))
        publish_base(store, made, name=BASE, source="made here", licence="none", architecture="none", eos_token="")

    def run(self, stage: str, work: Work, handler: Handler) -> Contract | Rejected:
        self.work, self.key = work, STAGES[stage].key(work)
        self.out = self.root / "store" / layout.stage(stage, self.key)
        self.scratch = self.root / "scratch" / stage / str(len(self.told))
        for directory in (self.out, self.scratch):
            directory.mkdir(parents=True, exist_ok=True)
        result = handler(self)
        (self.root / f"{stage}-{self.key}.json").write_text(result.model_dump_json())
        return result

    def keep(self, file: Path) -> None:
        self.put(f"{layout.kept('any', self.key)}/{file.name}", file.read_bytes())

    def recall(self, target: Path) -> bool:
        kept = self.root / "store" / layout.kept("any", self.key) / target.name
        if kept.exists():
            target.write_bytes(kept.read_bytes())
        return kept.exists()

    def fetch_object(self, path: str) -> Path:
        target = self.root / "store" / path
        if not target.exists():
            raise NotFound(f"no object {path}", path=path)
        return target

    def fetch(self, stage: str, key: str, file: str) -> Path:
        return self.fetch_object(f"{layout.stage(stage, key)}/{file}")

    def result(self, stage: str, key: str) -> dict[str, object]:
        path = self.root / f"{stage}-{key}.json"
        if not path.exists():
            raise NotFound(f"{stage} {key[:16]} has no result")
        result: dict[str, object] = json.loads(path.read_text())
        return result

    def progress(self, done: int, total: int, unit: str, **fields: float | int | str) -> None:
        self.told.append((done, total, unit))
