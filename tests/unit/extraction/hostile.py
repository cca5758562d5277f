"""PDFs that no honest program makes: cyclic, bomb-like, lying and cut off. Each has a name; all are made on the spot."""

import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tests.unit.extraction.pdfs import PROSE, blank, encrypted, paper

Objects = Mapping[int, bytes]

CATALOG = b"<</Type/Catalog/Pages 2 0 R>>"
TREE = b"<</Type/Pages/Kids[3 0 R]/Count 1>>"
FONT = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
TEXT = b"BT /F 12 Tf 72 700 Td (" + PROSE[:80].encode() + b") Tj ET"


def written(objects: Objects, trailer: bytes = b"/Root 1 0 R", version: bytes = b"1.7") -> bytes:
    data, offsets = b"%PDF-" + version + b"\n", {}
    for number, body in objects.items():
        offsets[number] = len(data)
        data += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    index = b"".join(b"%d 1\n%010d 00000 n \n" % (number, offset) for number, offset in offsets.items())
    return data + b"xref\n0 1\n0000000000 65535 f \n%btrailer<</Size %d%b>>\nstartxref\n%d\n%%%%EOF" % (
        index, max(objects) + 1, trailer, len(data),
    )  # fmt: skip


def page(rest: bytes = b"/MediaBox[0 0 612 792]", resources: bytes = b"/Font<</F 5 0 R>>") -> bytes:
    return b"<</Type/Page/Parent 2 0 R%b/Contents 4 0 R/Resources<<%b>>>>" % (rest, resources)


def stream(content: bytes, rest: bytes = b"", deflated: int = 1) -> bytes:
    filters = b""
    for _ in range(deflated):
        content = zlib.compress(content, 9)
        filters += b"/FlateDecode"
    return b"<</Length %d/Filter[%b]%b>>stream\n%b\nendstream" % (len(content), filters, rest, content)


def one_page(content: bytes = TEXT, **parts: bytes) -> bytes:
    """A one-page document with one part of it replaced by another."""
    usual = {"catalog": CATALOG, "tree": TREE, "page": page(), "contents": stream(content), "font": FONT}
    return written(dict(enumerate({**usual, **parts}.values(), 1)))


def image(rest: bytes, data: bytes = b"\0") -> bytes:
    """A page with nothing but one picture on it."""
    body = b"<</Type/XObject/Subtype/Image%b/Length %d>>stream\n%b\nendstream" % (rest, len(data), data)
    resources = b"/XObject<</X 6 0 R>>"
    return written({
        1: CATALOG, 2: TREE, 3: page(resources=resources), 4: stream(b"q 612 0 0 792 0 0 cm /X Do Q"), 5: FONT, 6: body,
    })  # fmt: skip


def form_of_itself() -> bytes:
    form = stream(b"/X Do /X Do", b"/Type/XObject/Subtype/Form/BBox[0 0 612 792]/Resources<</XObject<</X 6 0 R>>>>")
    return written({
        1: CATALOG, 2: TREE, 3: page(resources=b"/Font<</F 5 0 R>>/XObject<</X 6 0 R>>"), 4: stream(TEXT + b" /X Do"),
        5: FONT, 6: form,
    })  # fmt: skip


def forms_doubling(depth: int = 28) -> bytes:
    """Each form draws the next one twice: two to the power of `depth` drawings."""
    objects = {1: CATALOG, 2: TREE, 3: page(resources=b"/Font<</F 5 0 R>>/XObject<</X 6 0 R>>"), 4: stream(b"/X Do"), 5: FONT}
    for level in range(depth):
        resources = b"/Resources<</Font<</F 5 0 R>>/XObject<</X %d 0 R>>>>" % (7 + level)
        objects[6 + level] = stream(b"/X Do /X Do", b"/Type/XObject/Subtype/Form/BBox[0 0 612 792]" + resources)
    objects[6 + depth] = stream(TEXT, b"/Type/XObject/Subtype/Form/BBox[0 0 612 792]/Resources<</Font<</F 5 0 R>>>>")
    return written(objects)


