"""A reviewer's sitting in the terminal: a text at a time, a key each, every word sent as it is said."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from cli.api import Api, Json
from cli.text import count, one_line, plain

KEYS = "g garbage, rightly flagged · f fine, a false positive · s skip · a accept what stands for all alike · u undo · q quit"
MOST_CHARACTERS = 1_600
"""A text that is longer is shown by its beginning and its end."""

PAGE = 20
VERDICT = {"g": "garbage", "f": "good"}
WHY = {
    "uncertain": "the classifier is unsure", "doubted": "the classifier disagrees", "random": "drawn by lot",
}  # fmt: skip


@dataclass
class Sitting:
    """Shows texts and takes keys. `read` brings the next key, `api` the texts; nothing else is touched."""

    api: Api
    console: Console
    read: Callable[[], str]
    collection: str | None = None
    said: list[Json] = field(default_factory=list)
    """The texts labelled so far, the last one last."""
    _loaded: list[Json] = field(default_factory=list)
    _cursor: str | None = None
    _over: bool = False

    def run(self) -> int:
        """Ask until there is nothing left or the reviewer quits; returns how many texts were labelled."""
        while (item := self._next()) is not None:
            self._show(item)
            if not self._answered(item):
                break
        else:
            self.console.print("Nothing is left to review.")
        return len(self.said)

    def _next(self) -> Json | None:
        """The text at hand: the first of those loaded."""
        while not self._loaded and not self._over:
            page = self.api.get("/v1/garbage", order="uncertainty", collection=self.collection, limit=PAGE, cursor=self._cursor)
            self._loaded, self._cursor = page["items"], page["next_cursor"]
            self._over = self._cursor is None
        return self._loaded[0] if self._loaded else None

    def _answered(self, item: Json) -> bool:
        """Take keys until one moves on. False: quit."""
        while True:
            key = self.read()
            if key in VERDICT:
                self._say([item], VERDICT[key])
                self._loaded.pop(0)
            elif key == "s":
                self._loaded.pop(0)
            elif key == "a":
                self._accept(item)
            elif key == "u":
                self._undo()
            elif key in ("q", "\x03", "\x04", ""):
                return False
            else:
                self.console.print(KEYS, style="dim", markup=False)
                continue
            return True

    def _say(self, items: list[Json], verdict: str) -> None:
        self.api.post("/v1/garbage/labels", {"labels": [word(item, verdict) for item in items]})
        self.said += items

    def _accept(self, item: Json) -> None:
        """What stands is right for this text, and for those loaded that stand for the same reason."""
        alike = [one for one in self._loaded if (one["decision"], one["reason"]) == (item["decision"], item["reason"])]
        verdict = "garbage" if item["decision"] == "set-aside" else "good"
        self.console.print(f"{count(len(alike), 'text')}: {verdict}. Sure? y/n", style="bold", markup=False)
        if self.read() == "y":
            self._say(alike, verdict)
            self._loaded = [one for one in self._loaded if one not in alike]

    def _undo(self) -> None:
        if not self.said:
            self.console.print("There is nothing to undo.")
            return
        item = self.said.pop()
        self.api.post("/v1/garbage/labels", {"labels": [word(item, "withdrawn")]})
        self._loaded.insert(0, item)

    def _show(self, item: Json) -> None:
        self.console.print(Rule(Text(f"{len(self.said)} labelled"), style="dim"))
        for line in described(item):
            self.console.print(line)
        self.console.print(Text(KEYS, style="dim"))


def described(item: Json) -> Iterator[Text]:
    """A text and what is known of it. Nothing in it reaches the terminal as anything but text."""
    head = Text()
    aside = item["decision"] == "set-aside"
    head.append("set aside" if aside else "kept", style="yellow" if aside else "green")
    if item["reason"]:
        head.append(f" · {plain(item['reason'])}", style="bold")
    if aside:
        head.append(f" · score {item['score']:.2f}, threshold {item['threshold']:.2f}")
    if item["probability"] is not None:
        head.append(f" · garbage {item['probability']:.0%} by {plain(item['classifier'])}")
    head.append(f" · {WHY.get(item['why'], '')}", style="dim")
    yield head
    section = " › ".join(item["section"])
    where = f"{item['collection']} · {item['document'][:12]} · page {item['page']}" + (f" · {section}" if section else "")
    yield Text(one_line(where, 160), style="dim")
    yield Text("\n" + shortened(plain(item["text"])) + "\n")


def shortened(text: str) -> str:
    if len(text) <= MOST_CHARACTERS:
        return text
    half = MOST_CHARACTERS // 2
    return f"{text[:half]}\n… {len(text) - MOST_CHARACTERS:,} characters …\n{text[-half:]}"


def word(item: dict[str, Any], verdict: str) -> Json:
    return {"document": item["document"], "item": item["id"], "verdict": verdict}
