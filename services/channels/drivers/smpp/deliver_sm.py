"""Reads a deliver_sm: a text in any alphabet, a delivery receipt, or one part of a long text.

Source: SMPP 3.4 issue 1.2: 5.2.12 esm_class, 5.2.19 data_coding, 5.3.2.22-24 sar_*, 5.3.2.32 message_payload, appendix B;
3GPP TS 23.038 4 (data coding groups), 23.040 9.2.3.24 (user data header).
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field

from smpp34 import DeliverSm

from services.channels.messages.sms_encoding import GSM7, UCS2, UDHI, read

JOIN_S = 15.0  # wall: so long the other parts of a text are waited for
MOST_OPEN = 1000  # texts whose parts are waited for at once; beyond it each is read as it comes
RECEIPTED_MESSAGE_ID, MESSAGE_STATE, MESSAGE_PAYLOAD = 0x001E, 0x0427, 0x0424  # tags of optional parameters
SAR_REF, SAR_OF, SAR_N = 0x020C, 0x020E, 0x020F
BINARY = 0x04
_CHARSETS = {
    0x01: "latin-1", 0x03: "latin-1", 0x05: "iso2022_jp", 0x06: "iso8859-5", 0x07: "iso8859-8", 0x0A: "iso2022_jp",
    0x0D: "euc_jp", 0x0E: "euc_kr",
}  # fmt: skip
_KIND = 0x3C  # bits of esm_class: what sort of message it is
RECEIPT, NOTIFICATION = 0x04, 0x20
STATES = {
    2: "delivered",
    3: "failed",
    4: "failed",
    5: "failed",
    8: "failed",
}  # message_state; the others say nothing yet
STATS = {
    "DELIV": "delivered", "EXPIR": "failed", "DELET": "failed", "UNDEL": "failed", "REJEC": "failed", "FAILE": "failed",
}  # fmt: skip
_ID = re.compile(r"\bid\s*:\s*(\S+)", re.IGNORECASE)
_STAT = re.compile(r"\bstat(?:us)?\s*:\s*([a-z]+)", re.IGNORECASE)
_ERR = re.compile(r"\berr\s*:\s*(\w+)", re.IGNORECASE)
_RECEIPT = re.compile(r"\s*id\s*:\s*\S+.*\b(?:sub|dlvrd|(?:submit|done)\s*date|err)\s*:", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class DeliveryReceipt:
    """What became of one part: its name as it is given, `delivered`, `failed` or nothing yet, and the operator's code."""

    ref: str
    state: str
    code: str


Key = tuple[str, str, int, int]  # from, to, the phone's reference, of how many


@dataclass(frozen=True)
class Piece:
    """A part of a text: which of how many, of which text from which phone."""

    key: Key
    n: int
    of: int


def octets_of(event: DeliverSm) -> bytes:
    """The message's octets, header included: short_message, or message_payload where that holds more."""
    payload = next((t.value for t in event.tlvs if t.tag == MESSAGE_PAYLOAD), b"")
    return max(bytes(event.short_message), bytes(payload), key=len)


def alphabet(data_coding: int) -> int:
    """GSM7, UCS2, BINARY, or one of SMPP's own: message classes and groups of 23.038 say the same in other bits."""
    if data_coding in _CHARSETS or data_coding in (GSM7, UCS2):
        return data_coding
    group = data_coding >> 4
    if group < 8:
        return (GSM7, BINARY, UCS2, GSM7)[data_coding >> 2 & 3] if data_coding != 0x02 else BINARY
    if group == 0xF:
        return BINARY if data_coding & 4 else GSM7
    return UCS2 if group == 0xE else GSM7


