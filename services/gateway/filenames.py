"""File names as they come in from strangers, and as they go out in headers."""

import re
import unicodedata
from email.message import Message
from pathlib import PurePosixPath
from urllib.parse import quote, unquote

MAX_CHARACTERS = 200
UNNAMED = "document.pdf"


def tame(name: str) -> str:
    """A bare file name: no folders, no control or formatting characters (which can hide what a name says), not too long."""
    bare = name.replace("\\", "/").rsplit("/", 1)[-1]
    visible = "".join(char for char in bare if unicodedata.category(char)[0] != "C").strip()
    if visible in ("", ".", ".."):
        return UNNAMED
    suffix = PurePosixPath(visible).suffix[:16]
    return visible if len(visible) <= MAX_CHARACTERS else visible[: MAX_CHARACTERS - len(suffix)] + suffix


def from_disposition(header: str | None) -> str | None:
    """The file name of a Content-Disposition header, RFC 8187's `filename*` before `filename`."""
    if header is None:
        return None
    extended = re.search(r"filename\*\s*=\s*utf-8'[^']*'([^;\s]+)", header, re.IGNORECASE)
    if extended:
        return unquote(extended.group(1), errors="replace")
    message = Message()
    message["Content-Disposition"] = header.replace("\r", " ").replace("\n", " ")
    found = message.get_filename()
    return found.encode("latin-1", "replace").decode("utf-8", "replace") if found is not None else None


def attachment(name: str) -> str:
    """A Content-Disposition that no name can break out of: quoted ASCII, and the whole name percent-encoded."""
    ascii_name = re.sub(r"[^A-Za-z0-9._ -]", "_", name)
    return f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(name, safe='')}"
