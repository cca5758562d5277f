"""Personal data and secrets in a text: found by well-kept libraries behind a quick first look, and masked or told."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from phonenumbers import Leniency, PhoneNumberMatcher
from stdnum import iban, luhn

from shared.contracts.documents import CleaningParameters

EMAIL, PHONE, CARD, IBAN, SECRET = "e-mail", "phone", "card", "iban", "secret"
PERSONAL = frozenset({EMAIL, PHONE, CARD, IBAN})

BEFORE, LONGEST = 40, 400
"""The patterns of detect-secrets see so many characters before and behind what the first look found."""

SHORTEST_KEY = 10

_DIGITS = re.compile(r"\d[ ()./\u00a0–-]{0,3}\d[ ()./\u00a0–-]{0,3}\d[ ()./\u00a0–-]{0,3}\d")
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w-])")
_MAY_BE_PHONE = re.compile(r"(?<![\w.])\(?\+?\d(?:[ ()./\u00a0–-]{0,3}\d){6,16}(?!\w)")
_MAY_BE_CARD = re.compile(r"(?<![\w.+-])\d(?:[ -]?\d){12,18}(?![\w-])")
_MAY_BE_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_MAY_BE_SECRET = re.compile(
    r"AKC|AP[\dA-F]|A3T|ABIA|ACCA|AKIA|ASIA|AccountKey=|://[^/\s]{1,80}:[^/\s@]{1,80}@|gh[pousr]_|gl[a-z]{2,5}-|GR1348941"
    r"|eyJ|-us\d|_authToken=|sk-|[rs]k_live_|PRIVATE KEY|pypi-AgE|SG\.|xox[abposr]-|hooks\.slack|sq0csp-|\d{8,10}:[\w-]{35}"
    r"|AC[a-z0-9]{32}|SK[a-z0-9]{32}|[MNO][\w-]{23,25}\.[\w-]{6}\."
)
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY[A-Z ]{0,20}-----(?:\s{0,4}[A-Za-z0-9+/=]{20,80}(?![A-Za-z0-9+/=]))*"
    r"(?:\s{0,4}[A-Za-z0-9+/=]{0,80}\s{0,4}-----END [A-Z ]{0,60}-----)?"
)
_KINDS_OF_SECRET = (
    "ArtifactoryDetector", "AWSKeyDetector", "AzureStorageKeyDetector", "BasicAuthDetector", "DiscordBotTokenDetector",
    "GitHubTokenDetector", "GitLabTokenDetector", "JwtTokenDetector", "MailchimpDetector", "NpmDetector", "OpenAIDetector",
    "PypiTokenDetector", "SendGridDetector", "SlackDetector", "SquareOAuthDetector", "StripeDetector",
    "TelegramBotTokenDetector", "TwilioKeyDetector",
)  # fmt: skip
"""Keys of a known form. Those of the library that go by entropy or by the word "password" take prose for secrets."""


@dataclass(frozen=True, slots=True)
class Found:
    """Characters `start:end` of a text that are personal data or a secret."""

    kind: str
    start: int
    end: int


def find(text: str, regions: Sequence[str] = ()) -> list[Found]:
    """What there is in a text, in order, no two overlapping. National telephone numbers are found for the regions given."""
    found: list[Found] = []
    if (_is_long(text) or "://" in text or "PRIVATE KEY" in text) and _MAY_BE_SECRET.search(text) is not None:
        found += _secrets(text)
    if "@" in text:
        found += (Found(EMAIL, *one.span()) for one in _EMAIL.finditer(text))
    numbers = list(_MAY_BE_PHONE.finditer(text)) if _DIGITS.search(text) is not None else []
    if numbers or _MAY_BE_IBAN.search(text) is not None:
        found += _accounts(text)
        found += (Found(PHONE, *span) for one in numbers for span in _phones(one[0], one.start(), regions))
    return _apart(found)


def _is_long(text: str) -> bool:
    """Whether anything in it is as long as a key."""
    return max(map(len, text.split()), default=0) >= SHORTEST_KEY


def masked(text: str, parameters: CleaningParameters) -> tuple[str, Counter[str], int]:
    """A text under the policies, how often each kind was found, and how many characters gave way to placeholders."""
    if parameters.personal_data == "keep" and parameters.secrets == "keep":
        return text, Counter(), 0
    counted: Counter[str] = Counter()
    parts: list[str] = []
    at = hidden = 0
    for one in find(text, parameters.phone_regions):
        policy = parameters.personal_data if one.kind in PERSONAL else parameters.secrets
        if policy == "keep":
            continue
        counted[one.kind] += 1
        if policy == "mask":
            parts += (text[at : one.start], f"⟨{one.kind}⟩")
            hidden += one.end - one.start
            at = one.end
    return "".join([*parts, text[at:]]) if at else text, counted, hidden


def _accounts(text: str) -> Iterator[Found]:
    for one in _MAY_BE_CARD.finditer(text):
        digits = re.sub(r"\D", "", one[0])
        if digits[0] in "3456" and len(digits) in (14, 15, 16, 19) and luhn.is_valid(digits) and len(set(digits)) > 3:
            yield Found(CARD, *one.span())
    for one in _MAY_BE_IBAN.finditer(text):
        if iban.is_valid(one[0]):
            yield Found(IBAN, *one.span())


def _phones(text: str, offset: int, regions: Sequence[str]) -> Iterator[tuple[int, int]]:
    """A number with its country's code is one anywhere; without, only where a region is given."""
    for region in (None,) if "+" in text[:2] else regions:
        for start, end in _valid(text, region):
            yield offset + start, offset + end


@lru_cache(maxsize=1 << 12)
def _valid(text: str, region: str | None) -> tuple[tuple[int, int], ...]:
    return tuple((one.start, one.end) for one in PhoneNumberMatcher(text, region, Leniency.VALID))


def _secrets(text: str) -> Iterator[Found]:
    for one in _PRIVATE_KEY.finditer(text):
        yield Found(SECRET, *one.span())
    seen = 0
    for hint in _MAY_BE_SECRET.finditer(text):
        if hint.start() < seen:
            continue
        begin, seen = max(0, hint.start() - BEFORE), hint.start() + LONGEST // 2
        window = text[begin : hint.start() + LONGEST]
        for pattern in _patterns():
            for one in pattern.finditer(window):
                yield Found(SECRET, begin + one.start(), begin + one.end())


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    kinds: dict[str, Any] = get_mapping_from_secret_type_to_class()
    known = {kind.__name__: kind for kind in kinds.values()}
    return tuple(
        pattern for name in _KINDS_OF_SECRET for pattern in known[name].denylist if "PRIVATE KEY" not in pattern.pattern
    )


def _apart(found: list[Found]) -> list[Found]:
    """Of two that overlap the one that begins first, or the longer one."""
    kept: list[Found] = []
    for one in sorted(found, key=lambda one: (one.start, -one.end)):
        if not kept or one.start >= kept[-1].end:
            kept.append(one)
    return kept