def decoded(body: bytes, data_coding: int) -> str:
    """A text without its header. Octets that an alphabet does not have are read as what they can be; none is lost."""
    coding = alphabet(data_coding)
    if coding == UCS2:
        return body.decode("utf-16" if body[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-16-be", "replace")
    if coding in _CHARSETS:
        return body.decode(_CHARSETS[coding], "replace")
    if coding == GSM7 and all(octet < 0x80 for octet in body):
        return read(body, GSM7, 0)
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return body.decode("latin-1")


def text_of(event: DeliverSm) -> str:
    """What one message says by itself."""
    return decoded(_body(event), event.data_coding)


def _body(event: DeliverSm) -> bytes:
    octets = octets_of(event)
    return octets[octets[0] + 1 :] if event.esm_class & UDHI and octets else octets


def receipt_of(event: DeliverSm) -> DeliveryReceipt | None:
    """The receipt a message is, also where its esm_class does not say so; None where a person wrote it."""
    tlvs = {tlv.tag: tlv for tlv in event.tlvs}
    named = tlvs.get(RECEIPTED_MESSAGE_ID)
    text = text_of(event)
    kind = event.esm_class & _KIND
    if kind not in (RECEIPT, NOTIFICATION) and named is None and not (_RECEIPT.match(text) and _STAT.search(text)):
        return None
    if kind == NOTIFICATION:
        return DeliveryReceipt("", "", "")  # on its way: it may yet become anything
    found = _ID.search(text)
    ref = (named.as_string() or "").rstrip("\0").strip() if named is not None else ""
    number = tlvs[MESSAGE_STATE].as_int() if MESSAGE_STATE in tlvs else None
    stat = _STAT.search(text)
    state = STATES.get(number, "") if number is not None else STATS.get(stat[1].upper()[:5], "") if stat else ""
    err = _ERR.search(text)
    return DeliveryReceipt(ref or (found[1] if found else ""), state, err[1] if err and state == "failed" else "")


def names(ref: str) -> tuple[str, ...]:
    """Under which a part may be kept: without leading zeros, in small letters; then by the other base, both ways."""
    plain = ref.strip().lower()
    plain = plain.lstrip("0") or plain[-1:]
    found = [plain]
    if len(plain) <= 32 and re.fullmatch("[0-9a-f]+", plain):
        found.append(str(int(plain, 16)))
        if plain.isdigit():
            found.append(f"{int(plain):x}")
    return tuple(dict.fromkeys(found))


# ---- long texts


def piece_of(event: DeliverSm) -> Piece | None:
    """Which part of a longer text it is, by its header or its optional parameters; None where it is whole."""
    tlvs = {tlv.tag: tlv.as_int() for tlv in event.tlvs if tlv.tag in (SAR_REF, SAR_OF, SAR_N)}
    where = (
        tlvs.get(SAR_REF),
        tlvs.get(SAR_N),
        tlvs.get(SAR_OF),
    )
    if event.esm_class & UDHI:
        where = _in_header(octets_of(event)) or where
    ref, n, of = where
    if ref is None or n is None or of is None or not 1 <= n <= of or of < 2:
        return None
    return Piece((event.source_addr, event.destination_addr, ref, of), n, of)


def _in_header(octets: bytes) -> tuple[int, int, int] | None:
    """Reference, number and count out of a user data header."""
    head = octets[1 : octets[0] + 1] if octets else b""
    while len(head) >= 2:
        tag, body, head = head[0], head[2 : 2 + head[1]], head[2 + head[1] :]
        if (tag, len(body)) in ((0x00, 3), (0x08, 4)):
            return int.from_bytes(body[:-2]), body[-1], body[-2]
    return None


@dataclass
class _Open:
    """A text whose parts are coming; its first to come waits for the others."""

    first: DeliverSm
    parts: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    whole: asyncio.Event = field(default_factory=asyncio.Event)


class Joiner:
    """Puts the parts of long texts together, in whatever order they come; held by this process alone."""

    def __init__(self) -> None:
        self._open: dict[Key, _Open] = {}

    async def whole(self, event: DeliverSm) -> str | None:
        """The text: after the last part has come, or after a while what there is. None where another part waits for it.

        The same event asked again gives the same text, until `done`.
        """
        piece = piece_of(event)
        if piece is None or (piece.key not in self._open and len(self._open) >= MOST_OPEN):
            return text_of(event)
        one = self._open.setdefault(piece.key, _Open(event))
        one.parts[piece.n] = (event.data_coding, _body(event))
        if len(one.parts) == piece.of:
            one.whole.set()
        if one.first is not event:
            return None
        try:
            async with asyncio.timeout(JOIN_S):
                await one.whole.wait()
        except TimeoutError:
            one.whole.set()
        return _put_together(one.parts, piece.of)

    def done(self, event: DeliverSm) -> None:
        """It has been handed on."""
        if (piece := piece_of(event)) is not None and (one := self._open.get(piece.key)) and one.first is event:
            del self._open[piece.key]

    def no_more(self) -> None:
        """Nothing is waited for any longer."""
        for one in self._open.values():
            one.whole.set()


def _put_together(parts: dict[int, tuple[int, bytes]], of: int) -> str:
    """Octets first, since a part may end within a character; a part that never came is marked."""
    text, octets, coding = "", b"", None
    for n in range(1, of + 1):
        data_coding, body = parts.get(n, (None, b""))
        if data_coding != coding:
            text += decoded(octets, coding) if coding is not None else ""
            octets, coding = b"", data_coding
        octets += body
        text += " … " if data_coding is None else ""
    return (text + (decoded(octets, coding) if coding is not None else "")).strip()
