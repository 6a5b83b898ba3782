"""Makes one-time codes: six digits that follow from an id and a key; a code itself is stored nowhere."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata

from services.shared.crypto.signing import Signer

DIGITS = 6
_USE = "one-time code"


def one_time_code(signer: Signer, request_id: str) -> str:
    """The code of one request: registry and channels, who hold the key of residents, each work it out."""
    return _digits(signer.code(_USE, request_id))


def is_code_of(signer: Signer, request_id: str, given: str) -> bool:
    """Whether this is the code of the request, by a version of the key that has not ended."""
    typed = "".join(unicodedata.normalize("NFKC", given).split()).replace("-", "")  # also "123 456", and full-width
    right = [_digits(code).encode() for code in signer.codes(_USE, request_id)]
    return any(hmac.compare_digest(one, typed.encode(errors="surrogatepass")) for one in right)


def _digits(code: str) -> str:
    return f"{int.from_bytes(hashlib.sha256(code.encode()).digest()[:8]) % 10**DIGITS:0{DIGITS}d}"
