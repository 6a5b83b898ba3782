"""Makes one-time codes: six digits that follow from an id and a key; a code itself is stored nowhere."""

from __future__ import annotations

import hashlib
import hmac

DIGITS = 6


def one_time_code(index_key: bytes, request_id: str) -> str:
    """The code of one request: registry and channels, who hold the index key, each work it out."""
    mac = hmac.new(index_key, b"one-time code\0" + request_id.encode(), hashlib.sha256).digest()
    return f"{int.from_bytes(mac[:8]) % 10**DIGITS:0{DIGITS}d}"
