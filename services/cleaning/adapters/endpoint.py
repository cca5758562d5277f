"""An OpenAI-compatible endpoint, by OpenAI's own client: retries with back-off, errors typed by what can be done about them."""

import ipaddress
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from services.cleaning.settings import CleaningSettings, EndpointKey
from services.cleaning.stages.qa import Request
from shared.contracts.datasets import QaParameters
from shared.errors import InvalidInput, LecternError, Unavailable


class Refused(LecternError):
    """The endpoint will not answer this very request (too long for the model, most likely); others may go well."""

    code = "endpoint-refused"


class Endpoint:
    """Asks models. Safe to be used by several threads."""

    def __init__(self, url: str, key: str, parameters: QaParameters, seed: int) -> None:
        import openai  # noqa: PLC0415 - a second that only datasets with pairs need

        self._openai: Any = openai
        self._client = openai.OpenAI(
            base_url=url, api_key=key or "none", max_retries=parameters.attempts - 1, timeout=parameters.timeout_seconds,
            http_client=openai.DefaultHttpxClient(follow_redirects=False),
        )  # fmt: skip
        self._parameters = parameters
        self._seed = seed
        self._schemas = True

    def ask(self, request: Request) -> str:
        """The model's reply. Raises Unavailable where trying again later may help, InvalidInput where the wish has to be
        changed, Refused where only this request is at fault."""
        try:
            return self._ask(request)
        except self._openai.BadRequestError as error:
            raise Refused(f"The endpoint refuses a request for {request.model}.") from error
        except self._openai.APIStatusError as error:
            raise self._told(error, request.model) from error
        except self._openai.APIError as error:
            raise Unavailable(
                f"The endpoint that writes question-answer pairs does not answer ({type(error).__name__})."
            ) from error

    def _ask(self, request: Request) -> str:
        """With a schema where the endpoint knows them; from the first refusal on without."""
        if self._schemas:
            schema = {"type": "json_schema", "json_schema": {"name": "reply", "strict": True, "schema": request.schema}}
            try:
                return self._complete(request, response_format=schema)
            except self._openai.BadRequestError:
                reply = self._complete(request)
                self._schemas = False
                return reply
        return self._complete(request)

    def _complete(self, request: Request, **more: Any) -> str:
        client: Any = self._client
        answer = client.chat.completions.create(
            model=request.model, messages=list(request.messages), temperature=self._parameters.temperature,
            max_tokens=request.max_tokens, seed=self._seed, **more,
        )  # fmt: skip
        choices = getattr(answer, "choices", None)
        return (choices[0].message.content or "") if choices else ""

    def _told(self, error: Any, model: str) -> LecternError:
        status = error.status_code
        if status in (408, 409, 429) or status >= 500:
            return Unavailable(f"The endpoint that writes question-answer pairs answers {status}, however often it is asked.")
        if status in (401, 403):
            return InvalidInput(f"The endpoint refuses the key (HTTP {status}). Set qa.key to the name of one that it takes.")
        return InvalidInput(f"The endpoint answers {status}; check qa.url, and that it has the model {model!r}.")


def open_endpoint(settings: CleaningSettings, parameters: QaParameters, seed: int) -> Endpoint:
    """The endpoint that a wish names. Raises InvalidInput."""
    url, key = parameters.url, parameters.key
    if url is None:
        if settings.gateway_url is None:
            raise InvalidInput(
                "This worker does not know its own gateway: set LECTERN_GATEWAY_URL for it, or qa.url in the wish."
            )
        url, key = settings.gateway_url, settings.gateway_key
    else:
        refuse_link_local(url)
    return Endpoint(url, _secret(settings.endpoint_keys, key, url) if key else "", parameters, seed)


def _secret(keys: Mapping[str, EndpointKey], name: str, url: str) -> str:
    found = keys.get(name)
    if found is None:
        raise InvalidInput(f"The worker has no endpoint key named {name!r}: add it to its LECTERN_ENDPOINT_KEYS.")
    if not _below(url, found.url):
        raise InvalidInput(f"The key {name!r} is for another endpoint than the wish's qa.url.")
    try:
        return found.secret()
    except OSError as error:
        raise InvalidInput(f"The file of the endpoint key {name!r} cannot be read.") from error


def _below(url: str, allowed: str) -> bool:
    one, other = urlsplit(url), urlsplit(allowed)
    path = other.path.rstrip("/")
    same = (one.scheme, one.hostname, one.port) == (other.scheme, other.hostname, other.port) and not one.username
    return same and ".." not in one.path and (one.path.rstrip("/") == path or one.path.startswith(path + "/"))


def refuse_link_local(url: str) -> None:
    """Raises InvalidInput for hosts of the link-local range, where clouds keep their machines' credentials."""
    host = urlsplit(url).hostname or ""
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return  # a name that is not known is told by the request itself, and may be known to a proxy
    if any(ipaddress.ip_address(one.split("%")[0]).is_link_local for one in found):
        raise InvalidInput("qa.url names a link-local address, which no endpoint is asked at.")
