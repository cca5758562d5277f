"""Every error Lectern raises on purpose: a code for programs, a sentence for people, and whether to try again."""


class LecternError(Exception):
    """The base. `code` is stable; the message says what happened and what to do next."""

    code = "internal"
    retryable = False

    def __init__(self, message: str, **context: object) -> None:
        super().__init__(message)
        self.message = message
        self.context = context


class NotFound(LecternError):
    """Nothing is known under that name."""

    code = "not-found"


class AlreadyExists(LecternError):
    """An object of that name was created before, and objects are created once."""

    code = "already-exists"


class Conflict(LecternError):
    """The request contradicts what already stands."""

    code = "conflict"


class Forgotten(LecternError):
    """The document was forgotten, and may not come back until an admin lifts its tombstone."""

    code = "forgotten"


class Damaged(LecternError):
    """What is read is not what was written."""

    code = "damaged"


class NotReady(Conflict):
    """What is asked for is still being made, or could not be made; the message says which."""

    code = "not-ready"


class InvalidInput(LecternError):
    """What was given cannot be worked with."""

    code = "invalid-input"


class NotAPdf(InvalidInput):
    """The bytes do not begin as a PDF does."""

    code = "not-a-pdf"


class EmptyUpload(InvalidInput):
    """No bytes arrived."""

    code = "empty-upload"


class LimitReached(LecternError):
    """A key has asked for all that it may, for now. `seconds` is how long until it may ask again."""

    code = "rate-limit-exceeded"
    retryable = True

    def __init__(self, message: str, seconds: int) -> None:
        super().__init__(f"{message} It may ask again in {seconds:,} s.")
        self.seconds = seconds


class TooLarge(LecternError):
    """The upload is over the cap."""

    code = "too-large"


class Unauthorized(LecternError):
    """No valid API key came with the request."""

    code = "unauthorized"


class Forbidden(LecternError):
    """The API key's scopes do not allow this."""

    code = "forbidden"


class Unavailable(LecternError):
    """A part that is needed does not answer just now; trying again later may succeed."""

    code = "unavailable"
    retryable = True


class LeaseHeld(LecternError):
    """Another worker is at this very work."""

    code = "lease-held"
    retryable = True


class Cancelled(LecternError):
    """The user called the work off."""

    code = "cancelled"


class Unsupported(LecternError):
    """This machine or installation cannot do it; the message says what can."""

    code = "unsupported"


class NoEngine(Unsupported):
    """No engine of this worker reads the document. It is not refused: with the engine installed, trying again helps."""

    code = "no-ocr-engine"
