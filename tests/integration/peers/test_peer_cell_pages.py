"""Pages of a cell broadcast as an operator's centre hands them to a base station (CBSP), read by Wireshark's dissector."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path

import pytest

from services.channels.messages.cell_broadcast_identifiers import serial_number
from services.channels.messages.cell_broadcast_pages import Coded, code
from tools.peers.table import Told

PORT = 48049  # CBSP's
TEXTS = {
    4370: "清水县应急局:山洪红色。南岭镇河东、下湾。现在离家,步行往高处到南岭学校。" * 4,
    4383: "Qingshui County: flash flood. Leave now, uphill to {Nanling} [School]. €5 " * 6,
    4371: "Go now",
    4384: "a" * 93,
}


def write_replace(identifier: int, serial: int, coded: Coded) -> bytes:
    """3GPP TS 48.049 WRITE-REPLACE: message identifier, new serial number, category, repetition, count, pages, scheme."""
    fields: list[tuple[int, bytes]] = [
        (14, identifier.to_bytes(2, "big")), (3, serial.to_bytes(2, "big")), (5, b"\0"), (6, b"\0\x1e"), (7, b"\0\1"),
        (19, bytes([len(coded.pages)])), (12, bytes([coded.scheme])),
    ]  # fmt: skip
    fields += [(1, bytes([len(page)]) + page) for page in coded.pages]
    body = b"".join(bytes([tag]) + value for tag, value in fields)
    return b"\1" + len(body).to_bytes(3, "big") + body


def dumped(message: bytes) -> str:
    """As text2pcap reads it: an offset of 0 begins a packet."""
    rows = (message[at : at + 16] for at in range(0, len(message), 16))
    return "".join(f"{16 * n:06x} {row.hex(' ')}\n" for n, row in enumerate(rows))


@pytest.mark.slow
async def test_wireshark_reads_the_text_the_identifier_and_the_serial(tmp_path: Path, peer: Told) -> None:
    """Page by page what was to be shown, and only filling after it."""
    coded = {identifier: code(text) for identifier, text in TEXTS.items()}
    messages = [write_replace(number, serial_number("tocsin-1", 0), one) for number, one in coded.items()]
    (tmp_path / "dump").write_text("".join(map(dumped, messages)))
    make = ["text2pcap", "-q", "-T", f"{PORT},{PORT}", str(tmp_path / "dump"), str(tmp_path / "pcap")]
    await asyncio.to_thread(subprocess.run, make, check=True, capture_output=True, timeout=60)
    fields = ("cbsp.message_id", "cbsp.new_serial_nr", "cbsp.dcs", "cbsp.num_of_pages", "cbsp.cb_page_content")
    read = ["tshark", "-r", str(tmp_path / "pcap"), "-T", "json", *(word for f in fields for word in ("-e", f))]
    done = await asyncio.to_thread(subprocess.run, read, check=True, capture_output=True, timeout=60)
    found = [packet["_source"]["layers"] for packet in json.loads(done.stdout)]
    assert len(TEXTS) == len(found)
    for (identifier, one), layers in zip(coded.items(), found, strict=True):
        numbers = [int(layers[field][0], 0) for field in fields[:4]]
        assert [identifier, serial_number("tocsin-1", 0), one.scheme, len(one.pages)] == numbers
        pages = layers["cbsp.cb_page_content"]
        assert one.text == "".join(page.rstrip("\r") for page in pages)
    assert {"72", "15"} == {str(one.scheme) for one in coded.values()}
    peer(
        "cell_broadcast", "Wireshark's CBSP dissector", f"{len(found)} messages: identifier, serial, scheme, every page"
    )
