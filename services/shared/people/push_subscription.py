"""Reads a browser's push subscription, kept sealed like any address.

As text: {"endpoint": "https://...", "p256dh": 65 bytes, "auth": 16 bytes}, both in base64url without padding.
"""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import urlsplit

import msgspec

from services.shared.errors import Refused

_ENDPOINT = re.compile(r"[!-~]{10,1500}")
POINT_BYTES, SECRET_BYTES = 65, 16


class Subscription(msgspec.Struct, frozen=True):
    """One device."""

    endpoint: str
    p256dh: str
    auth: str

    def as_text(self) -> str:
        """Always the same text for the same subscription, so that it is known again."""
        return msgspec.json.encode(self).decode()

    @property
    def point(self) -> bytes:
        """The device's public key, an uncompressed point on P-256."""
        return unpadded(self.p256dh)

    @property
    def secret(self) -> bytes:
        return unpadded(self.auth)


def unpadded(text: str) -> bytes:
    """Base64url without its padding; ValueError where it is none."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as wrong:
        raise ValueError("it is no base64url") from wrong


def read(text: str) -> Subscription:
    """The subscription of its text; Refused names the member that is wrong."""
    try:
        found = msgspec.json.decode(text, type=Subscription)
    except msgspec.MsgspecError as wrong:
        raise wrong_part("subscription", "json", "a browser's push subscription is a JSON object") from wrong
    for name, value, size in (("p256dh", found.p256dh, POINT_BYTES), ("auth", found.auth, SECRET_BYTES)):
        try:
            right = len(unpadded(value)) == size
        except ValueError:
            right = False
        if not right:
            raise wrong_part(name, "base64url", f"{name} is {size} bytes in base64url")
    if unpadded(found.p256dh)[0] != 4:
        raise wrong_part("p256dh", "point", "p256dh is an uncompressed point")
    url = urlsplit(found.endpoint) if _ENDPOINT.fullmatch(found.endpoint) else None
    if url is None or url.scheme not in ("https", "http") or not url.hostname or url.username is not None:
        raise wrong_part("endpoint", "url", "endpoint is the push service's address, with https:// in front")
    return found


def wrong_part(field: str, rule: str, message: str) -> Refused:
    """The fault of one member of a subscription."""
    return Refused(message, field=field, rule=rule, remedy="open the page again and let the browser subscribe")
