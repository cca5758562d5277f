"""What engines say where they refuse, whatever form they say it in."""

import pytest

from shared.engine_words import MOST, refusal, said


@pytest.mark.parametrize(
    ("content", "words"),
    [(b'{"error": {"message": "too long", "code": 400}}', "too long"), (b'{"message": "too long"}', "too long"),
     (b'{"error": "too long"}', "too long"), (b'"too long"', "too long"), (b"<html>", "status 400"), (b"", "status 400"),
     (b'{"error": {}}', "status 400"), (b'{"error": null}', "status 400"), (b"\xff", "status 400"), (b"[]", "status 400"),
     (b'["a"]', "status 400"), (b'{"detail": "Not Found"}', "Not Found"), (b'{"detail": ["bad"]}', "['bad']")],
)  # fmt: skip
def test_a_refusal_is_told_in_the_engines_words_where_it_has_some(content: bytes, words: str) -> None:
    assert refusal(content, 400) == words


def test_a_line_bears_no_more() -> None:
    assert len(refusal(b'{"message": "' + b"a" * 9_000 + b'"}', 400)) == MOST
    assert len(said({"message": "a" * 9_000}, "nothing")) == 9_000
