"""Encrypts a push message for one device (RFC 8291, aes128gcm) and signs who sends it (RFC 8292).

Pure but for reading the key file. Our own thirty lines on `cryptography` and PyJWT: the packages that exist need one that
comes as source alone. Another's library decrypts and verifies it in the tests.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path
from urllib.parse import urlsplit

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from services.shared.errors import Refused
from services.shared.people.push_subscription import Subscription

MOST_BYTES = 3993  # of plaintext: a push service need not take more than 4096 of body
RECORD = 4096
TOKEN_S, RENEW_S = 12 * 3600, 3600  # a day is the most that is allowed


def encrypt(payload: bytes, device: Subscription) -> bytes:
    """The body of the request: salt, record size, our key of this one message, and one sealed record.

    ValueError where the device's key is no point on the curve.
    """
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), device.point)
    ours = ec.generate_private_key(ec.SECP256R1())
    point, salt = _point(ours.public_key()), os.urandom(16)
    shared = ours.exchange(ec.ECDH(), theirs)
    key = _hkdf(device.secret, shared, b"WebPush: info\0" + device.point + point, 32)
    content = _hkdf(salt, key, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _hkdf(salt, key, b"Content-Encoding: nonce\0", 12)
    sealed = AESGCM(content).encrypt(nonce, payload + b"\x02", None)  # 2: the last record, without padding
    return salt + RECORD.to_bytes(4) + bytes([len(point)]) + point + sealed


def _hkdf(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


class Vapid:
    """Who we are to push services: one key pair for an installation; subscriptions belong to it."""

    def __init__(self, file: Path, contact: str) -> None:
        self._key = _read(file)
        self._contact = contact
        self.public = base64.urlsafe_b64encode(_point(self._key.public_key())).rstrip(b"=").decode()
        self._made: dict[str, tuple[float, str]] = {}  # audience > (when, header)

    def header(self, endpoint: str, now: float) -> str:
        """The Authorization header for this push service; signing is dear, so a token serves for an hour."""
        url = urlsplit(endpoint)
        audience = f"{url.scheme}://{url.netloc}"
        made, header = self._made.get(audience, (0.0, ""))
        if not header or not 0 <= now - made < RENEW_S:
            claims = {"aud": audience, "exp": int(now) + TOKEN_S, "sub": self._contact}
            header = f"vapid t={jwt.encode(claims, self._key, algorithm='ES256')}, k={self.public}"
            if len(self._made) > 100:
                self._made.clear()
            self._made[audience] = (now, header)
        return header


def _read(file: Path) -> ec.EllipticCurvePrivateKey:
    make = f"openssl ecparam -genkey -name prime256v1 -noout -out {file}"
    try:
        key = load_pem_private_key(file.read_bytes(), None)
    except (OSError, ValueError, TypeError) as wrong:
        raise Refused(
            f"TOCSIN_PUSH_KEY={file} is no private key that can be read: make one with {make}",
            field="TOCSIN_PUSH_KEY", rule="pem", given=str(file),
        ) from wrong  # fmt: skip
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Refused(
            f"TOCSIN_PUSH_KEY={file} is no key on the curve P-256: make one with {make}",
            field="TOCSIN_PUSH_KEY", rule="P-256", given=str(file),
        )  # fmt: skip
    return key
