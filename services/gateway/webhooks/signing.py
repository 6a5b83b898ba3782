"""Signs what is sent to departments (RFC 9421, Ed25519): they know that it is ours, whole, fresh and not sent twice.

The key is derived from the audit log's, under a use of its own: it is on every gateway already, and nothing that one signs
can be taken for the other's.
"""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

COVERED = ("@method", "@authority", "@path", "@query", "content-type", "content-digest", "tocsin-event-id")
JSON = "application/json"


class WebhookSigner:
    """One per installation."""

    def __init__(self, audit_key: bytes) -> None:
        seed = HKDF(SHA256(), 32, None, b"tocsin webhooks").derive(audit_key)
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        public = self._private.public_key()
        self.key_id = hashlib.sha256(public.public_bytes_raw()).hexdigest()[:16]
        self.public_pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def headers(self, url: str, body: bytes, event_id: str, created: int, nonce: str) -> dict[str, str]:
        """The header fields of one POST; `created` in seconds since 1970, `nonce` another one each time it is sent."""
        parts = urlsplit(url)
        authority = parts.netloc.lower()
        default = {"https": ":443", "http": ":80"}[parts.scheme]
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        sent = {"Content-Type": JSON, "Content-Digest": f"sha-256=:{digest}:", "Tocsin-Event-Id": event_id}
        values = {
            "@method": "POST", "@authority": authority.removesuffix(default), "@path": parts.path or "/",
            "@query": f"?{parts.query}", **{name.lower(): value for name, value in sent.items()},
        }  # fmt: skip
        names = " ".join(f'"{name}"' for name in COVERED)
        params = f'({names});created={created};keyid="{self.key_id}";alg="ed25519";nonce="{nonce}"'
        base = "\n".join([*(f'"{name}": {values[name]}' for name in COVERED), f'"@signature-params": {params}'])
        signature = base64.b64encode(self._private.sign(base.encode())).decode()
        return {**sent, "Signature-Input": f"tocsin={params}", "Signature": f"tocsin=:{signature}:"}
