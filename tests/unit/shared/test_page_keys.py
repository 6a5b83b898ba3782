"""A wrapped page key: HPKE as RFC 9180 has it, behind a byte that names the format, bound to its name and its channels key."""

from __future__ import annotations

import hmac
import os

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.shared.crypto.sealing import Opener, Sealer, public_half
from services.shared.errors import Broken

PRIVATE = os.urandom(32)


def extract(suite: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + ikm, "sha256")


def expand(suite: bytes, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
    """At most one block: nothing here is longer."""
    labelled = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return hmac.digest(prk, labelled + b"\x01", "sha256")[:length]


def opened_by_the_book(private: bytes, wrapped: bytes, info: bytes) -> bytes:
    """RFC 9180, 4.1, 5.1 and 6.1: base mode of DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, by hand."""
    mine, enc, sealed = X25519PrivateKey.from_private_bytes(private), wrapped[1:33], wrapped[33:]
    kem, suite = b"KEM\x00\x20", b"HPKE\x00\x20\x00\x01\x00\x02"
    both = enc + mine.public_key().public_bytes_raw()
    prk = extract(kem, b"", b"eae_prk", mine.exchange(X25519PublicKey.from_public_bytes(enc)))
    shared = expand(kem, prk, b"shared_secret", both, 32)
    context = b"\x00" + extract(suite, b"", b"psk_id_hash", b"") + extract(suite, b"", b"info_hash", info)
    secret = extract(suite, shared, b"secret", b"")
    key, nonce = expand(suite, secret, b"key", context, 32), expand(suite, secret, b"base_nonce", context, 12)
    return AESGCM(key).decrypt(nonce, sealed, b"")


def test_a_wrapped_key_is_what_the_standard_says() -> None:
    """Whoever has the private key and the standard opens it, and what it sealed."""
    sealer = Sealer(public_half(PRIVATE))
    assert b"\x01" == sealer.wrapped[:1]
    key = opened_by_the_book(PRIVATE, sealer.wrapped, b"tocsin page key " + sealer.key_id.encode())
    sealed = sealer.seal(b"+99971234567", "contact-1")
    assert b"+99971234567" == AESGCM(key).decrypt(sealed[:12], sealed[12:], b"contact-1")


def test_it_opens_under_its_own_name_alone() -> None:
    """A row of page_key whose names were exchanged opens nothing."""
    one, other = Sealer(public_half(PRIVATE)), Sealer(public_half(PRIVATE))
    opener = Opener(PRIVATE)
    opener.learn(one.key_id, one.wrapped)
    with pytest.raises(Broken, match="not wrapped for this channels key"):
        opener.learn(one.key_id, other.wrapped)


def test_not_a_bit_of_it_may_change() -> None:
    """Nor may it be longer or shorter."""
    sealer, opener = Sealer(public_half(PRIVATE)), Opener(PRIVATE)
    wrapped = sealer.wrapped
    flipped = [wrapped[:n] + bytes([wrapped[n] ^ 1]) + wrapped[n + 1 :] for n in range(len(wrapped))]
    for wrong in (*flipped, wrapped[:-1], wrapped + b"\x00", wrapped[:1], b""):
        with pytest.raises(Broken):
            opener.learn(sealer.key_id, wrong)
    opener.learn(sealer.key_id, wrapped)


@pytest.mark.parametrize(("wrong", "named"), [(b"\x02", "02"), (b"\x00", "00"), (b"", "-")])
def test_another_format_is_named(wrong: bytes, named: str) -> None:
    """With what to do: it was written by another Tocsin, or it is no page key."""
    sealer = Sealer(public_half(PRIVATE))
    with pytest.raises(Broken, match=f"wrapped in format {named}, and this Tocsin reads 01: run the Tocsin"):
        Opener(PRIVATE).learn(sealer.key_id, wrong + sealer.wrapped[1:] if wrong else b"")
