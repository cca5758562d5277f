"""What a document says of itself beside its text: links on a page, outline, metadata. All of it bounded, and hostile."""

import ctypes
from collections.abc import Iterator
from itertools import islice

import pypdfium2
import pypdfium2.raw as pdfium

from services.extraction.adapters.frame import Frame
from shared.contracts.documents import Link, OutlineEntry

MAX_LINKS, MAX_ENTRIES, MAX_DEPTH = 500, 1_000, 8
MAX_CHARACTERS = 500
SCHEMES = ("http://", "https://", "mailto:", "ftp://", "doi:")
"""Targets of other kinds (files of the author's machine, scripts, programs to start) are left out."""

FACTS = {
    "Title": "title", "Author": "author", "Subject": "subject", "Keywords": "keywords", "Creator": "creator",
    "Producer": "producer", "CreationDate": "created", "ModDate": "modified",
}  # fmt: skip
"""Names of a PDF's own facts → ours. What they say is the author's program's claim."""


def page_links(document: pypdfium2.PdfDocument, page: pypdfium2.PdfPage, frame: Frame) -> Iterator[Link]:
    """A page's links: to addresses, or as `#page=N` to a page of the document."""
    position, link, edges = ctypes.c_int(0), pdfium.FPDF_LINK(), pdfium.FS_RECTF()
    for _ in range(MAX_LINKS):
        if not pdfium.FPDFLink_Enumerate(page, position, link):
            return
        target = _target(document, link)
        if target and pdfium.FPDFLink_GetAnnotRect(link, edges):
            left, top, right, bottom = frame.box(edges.left, edges.bottom, edges.right, edges.top)
            if abs(left) < 1e6 and abs(top) < 1e6 and abs(right) < 1e6 and abs(bottom) < 1e6:
                yield Link(box=(round(left, 1), round(top, 1), round(right, 1), round(bottom, 1)), target=target)


def _target(document: pypdfium2.PdfDocument, link: object) -> str:
    action = pdfium.FPDFLink_GetAction(link)
    if action and pdfium.FPDFAction_GetType(action) == pdfium.PDFACTION_URI:
        size = min(pdfium.FPDFAction_GetURIPath(document, action, None, 0), 4 * MAX_CHARACTERS)
        buffer = ctypes.create_string_buffer(max(1, size))
        pdfium.FPDFAction_GetURIPath(document, action, buffer, size)
        address = _plain(buffer.value.decode("utf-8", "replace"))
        return address if address.lower().startswith(SCHEMES) else ""
    found = pdfium.FPDFLink_GetDest(document, link) or (pdfium.FPDFAction_GetDest(document, action) if action else None)
    index = pdfium.FPDFDest_GetDestPageIndex(document, found) if found else -1
    return f"#page={index + 1}" if index >= 0 else ""


def outline(document: pypdfium2.PdfDocument) -> tuple[OutlineEntry, ...]:
    """The document's outline, flat, with levels from 1; a branch that comes back to itself ends there."""
    return tuple(_entry(one) for one in islice(document.get_toc(max_depth=MAX_DEPTH), MAX_ENTRIES))


def _entry(bookmark: pypdfium2.PdfBookmark) -> OutlineEntry:
    place = bookmark.get_dest()
    index = place.get_index() if place is not None else None
    page = index + 1 if index is not None and index >= 0 else None
    return OutlineEntry(title=_plain(_title(bookmark)), level=bookmark.level + 1, page=page)


def _title(bookmark: pypdfium2.PdfBookmark) -> str:
    try:
        return str(bookmark.get_title())
    except ValueError:
        return ""


def metadata(document: pypdfium2.PdfDocument) -> dict[str, str]:
    """What the document's maker wrote of it, where something was."""
    found: dict[str, str] = {}
    for theirs, ours in FACTS.items():
        try:
            value = _plain(document.get_metadata_value(theirs))
        except ValueError:
            continue
        if value:
            found[ours] = value
    return found


def _plain(text: str) -> str:
    """One line of printable characters, no longer than makes sense."""
    return " ".join("".join(char if char.isprintable() else " " for char in text[:MAX_CHARACTERS]).split())
