"""Logs of a home: the last lines, and those that come."""

from pathlib import Path

import pytest

from cli.launcher.logs import chosen, follow_logs, last_lines


class Enough(Exception):
    """Ends a follow that would go on for ever."""


def test_a_service_names_all_its_processes_and_a_process_itself(tmp_path: Path) -> None:
    for name in ("extraction_0", "extraction_1", "gateway", "publish_base"):
        (tmp_path / f"{name}.log").touch()
    assert [path.stem for path in chosen(tmp_path, "extraction")] == ["extraction_0", "extraction_1"]
    assert [path.stem for path in chosen(tmp_path, "extraction_1")] == ["extraction_1"]
    assert len(chosen(tmp_path, None)) == 4
    assert chosen(tmp_path, "nobody") == []


def test_the_last_lines_are_shown(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("".join(f"line {number}\n" for number in range(50)))
    assert last_lines(log, 2) == ["line 48", "line 49"]
    assert last_lines(log, 0) == []


def test_following_shows_whole_lines_and_begins_anew_after_a_rotation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, shown = tmp_path / "a.log", []
    log.write_text("old line, long enough to tell a rotation by\n")
    steps = iter([
        lambda: log.open("a").write("one\ntw") and None,
        lambda: log.open("a").write("o\n") and None,
        lambda: log.write_text("fresh\n") and None,
        lambda: None,
    ])  # fmt: skip

    def sleep(_seconds: float) -> None:
        step = next(steps, None)
        if step is None:
            raise Enough
        step()

    monkeypatch.setattr("cli.launcher.logs.time.sleep", sleep)
    with pytest.raises(Enough):
        follow_logs([log], lambda _path, line: shown.append(line))
    assert shown == ["one", "two", "fresh"]
