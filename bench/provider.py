"""A lean stand-in for the SMS provider, a process of its own: answers like it, counts accepts per number, calls back.

`python -m bench.provider LATENCY_S` prints its ports, HTTP and SMPP. Beside the Messages resource it serves:
GET /count, GET /watched, GET /times (watched number > wall time of its first accept), POST /reset, POST /callbacks.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import sys
import time
from collections import Counter
from typing import cast
from urllib.parse import unquote_plus, urldefrag, urlsplit

import aiohttp
import uvloop

from bench.smpp_provider import Smsc

ACCOUNT = "AC0123456789abcdef0123456789abcdef"
TOKEN = "0123456789abcdef0123456789abcdef"
SENDER = "+99970000001"
RESOURCE = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
ANSWER = (
    '{"account_sid":"%s","api_version":"2010-04-01","body":%s,"date_created":"Sun, 22 Nov 2026 05:01:45 +0000",'
    '"date_sent":null,"date_updated":"Sun, 22 Nov 2026 05:01:45 +0000","direction":"outbound-api","error_code":null,'
    '"error_message":null,"from":"%s","messaging_service_sid":null,"num_media":"0","num_segments":"1","price":null,'
    '"price_unit":null,"sid":"%s","status":"queued","subresource_uris":{"media":"/2010-04-01/Accounts/%s/Messages/%s/Media.json"},'
    '"to":%s,"uri":"/2010-04-01/Accounts/%s/Messages/%s.json"}'
)


class Book:
    """What was accepted."""

    def __init__(self) -> None:
        self.reset()

    def reset(self, watched: str = "+") -> None:
        """Forgets all; from now on looks at the time of numbers that begin with `watched`."""
        self.watched = watched
        self.accepts = 0
        self.smpp = 0  # of these, through the other door
        self.most = 0  # accepts of one number
        self.per_number: Counter[str] = Counter()
        self.first_at: dict[str, float] = {}
        self.callbacks: dict[str, tuple[str, str]] = {}  # sid > number, address to call

    def accepted(self, to: str, *, smpp: bool = False) -> int:
        """Counts one message to a number; how many there are now."""
        self.accepts += 1
        self.smpp += smpp
        self.per_number[to] += 1
        self.most = max(self.most, self.per_number[to])
        if to.startswith(self.watched):
            self.first_at.setdefault(to, time.time())
        return self.accepts

    def take(self, body: bytes) -> bytes:
        """Counts one message and answers as the provider does."""
        form = {}
        for pair in body.split(b"&"):
            name, _, value = pair.partition(b"=")
            if name in (b"To", b"Body", b"StatusCallback"):
                form[name] = unquote_plus(value.decode())
        to = form.get(b"To", "")
        self.accepted(to)
        sid = f"SM{self.accepts:032x}"
        if b"StatusCallback" in form:
            self.callbacks[sid] = (to, urldefrag(form[b"StatusCallback"]).url)
        text, number = json.dumps(form.get(b"Body", "")), json.dumps(to)
        return (ANSWER % (ACCOUNT, text, SENDER, sid, ACCOUNT, sid, number, ACCOUNT, sid)).encode()


class Provider(asyncio.Protocol):
    """HTTP/1.1 with keep-alive and nothing more, so that it is never what is measured."""

    def __init__(self, book: Book, latency: float) -> None:
        self._book = book
        self._latency = latency
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's does not say that it is one

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            length = 0
            at = head.lower().find(b"content-length:")
            if at >= 0:
                length = int(head[at + 15 :].split(b"\r\n", 1)[0])
            if len(self._buffer) < end + 4 + length:
                return
            body = self._buffer[end + 4 : end + 4 + length]
            self._buffer = self._buffer[end + 4 + length :]
            method, path, _ = head.split(b" ", 2)
            if path == RESOURCE.encode():
                answer = _http(201, self._book.take(body))
                if self._latency:
                    asyncio.get_running_loop().call_later(self._latency, self._write, answer)
                else:
                    self._write(answer)
            elif path == b"/callbacks":
                self._calling = asyncio.create_task(self._call_back(json.loads(body)))
            else:
                self._write(self._page(method, path, body))

    def _page(self, method: bytes, path: bytes, body: bytes) -> bytes:
        book = self._book
        if (method, path) == (b"GET", b"/count"):
            found = {"accepts": book.accepts, "numbers": len(book.per_number), "most": book.most, "smpp": book.smpp}
            return _http(200, json.dumps(found).encode())
        if (method, path) == (b"GET", b"/times"):
            return _http(200, json.dumps(book.first_at).encode())
        if (method, path) == (b"GET", b"/watched"):
            return _http(200, json.dumps({"watched": len(book.first_at), "accepts": book.accepts}).encode())
        if (method, path) == (b"POST", b"/reset"):
            book.reset(**json.loads(body or b"{}"))
            return _http(200, b"{}")
        return _http(404, b"{}")

    def _write(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)

    async def _call_back(self, wish: dict[str, object]) -> None:
        """Tells a status of every message accepted, signed, over so many connections; answers when all are answered.

        `to`, where given, takes the place of scheme and host: somebody else is told of the same messages.
        """
        status, connections, host = str(wish["status"]), int(str(wish["connections"])), str(wish["to"])
        left = iter(list(self._book.callbacks.items()))
        bad = 0
        begun = time.perf_counter()

        async def work(session: aiohttp.ClientSession) -> None:
            nonlocal bad
            for sid, (to, told) in left:
                url = host + urlsplit(told).path if host else told
                form = {
                    "AccountSid": ACCOUNT, "ApiVersion": "2010-04-01", "From": SENDER, "MessageSid": sid,
                    "MessageStatus": status, "SmsSid": sid, "SmsStatus": status, "To": to,
                }  # fmt: skip
                async with session.post(url, data=form, headers={"X-Twilio-Signature": signature(url, form)}) as answer:
                    bad += answer.status >= 300

        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            await asyncio.gather(*(work(session) for _ in range(connections)))
        told = {"told": len(self._book.callbacks), "seconds": time.perf_counter() - begun, "bad": bad}
        self._write(_http(200, json.dumps(told).encode()))


def signature(url: str, form: dict[str, str]) -> str:
    """X-Twilio-Signature: HMAC-SHA1 over the address and the sorted form."""
    signed = url + "".join(name + form[name] for name in sorted(form))
    return base64.b64encode(hmac.new(TOKEN.encode(), signed.encode(), hashlib.sha1).digest()).decode()


def _http(status: int, body: bytes) -> bytes:
    words = {200: b"OK", 201: b"Created", 404: b"Not Found"}[status]
    return b"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
        status,
        words,
        len(body),
        body,
    )


async def main(latency: float) -> None:
    """Serves on a free port of loopback until killed, or until whoever started it is gone."""
    book = Book()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Provider(book, latency), "127.0.0.1", 0, backlog=2048)
    smsc = await loop.create_server(lambda: Smsc(book, latency), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], smsc.sockets[0].getsockname()[1], flush=True)  # noqa: T201  the parent reads it
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(main(float(sys.argv[1])))
