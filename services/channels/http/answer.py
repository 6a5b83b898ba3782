"""Reads answers off a connection's bytes, however they are cut; one that is cut off, garbled or too long is none.

llhttp reads them, by httptools, as leniently as aiohttp does: what one client takes for an answer the other does too.
"""

from __future__ import annotations

import zlib

import httptools

from services.channels.model.http_call import Response, seconds

MOST_HEAD = 64 * 1024
MOST = 1024 * 1024  # octets of an answer, its head and what is said before it included
_CODINGS = {b"gzip": 31, b"x-gzip": 31, b"deflate": 47}  # content coding > zlib's window bits


class NoAnswer(Exception):
    """It will never be one; the code is its first argument."""


class AnswerReader:
    """One connection's: reads an answer after the other. `feed` and `end` give it once it is whole."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True,
            lenient_keep_alive=True,  # some proxies say `close` with an interim answer, and the answer comes after it
        )  # fmt: skip
        self.next()

    def next(self) -> None:
        """Begins with another answer."""
        self._status = 0
        self._size = 0
        self._body: list[bytes] = []
        self._retry_after = self._coding = b""
        self._bounded = self._whole = False
        self.keeps = False  # the server lets another request come over this connection

    def feed(self, data: bytes) -> Response | None:
        """Takes what came in; NoAnswer where no answer can be made of it."""
        self._size += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as problem:
            if not self._whole:
                raise NoAnswer("ClientPayloadError" if self._status else "ClientResponseError") from problem
            self.keeps = False  # what comes after the answer belongs to nobody
        if self._whole:
            return self._response()
        if self._size > (MOST if self._status else MOST_HEAD):
            raise NoAnswer("answer too long")
        return None

    def end(self) -> Response | None:
        """The server says no more: an answer without a length ends here."""
        if not self._status:
            return None
        if self._bounded:
            raise NoAnswer("ClientPayloadError")
        self.keeps = False
        return self._response()

    def _response(self) -> Response:
        body = b"".join(self._body)
        if self._coding not in (b"", b"identity"):
            body = _decoded(body, self._coding)
        return Response(self._status, seconds(self._retry_after.decode("latin-1")), body)

    # ---- called by the parser

    def on_message_begin(self) -> None:
        if self._whole:
            self.keeps = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._status:  # a field after the body
            return
        name = name.lower()
        if name == b"retry-after":
            self._retry_after = self._retry_after or value.strip()
        elif name in (b"content-length", b"transfer-encoding"):
            self._bounded = True
        elif name == b"content-encoding":
            self._coding = value.strip().lower()

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200 and not self._whole:
            self._status = status

    def on_body(self, body: bytes) -> None:
        if not self._whole:
            self._body.append(body)

    def on_message_complete(self) -> None:
        if self._status and not self._whole:
            self._whole = True
            self.keeps = self._parser.should_keep_alive()
        elif not self._status:  # an interim answer: what it said is not of the answer
            self._retry_after = self._coding = b""
            self._bounded = False


def _decoded(body: bytes, coding: bytes) -> bytes:
    if (bits := _CODINGS.get(coding)) is None:
        raise NoAnswer("ContentEncodingError")
    reader = zlib.decompressobj(bits)
    try:
        plain = reader.decompress(body, MOST)
    except zlib.error as problem:
        raise NoAnswer("ContentEncodingError") from problem
    if reader.unconsumed_tail or (body and not reader.eof):
        raise NoAnswer("ContentEncodingError")
    return plain
