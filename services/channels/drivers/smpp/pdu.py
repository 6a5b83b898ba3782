"""Writes and reads the PDUs of SMPP 3.4 that a sender needs; what an SMSC delivers is decoded by smpp34.

Source: SMPP 3.4 issue 1.2: 3.2 the header, 4.1.5 bind_transceiver, 4.4.1 submit_sm, 5.1.2.1 command_id.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from services.channels.messages.sms_encoding import SmsPart

GENERIC_NACK, SUBMIT, DELIVER, UNBIND, BIND = 0x80000000, 0x04, 0x05, 0x06, 0x09
OUTBIND, ENQUIRE, ALERT = 0x0B, 0x15, 0x102
RESPONSE = 0x80000000
NOT_KNOWN, BROKEN = 0x03, 0x08  # ESME_RINVCMDID, ESME_RSYSERR
LONGEST = 64 * 1024
LAST = 0x7FFFFFFF  # sequence number
HEADER = struct.Struct(">IIII")
VERSION = 0x34
INTERNATIONAL, NATIONAL, ALPHANUMERIC, ISDN = 1, 2, 5, 1  # type of number, numbering plan


def pdu(command: int, sequence: int, body: bytes = b"", status: int = 0) -> bytes:
    return HEADER.pack(16 + len(body), command, status, sequence) + body


def bind(system_id: str, password: str, system_type: str) -> bytes:
    """As a transceiver. ValueError where a field is longer than SMPP has room for, or no ASCII."""
    for name, field, most in (
        ("system_id", system_id, 15),
        ("password", password, 8),
        ("system_type", system_type, 12),
    ):
        if len(field) > most or not field.isascii() or "\0" in field:
            raise ValueError(
                f"{name}: SMPP has room for {most} signs of ASCII, and this has {len(field)}: ask the operator"
            )
    fields = "\0".join((system_id, password, system_type, ""))
    return fields.encode("ascii") + bytes((VERSION, 0, 0, 0))


@dataclass(frozen=True)
class SourceAddress:
    """Who a message is from: address, type of number, plan."""

    address: str
    ton: int
    npi: int

    @property
    def before(self) -> bytes:
        """All that stands before the number in a submit_sm."""
        return b"\0%c%c%b\0%c%c" % (self.ton, self.npi, self.address.encode("ascii"), INTERNATIONAL, ISDN)


def sender(text: str) -> SourceAddress:
    """As the setting has it: a number with +, a short code, or a name."""
    if text.startswith("+"):
        return SourceAddress(text[1:], INTERNATIONAL, ISDN)
    if text.isdigit() or not text:
        return SourceAddress(text, 0, ISDN if text else 0)
    return SourceAddress(text, ALPHANUMERIC, 0)


def submit(before: bytes, to: bytes, part: SmsPart, period: bytes) -> bytes:
    """The body of a submit_sm that asks for a receipt; `period` is its validity."""
    octets = part.octets
    return b"%b%b\0%c\0\0\0%b\0\1\0%c\0%c%b" % (
        before,
        to,
        part.esm_class,
        period,
        part.data_coding,
        len(octets),
        octets,
    )


def period(seconds: int) -> bytes:
    """validity_period, relative (7.1.1.2): the SMSC drops what comes too late."""
    minutes, second = divmod(max(1, seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    return b"0000%02d%02d%02d%02d000R" % (min(days, 31), hour, minute, second)


def c_string(body: bytes) -> str:
    """The first field of a body."""
    return body.partition(b"\0")[0].decode("ascii", "replace")
