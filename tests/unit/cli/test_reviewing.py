"""A sitting: keys in, labels out."""

import io
from collections.abc import Iterator
from typing import Any

from rich.console import Console

from cli.reviewing import MOST_CHARACTERS, Sitting


class Api:
    """Two pages of texts, and the labels that came."""

    def __init__(self, items: list[dict[str, Any]]) -> None:
        self._pages = {None: (items[:3], "more"), "more": (items[3:], None)}
        self.said: list[tuple[str, str]] = []

    def get(self, path: str, **query: Any) -> Any:
        assert (path, query["order"]) == ("/v1/garbage", "uncertainty")
        items, following = self._pages[query["cursor"]]
        return {"items": list(items), "next_cursor": following}

    def post(self, path: str, body: Any) -> Any:
        assert path == "/v1/garbage/labels"
        self.said += [(one["item"], one["verdict"]) for one in body["labels"]]
        return {"items": body["labels"]}


def item(name: str, decision: str = "set-aside", reason: str = "symbol-noise", text: str = "~~") -> dict[str, Any]:
    return {
        "id": name, "document": "d" * 64, "collection": "papers", "decision": decision, "reason": reason, "text": text,
        "score": 0.41, "threshold": 0.5, "probability": 0.48, "classifier": "c" * 16, "page": 3, "section": ["Tides"],
        "why": "uncertain",
    }  # fmt: skip


ITEMS = [item("i0"), item("i1", reason="fragment"), item("i2"), item("i3", "kept", ""), item("i4", "kept", "")]


def sitting(keys: str, items: list[dict[str, Any]] = ITEMS) -> tuple[Api, str, int]:
    api, out = Api(items), io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, highlight=False)
    typed: Iterator[str] = iter(keys)
    labelled = Sitting(api, console, lambda: next(typed)).run()  # type: ignore[arg-type]
    return api, out.getvalue(), labelled


def test_a_key_each_over_all_pages_to_the_end() -> None:
    api, shown, labelled = sitting("gfsgg")
    assert api.said == [("i0", "garbage"), ("i1", "good"), ("i3", "garbage"), ("i4", "garbage")]
    assert labelled == 4 and "Nothing is left" in shown
    assert "symbol-noise" in shown and "0.41" in shown and "page 3" in shown and "48%" in shown


def test_the_last_word_is_taken_back_and_its_text_shown_again() -> None:
    api, _, labelled = sitting("ufugq")
    assert api.said == [("i0", "good"), ("i0", "withdrawn"), ("i0", "garbage")]
    assert labelled == 1


def test_what_stands_is_accepted_for_all_alike_that_are_loaded_after_a_second_key() -> None:
    api, shown, labelled = sitting("anayfayq")
    assert api.said[:2] == [("i0", "garbage"), ("i2", "garbage")]
    assert api.said[2:] == [("i1", "good"), ("i3", "good"), ("i4", "good")]
    assert "2 texts: garbage. Sure?" in shown and labelled == 5


def test_an_unknown_key_tells_the_keys_and_says_nothing() -> None:
    api, shown, _ = sitting("xq")
    assert api.said == [] and shown.count("u undo") == 2


def test_hostile_text_reaches_the_terminal_as_text_and_within_bounds() -> None:
    hostile = item("i0", text="\x1b]0;owned\x07[bold]plain[/bold] \u202egarbage" + "x" * 50_000)
    _, shown, _ = sitting("q", [hostile])
    assert "\x1b]0" not in shown and "\u202e" not in shown and "[bold]plain[/bold]" in shown
    assert len(shown) < 3 * MOST_CHARACTERS
