"""Judges a signature by certificates pinned to its sender (TOCSIN_CAP_KEYS).

A pin is a promise that the sender always signs. So from a pinned sender only a verified message goes out by itself;
a wrong, foreign or missing signature holds it for a person. From anybody else a signature is judged and said, nothing
more: whoever can sign with a key of his own proves nothing.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from cryptography import x509

from services.gateway.cap import Trust, verify
from services.gateway.intake.incoming import Incoming
from services.shared.errors import Broken
from services.shared.i18n import english, mark

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class Pins:
    """The certificates we trust, by sender. A file is read when its sender speaks, so that a new one needs no
    restart."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def file_of(self, sender: str) -> Path | None:
        """Where the sender's certificates belong: its name percent-encoded (`@` stays), and .pem."""
        return self._folder / f"{quote(sender, safe='@')}.pem" if self._folder is not None else None

    def of(self, sender: str) -> tuple[bytes, ...]:
        """The sender's certificates, PEM; several while keys change. Broken where a file is there and holds none."""
        path = self.file_of(sender)
        if path is None or not path.is_file():
            return ()
        return certificates(path)


def certificates(path: Path) -> tuple[bytes, ...]:
    """The PEM certificates of a file; Broken where there is none or one cannot be read."""
    try:
        found = tuple(_PEM.findall(path.read_bytes()))
        for pem in found:
            x509.load_pem_x509_certificate(pem)
    except (OSError, ValueError) as problem:
        raise Broken(f"{path.name}: not a readable PEM certificate ({problem}): put the sender's in") from problem
    if not found:
        raise Broken(f"{path.name}: holds no PEM certificate: put the sender's in, or take the file away")
    return found


def judge(incoming: Incoming, pinned: tuple[bytes, ...]) -> Incoming:
    """The message with what its signature is worth among its notes; held where a pinned sender's did not verify."""
    trust = Trust("unsigned", "", mark("It carries no signature."))
    if incoming.via != "json":
        trust = verify(incoming.raw, pinned, at=datetime.fromtimestamp(incoming.sent, UTC))
    by = f" ({trust.by})" if trust.by else ""
    if trust.state == "verified":
        return replace(incoming, notes=(*incoming.notes, english("signature: {what}", what=trust.message + by)))
    if pinned:
        why = english(
            "{sender} signs its alerts with a key we know, and this one is not so signed: {why}",
            sender=incoming.sender,
            why=trust.message + by,
        )
        return replace(incoming, hold=(*incoming.hold, why))
    if trust.state == "unsigned":
        return incoming
    return replace(incoming, notes=(*incoming.notes, english("signature: {what}", what=trust.message + by)))
