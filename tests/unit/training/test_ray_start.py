"""Ray is started again where a busy machine was too slow for it, and only there."""

from typing import Any

import pytest
import ray

from services.training.adapters.ray_train import start_ray

SLOW = "The current node timed out during startup. This could happen because some of the raylet failed to startup."


class Starting:
    """Ray's `init`, failing as often as it is told."""

    def __init__(self, *failures: str) -> None:
        self._failures = list(failures)
        self.calls = 0

    def __call__(self, **given: Any) -> None:
        self.calls += 1
        if self._failures:
            raise Exception(self._failures.pop(0))


@pytest.mark.parametrize(("failures", "calls"), [((), 1), ((SLOW,), 2), ((SLOW, SLOW, SLOW), 4)])
def test_a_start_that_took_too_long_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, failures: tuple[str, ...], calls: int
) -> None:
    starting = Starting(*failures)
    monkeypatch.setattr(ray, "init", starting)
    start_ray("local", {"num_cpus": 1})
    assert starting.calls == calls


@pytest.mark.parametrize(("failures", "calls"), [((SLOW,) * 4, 4), (("no such address",), 1)])
def test_what_does_not_get_better_is_raised(monkeypatch: pytest.MonkeyPatch, failures: tuple[str, ...], calls: int) -> None:
    starting = Starting(*failures)
    monkeypatch.setattr(ray, "init", starting)
    with pytest.raises(Exception, match=r"timed out|no such address"):
        start_ray("local", {})
    assert starting.calls == calls