def deep_tree(depth: int = 3_000) -> bytes:
    objects = {1: CATALOG}
    for level in range(depth):
        objects[2 + level] = b"<</Type/Pages/Kids[%d 0 R]/Count 1>>" % (3 + level)
    objects[2 + depth] = b"<</Type/Page/MediaBox[0 0 612 792]/Contents %d 0 R>>" % (3 + depth)
    objects[3 + depth] = stream(TEXT)
    return written(objects)


def same_page(times: int = 20_000) -> bytes:
    return one_page(tree=b"<</Type/Pages/Kids[%b]/Count %d>>" % (b"3 0 R " * times, times))


def type3_of_itself() -> bytes:
    font = (
        b"<</Type/Font/Subtype/Type3/FontBBox[0 0 1000 1000]/FontMatrix[.001 0 0 .001 0 0]/FirstChar 65/LastChar 65"
        b"/Widths[1000]/Encoding<</Differences[65/A]>>/CharProcs<</A 6 0 R>>/Resources<</Font<</F 5 0 R>>>>>>"
    )
    glyph = stream(b"1000 0 d0 BT /F 12 Tf (AAAA) Tj ET")
    return written({1: CATALOG, 2: TREE, 3: page(), 4: stream(b"BT /F 12 Tf 72 700 Td (A) Tj ET"), 5: font, 6: glyph})


def index_of_itself() -> bytes:
    body = one_page()
    start = int(body.rpartition(b"startxref\n")[2].split()[0])
    return body.replace(b"/Root 1 0 R>>", b"/Root 1 0 R/Prev %d>>" % start)


def vast_cmap() -> bytes:
    ranges = b"\n".join(b"<%04x> <%04x> <%04x>" % (code, code, 0xFFFD) for code in range(0, 65_535, 3))
    cmap = (
        b"begincmap 1 begincodespacerange <0000> <ffff> endcodespacerange 21845 beginbfrange\n%b\nendbfrange endcmap" % ranges
    )
    font = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/ToUnicode 6 0 R>>"
    return written({1: CATALOG, 2: TREE, 3: page(), 4: stream(TEXT), 5: font, 6: stream(cmap)})


def outlined(entries: Objects) -> bytes:
    """A sound page under an outline of these objects, the first of which is number 6."""
    catalog = b"<</Type/Catalog/Pages 2 0 R/Outlines 6 0 R>>"
    return written({1: catalog, 2: TREE, 3: page(), 4: stream(TEXT), 5: FONT, **entries})


def linked(links: int = 5_000) -> bytes:
    """A page of links, each to an address of kilobytes."""
    link = b"<</Type/Annot/Subtype/Link/Rect[1e38 -1e38 nan 72]/A<</S/URI/URI(https://%b)>>>>" % (b"a" * 9_000)
    annotations = b"/MediaBox[0 0 612 792]/Annots[" + b"6 0 R " * links + b"]"
    return written({1: CATALOG, 2: TREE, 3: page(annotations), 4: stream(TEXT), 5: FONT, 6: link})


