"""The streaming form parser: however the network cuts a form, its files come out whole."""

import asyncio
from collections.abc import AsyncIterator

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.multipart import file_parts
from services.gateway.problems import MalformedUpload

BOUNDARY = "----boundary7"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def form(files: list[tuple[str, bytes]], fields: int) -> bytes:
    body = b""
    for at in range(fields):
        body += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="f{at}"\r\n\r\nvalue\r\n'.encode()
    for name, content in files:
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: x/y\r\n\r\n'
        body += head.encode() + content + b"\r\n"
    return body + f"--{BOUNDARY}--\r\n".encode()


async def read(body: bytes, sizes: list[int]) -> list[tuple[str, bytes]]:
    async def network() -> AsyncIterator[bytes]:
        at, turn = 0, 0
        while at < len(body):
            yield body[at : at + sizes[turn % len(sizes)]]
            at, turn = at + sizes[turn % len(sizes)], turn + 1

    return [(part.filename, b"".join([block async for block in part.blocks()])) async for part in file_parts(network(), TYPE)]


contents = st.one_of(
    st.binary(max_size=200), st.sampled_from([b"\r\n--", b"\r\n" + BOUNDARY.encode(), b"--" + BOUNDARY.encode()[:-1]])
)
names = st.text("abcdefghijk äß.", min_size=1, max_size=12)


@given(
    files=st.lists(st.tuples(names, contents), max_size=4),
    fields=st.integers(0, 2),
    sizes=st.lists(st.integers(1, 90), min_size=1, max_size=5),
)
def test_files_come_out_whole_however_the_network_cuts_them(
    files: list[tuple[str, bytes]], fields: int, sizes: list[int]
) -> None:
    assert asyncio.run(read(form(files, fields), sizes)) == files


@given(body=st.binary(max_size=300), sizes=st.lists(st.integers(1, 50), min_size=1, max_size=3))
def test_whatever_is_no_form_is_refused_as_malformed(body: bytes, sizes: list[int]) -> None:
    try:
        found = asyncio.run(read(body, sizes))
    except MalformedUpload:
        return
    assert found == [] and f"--{BOUNDARY}".encode() in body


@given(cut=st.integers(1, 100), sizes=st.lists(st.integers(1, 50), min_size=1, max_size=3))
def test_a_form_that_is_cut_short_is_refused(cut: int, sizes: list[int]) -> None:
    whole = form([("a.pdf", b"%PDF-" * 20)], 1).removesuffix(b"--\r\n")
    try:
        asyncio.run(read(whole[: max(0, len(whole) - cut)], sizes))
    except MalformedUpload:
        return
    raise AssertionError("a part of a form was taken for the whole")
