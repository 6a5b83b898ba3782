"""What is an answer, and what is none: the same however its bytes are cut."""

from __future__ import annotations

import gzip
import itertools
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.channels.http import answer
from services.channels.http.answer import AnswerReader, NoAnswer
from services.channels.model.http_call import Response

OK = b"HTTP/1.1 201 Created\r\n"
LENGTH = OK + b"Content-Length: 2\r\n\r\n{}"
CLOSES = OK + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
Told = tuple[Response | str, bool]  # the answer, or why there is none; whether the connection is kept
MADE = Response(201, None, b"{}")
GARBLED, CUT, DECODED = ("ClientResponseError", False), ("ClientPayloadError", False), ("ContentEncodingError", False)

# ends: the server closes its side after it
ANSWERS: dict[str, tuple[bytes, bool, Told]] = {
    "a length": (LENGTH, False, (MADE, True)),
    "no body": (b"HTTP/1.1 204 No\r\n\r\n", False, (Response(204), True)),
    "not modified": (b"HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\n", False, (Response(304), True)),
    "a length of 0": (OK + b"Content-Length: 0\r\n\r\n", False, (Response(201), True)),
    "close": (CLOSES, False, (MADE, False)),
    "HTTP/1.0": (b"HTTP/1.0 201 Created\r\nContent-Length: 2\r\n\r\n{}", False, (MADE, False)),
    "HTTP/1.0, kept": (b"HTTP/1.0 201 C\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}", False, (MADE, True)),
    "chunks": (CHUNKED + b"1\r\n{\r\n1;x=y\r\n}\r\n0\r\n\r\n", False, (MADE, True)),
    "chunks with a field after them": (CHUNKED + b"2\r\n{}\r\n0\r\nRetry-After: 9\r\n\r\n", False, (MADE, True)),
    "until the connection ends": (OK + b"\r\n{}", True, (MADE, False)),
    "until the connection ends, empty": (OK + b"\r\n", True, (Response(201), False)),
    "HTTP/1.0 until it ends": (b"HTTP/1.0 201 Created\r\n\r\n{}", True, (MADE, False)),
    "continue": (b"HTTP/1.1 100 Continue\r\n\r\n" + LENGTH, False, (MADE, True)),
    "hints": (b"HTTP/1.1 103 Early\r\nLink: </x>\r\nRetry-After: 5\r\n\r\n" + LENGTH, False, (MADE, True)),
    "two interim answers": (b"HTTP/1.1 102 On\r\n\r\nHTTP/1.1 100 Go\r\n\r\n" + LENGTH, False, (MADE, True)),
    "hints that say close": (
        b"HTTP/1.1 103 Early\r\nConnection: close\r\n\r\n" + CLOSES, False, (MADE, False),
    ),
    "interim with a length, then none": (
        b"HTTP/1.1 103 E\r\nContent-Encoding: br\r\n\r\n" + OK + b"\r\n{}", True, (MADE, False),
    ),
    "when to come again": (
        b"HTTP/1.1 429 Busy\r\nX-Empty:\r\nretry-after:  7 \r\nContent-Length: 0\r\n\r\n", False, (Response(429, 7.0), True),
    ),
    "twice when": (
        b"HTTP/1.1 429 B\r\nRetry-After: 7\r\nRetry-After: 8\r\nContent-Length: 0\r\n\r\n", False, (Response(429, 7.0), True),
    ),
    "a reason of nothing": (b"HTTP/1.1 201\r\nContent-Length: 2\r\n\r\n{}", False, (MADE, True)),
    "line feeds alone": (b"HTTP/1.1 201 Created\nContent-Length: 2\n\n{}", False, (MADE, True)),
    "lines before it": (b"\r\n\r\n" + LENGTH, False, (MADE, True)),
    "packed": (
        OK + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
        % (len(gzip.compress(b"{}", mtime=0)), gzip.compress(b"{}", mtime=0)), False, (MADE, True),
    ),
    "deflated": (
        OK + b"Content-Encoding: deflate\r\n\r\n" + zlib.compress(b"{}"), True, (MADE, False),
    ),
    "packed by nobody knows what": (OK + b"Content-Encoding: zstd\r\nContent-Length: 2\r\n\r\n{}", False, DECODED),
    "packed and broken": (OK + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", False, DECODED),
    "cut in the head": (b"HTTP/1.1 201 Crea", True, ("", False)),
    "cut before the head": (b"", True, ("", False)),
    "cut after an interim answer": (b"HTTP/1.1 100 Continue\r\n\r\n", True, ("", False)),
    "cut in the body": (OK + b"Content-Length: 20\r\n\r\n{}", True, CUT),
    "cut in a chunk": (CHUNKED + b"9\r\n{}", True, CUT),
    "cut before the last chunk": (CHUNKED + b"2\r\n{}\r\n", True, CUT),
    "no status": (b"HTTP/1.1 2\xff1 Cre\x00ated\r\n\r\n", False, GARBLED),
    "a mail server": (b"220 mail.example.org ESMTP\r\n", False, GARBLED),
    "TLS": (b"\x15\x03\x03\x00\x02\x02\x28", False, GARBLED),
    "another version": (b"HTTP/2 201\r\nContent-Length: 2\r\n\r\n{}", False, GARBLED),
    "two lengths": (OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", False, GARBLED),
    "length and chunks": (OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", False, GARBLED),
    "no number as length": (OK + b"Content-Length: many\r\n\r\n{}", False, GARBLED),
    "no number as chunk": (CHUNKED + b"zz\r\n", False, CUT),
    "another protocol": (b"HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nxx", False, GARBLED),
}  # fmt: skip


def read(data: bytes, ends: bool, cuts: list[int]) -> Told:
    """Fed in pieces cut at these places."""
    reader = AnswerReader()
    edges = [0, *sorted(cuts), len(data)]
    try:
        for start, end in itertools.pairwise(edges):
            if end > start and (found := reader.feed(data[start:end])) is not None:
                return found, reader.keeps
        found = reader.end() if ends else None
    except NoAnswer as problem:
        return str(problem), False
    return found or "", reader.keeps


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_read_octet_by_octet_as_at_once(name: str) -> None:
    data, ends, told = ANSWERS[name]
    assert told == read(data, ends, [])
    assert told == read(data, ends, list(range(len(data))))


@given(name=st.sampled_from(sorted(ANSWERS)), where=st.lists(st.floats(0, 1), max_size=6))
def test_no_cut_changes_what_is_read(name: str, where: list[float]) -> None:
    data, ends, told = ANSWERS[name]
    assert told == read(data, ends, [int(place * len(data)) for place in where])


@given(st.binary(max_size=80), st.booleans())
def test_no_octets_raise_anything_else(data: bytes, ends: bool) -> None:
    """And the head alone makes no answer of what follows."""
    read(data, ends, [])
    read(OK + data, ends, [])
    read(CHUNKED + data, ends, [])


@given(after=st.binary(min_size=1, max_size=20).filter(lambda octets: octets.strip(b"\r\n")))
def test_what_follows_an_answer_in_one_piece_is_nobodys(after: bytes) -> None:
    """The answer counts, and the connection is not used again."""
    for answered in (LENGTH, CLOSES):
        reader = AnswerReader()
        assert MADE == reader.feed(answered + after)
        assert not reader.keeps


def test_two_answers_at_once_are_one() -> None:
    """The second was asked for by nobody: whoever asks next must not get it."""
    reader = AnswerReader()
    assert MADE == reader.feed(LENGTH + b"HTTP/1.1 429 B\r\nRetry-After: 9\r\nContent-Length: 3\r\n\r\nxyz")
    assert not reader.keeps


def test_a_connection_reads_one_answer_after_the_other() -> None:
    """Nothing of one is left in the next."""
    reader = AnswerReader()
    for data, _, (told, keeps) in ANSWERS.values():
        if keeps:
            assert told == reader.feed(data)
            reader.next()


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (OK, b"X-More: and more\r\n"),
        (OK + b"X-Long: ", b"more"),
        (OK + b"\r\n", b"more"),
        (CHUNKED, b"4\r\nmore\r\n"),
        (CHUNKED + b"2;", b"more"),
        (b"", b"HTTP/1.1 103 Wait\r\n\r\n"),
    ],
    ids=["fields", "a field", "a body", "chunks", "a chunk's name", "interim answers"],
)
def test_what_never_ends_is_no_answer(begin: bytes, more: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer, "MOST_HEAD", 1000)
    monkeypatch.setattr(answer, "MOST", 2000)
    reader = AnswerReader()
    with pytest.raises(NoAnswer, match="answer too long"):  # noqa: PT012 - it may come at any piece
        for piece in [begin] * bool(begin) + [more] * 1000:
            assert None is reader.feed(piece)


def test_a_body_that_unpacks_to_too_much_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer, "MOST", 2000)
    packed = gzip.compress(b"x" * 100_000)
    with pytest.raises(NoAnswer, match="ContentEncodingError"):
        AnswerReader().feed(OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(packed), packed))
