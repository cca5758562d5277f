"""Which replica is asked next."""

from collections import Counter
from contextlib import AbstractContextManager

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.balance import REMEMBERED, SHUNNED_SECONDS, Balance

URLS = ("http://one", "http://two", "http://three")


class Clock:
    moment = 0.0

    def __call__(self) -> float:
        return self.moment


def asked(balance: Balance, urls: tuple[str, ...] = URLS) -> tuple[str, AbstractContextManager[None]]:
    url = balance.choose(urls, "m")
    asking = balance.asking(url)
    asking.__enter__()
    return url, asking


def test_replicas_that_are_alike_are_asked_in_turn_whatever_is_asked_in_between() -> None:
    balance, other = Balance(), ("http://elsewhere", "http://farther")
    told: list[str] = []
    for _ in range(6):
        for urls in (URLS[:2], other):
            url, asking = asked(balance, urls)
            asking.__exit__(None, None, None)
            told.append(url)
    assert set(Counter(told).values()) == {3}


@given(st.lists(st.one_of(st.just("ask"), st.integers(min_value=0, max_value=20)), max_size=60))
def test_the_one_with_the_fewest_in_flight_is_asked(steps: list[str | int]) -> None:
    balance, open_ones = Balance(), []
    for step in steps:
        if step == "ask":
            before = Counter(url for url, _ in open_ones)
            url, asking = asked(balance)
            assert before[url] == min(before[one] for one in URLS)
            open_ones.append((url, asking))
        elif open_ones:
            open_ones.pop(int(step) % len(open_ones))[1].__exit__(None, None, None)


def test_one_that_could_not_be_asked_is_the_last_choice_for_a_while_and_for_that_model_alone() -> None:
    clock = Clock()
    balance = Balance(clock)
    balance.shun(URLS[0], "m")
    _, asking = asked(balance, URLS[1:2])
    assert balance.choose(URLS[:2], "m") == URLS[1], "though it has more to answer"
    assert balance.choose(URLS[:2], "another") == URLS[0]
    assert balance.choose(URLS[:1], "m") == URLS[0], "where there is no other it is asked"
    clock.moment = SHUNNED_SECONDS
    assert balance.choose(URLS[:2], "m") == URLS[0]
    asking.__exit__(None, None, None)


def test_engines_that_are_long_gone_are_forgotten() -> None:
    balance = Balance()
    for number in range(REMEMBERED + 5):
        with balance.asking(f"http://engine:{number}"):
            pass
    assert len(balance._turns) == REMEMBERED and not balance._in_flight