MAKERS: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "header-alone": lambda: b"%PDF-1.7\n",
    "noise": lambda: b"%PDF-1.4\n" + bytes(range(256)) * 64,
    "tree-of-itself": lambda: one_page(tree=b"<</Type/Pages/Kids[2 0 R 3 0 R]/Count 2>>"),
    "catalog-is-the-page": lambda: one_page(catalog=b"<</Type/Catalog/Pages 1 0 R>>"),
    "deep-tree": deep_tree,
    "count-lies-high": lambda: one_page(tree=b"<</Type/Pages/Kids[3 0 R]/Count 2147483647>>"),
    "count-lies-low": lambda: one_page(tree=b"<</Type/Pages/Kids[3 0 R]/Count -5>>"),
    "one-page-many-times": same_page,
    "contents-of-itself": lambda: one_page(contents=b"[4 0 R 4 0 R]"),
    "form-of-itself": form_of_itself,
    "forms-doubling": forms_doubling,
    "glyph-of-itself": type3_of_itself,
    "index-of-itself": index_of_itself,
    "zip-bomb": lambda: one_page(contents=stream(b" " * (300 << 20))),
    "zip-bomb-in-zip-bomb": lambda: one_page(contents=stream(b"\0" * (200 << 20), deflated=3)),
    "text-bomb": lambda: one_page(b"BT /F 1 Tf 72 700 Td " + b"(aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa) Tj " * 300_000 + b"ET"),
    "operators-unclosed": lambda: one_page(b"q " * 2_000_000),
    "arrays-nested": lambda: one_page(page=page(b"/MediaBox" + b"[" * 100_000)),
    "dictionaries-nested": lambda: one_page(page=page(b"/X" + b"<</X" * 50_000)),
    "no-size": lambda: one_page(page=page(b"/MediaBox[0 0 0 0]")),
    "size-of-a-country": lambda: one_page(page=page(b"/MediaBox[0 0 99999999 99999999]")),
    "size-turned-over": lambda: one_page(page=page(b"/MediaBox[612 792 0 0]")),
    "size-no-number": lambda: one_page(page=page(b"/MediaBox[(a) /b null 1e999]")),
    "text-nowhere": lambda: one_page(b"BT /F 12 Tf 1e30 0 0 1e30 1e38 1e38 Tm (far away) Tj ET"),
    "picture-vast": lambda: image(b"/Width 2000000/Height 2000000/ColorSpace/DeviceGray/BitsPerComponent 1"),
    "picture-vast-fax": lambda: image(b"/Width 60000/Height 60000/BitsPerComponent 1/ImageMask true/Filter/CCITTFaxDecode"),
    "picture-lying": lambda: image(b"/Width 5000/Height 5000/BitsPerComponent 8/Filter/DCTDecode", b"\xff\xd8\xff"),
    "picture-jpx-broken": lambda: image(b"/Width 50/Height 50/Filter/JPXDecode", b"\0\0\0\x0cjP  \r\n\x87\n" + b"\xff" * 90),
    "picture-jbig2-broken": lambda: image(b"/Width 50/Height 50/ColorSpace/DeviceGray/Filter/JBIG2Decode", b"\xff" * 90),
    "page-of-a-wall": lambda: image(b"/Width 1/Height 1/ColorSpace/DeviceGray/BitsPerComponent 8").replace(
        b"/MediaBox[0 0 612 792]", b"/MediaBox[0 0 200000 200000]"
    ),
    "font-without-end": lambda: one_page(font=b"<</Type/Font/Subtype/TrueType/FontDescriptor 5 0 R/FontFile2 4 0 R>>"),
    "vast-cmap": vast_cmap,
    "outline-of-itself": lambda: outlined({
        6: b"<</Type/Outlines/First 7 0 R/Last 7 0 R/Count 1>>",
        7: b"<</Title(again)/Parent 6 0 R/First 7 0 R/Next 7 0 R/Last 7 0 R/Dest[7 0 R /XYZ 0 0 0]>>",
    }),
    "outline-deep": lambda: outlined({
        6: b"<</Type/Outlines/First 7 0 R/Last 7 0 R/Count 1>>",
        **{n: b"<</Title<FEFFD800>/Parent %d 0 R/First %d 0 R/Last %d 0 R>>" % (n - 1, n + 1, n + 1) for n in range(7, 4_000)},
    }),
    "outline-long": lambda: outlined({
        6: b"<</Type/Outlines/First 7 0 R/Last 7 0 R/Count 1>>",
        **{n: b"<</Title(%b)/Parent 6 0 R/Next %d 0 R>>" % (b"t" * 2_000, n + 1) for n in range(7, 9_000)},
    }),
    "links-many-and-long": linked,
    "javascript": lambda: one_page(catalog=b"<</Type/Catalog/Pages 2 0 R/OpenAction<</S/JavaScript/JS(app.alert(1))>>>>"),
    "launches-a-program": lambda: one_page(catalog=b"<</Type/Catalog/Pages 2 0 R/OpenAction<</S/Launch/F(/bin/sh)>>>>"),
}  # fmt: skip


def hostile(folder: Path) -> Iterator[Path]:
    """Writes all of them, and cut-off and encrypted ones, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in MAKERS.items():
        path = folder / f"{name}.pdf"
        path.write_bytes(make())
        yield path
    yield blank(folder / "blank.pdf")
    yield encrypted(folder / "encrypted.pdf")
    whole = paper(folder / "whole.pdf").read_bytes()
    for percent in (10, 50, 90, 99):
        path = folder / f"cut-at-{percent}.pdf"
        path.write_bytes(whole[: len(whole) * percent // 100])
        yield path
