"""Takes requests that a machine signed (RFC 9421, Ed25519): its private key never leaves it, and nothing that is sent opens
anything twice.

A signature covers method, authority, path and query, and the body's Content-Digest (RFC 9530). It says when it was made and
carries a nonce, which is kept as long as the signature could be sent again, in the database: also after a restart.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import http_sf
import sqlalchemy as sa
from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.shared.clock import wall
from services.shared.database.batches import insert_new
from services.shared.database.engine import Database, metadata
from services.shared.errors import NotAllowed
from services.shared.powers.who import Who
from services.shared.web.auth import who_signs

SKEW_S = 300.0
COVERED = ("@method", "@authority", "@path", "@query")
DIGESTS = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}
BODIES = ("application/json", "application/cap+xml", "application/xml", "text/xml")
NONCE = range(16, 129)  # signs

request_nonce = sa.Table(
    "request_nonce",
    metadata,
    sa.Column("nonce_id", sa.String(64), primary_key=True, comment="SHA-256 of key and nonce"),
    sa.Column("at", sa.Float, nullable=False, comment="wall", index=True),
)


class Signature(NamedTuple):
    """One signature of a request: what it covers, its parameters, and the two as they are signed."""

    covered: tuple[str, ...]
    params: Mapping[str, object]
    written: str
    octets: bytes


def refused(part: str, why: str, do: str) -> NotAllowed:
    """The fault that names the part of the signature that is wrong."""
    fault = NotAllowed(f"{part}: {why}: {do}", field=part, rule="signature", remedy=do)
    fault.status = 401
    return fault


def read_signature(request: web.BaseRequest) -> Signature:
    """The one signature of a request. NotAllowed where it cannot be read, or there are several."""
    inputs = _dictionary(request, "Signature-Input")
    signatures = _dictionary(request, "Signature")
    if len(inputs) != 1 or inputs.keys() != signatures.keys():
        raise refused("Signature", "it must be one, of the label in Signature-Input", "sign once and send both fields")
    label, inner = next(iter(inputs.items()))
    octets = signatures[label]
    if not (isinstance(inner, tuple) and isinstance(inner[0], list)):
        raise refused("Signature-Input", "it is no list of covered components", 'give sig=("@method" ...);created=...')
    if not (isinstance(octets, tuple) and isinstance(octets[0], bytes)):
        raise refused("Signature", "it is no byte sequence", "give it in base64 between colons")
    names = []
    for name, more in inner[0]:
        if not isinstance(name, str) or more or name in names:
            raise refused(
                "Signature-Input", f"{name} has parameters, or stands there twice", "cover each component once"
            )
        names.append(name)
    written = http_sf.ser({"s": inner}).partition("=")[2]
    return Signature(tuple(names), inner[1], written, octets[0])


def _dictionary(request: web.BaseRequest, field: str) -> Mapping[str, object]:
    text = ", ".join(request.headers.getall(field, []))
    if not text:
        raise refused(field, "it is missing", "send Signature-Input and Signature")
    try:
        found = http_sf.parse(text.encode(), tltype="dictionary")
    except (http_sf.StructuredFieldError, UnicodeEncodeError) as problem:
        raise refused(field, f"it cannot be read ({problem})", "write it as RFC 9421 has it") from problem
    return found if isinstance(found, Mapping) else {}


def signature_base(request: web.BaseRequest, covered: Sequence[str], written: str) -> bytes:
    """What is signed (RFC 9421, 2.5). NotAllowed where a covered field is not sent."""
    lines = [f'"{name}": {_value(request, name)}' for name in covered]
    return "\n".join([*lines, f'"@signature-params": {written}']).encode(errors="surrogateescape")


def _value(request: web.BaseRequest, name: str) -> str:
    path, _, query = request.raw_path.partition("?")
    match name:
        case "@method":
            return request.method
        case "@authority":
            host = request.headers.get("Host", "").lower()
            return host.removesuffix(":80").removesuffix(":443")
        case "@path":
            return path or "/"
        case "@query":
            return f"?{query}"
    if name.startswith("@"):
        raise refused("Signature-Input", f"{name} is not known here", f"cover {', '.join(COVERED)} and fields")
    if name != name.lower() or name not in request.headers:
        raise refused(
            "Signature-Input", f"it covers {name}, which was not sent", "cover what you send, in small letters"
        )
    return ", ".join(value.strip() for value in request.headers.getall(name))


async def signing_caller(request: web.Request, database: Database) -> Who:
    """Who signed a request, once in its life. NotAllowed (401) says which part is wrong."""
    signature = read_signature(request)
    key_id, nonce = _must_be_fresh(signature, wall())
    await _must_cover(request, signature)
    async with database.read() as db:
        known = await who_signs(db, key_id)
    if known is None:
        raise refused("keyid", "there is no such key in force", "make one with: tocsin key create --public-key FILE")
    who, public = known
    base = signature_base(request, signature.covered, signature.written)
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature.octets, base)
    except InvalidSignature as problem:
        raise refused(
            "Signature", "it does not fit", f"sign this, octet by octet: {base.decode(errors='replace')!r}"
        ) from problem
    await _take_nonce(database, key_id, nonce)
    return who


def _must_be_fresh(signature: Signature, now: float) -> tuple[str, str]:
    """(key id, nonce)."""
    params = signature.params
    created, expires = params.get("created"), params.get("expires", now)
    if not isinstance(created, int) or not isinstance(expires, int | float):
        raise refused(
            "created", "it is missing, or no whole number", "give the seconds since 1970, and expires likewise"
        )
    if abs(now - created) > SKEW_S or expires < now:
        raise refused(
            "created", f"it lies {now - created:+.0f} s from our clock, or has expired", "sign anew; set your clock"
        )
    if params.get("alg", "ed25519") != "ed25519":
        raise refused("alg", "we know one", "give ed25519, or leave it out")
    key_id, nonce = params.get("keyid"), params.get("nonce")
    if not isinstance(key_id, str) or not key_id:
        raise refused("keyid", "it is missing", "give the id that tocsin key create printed")
    if not isinstance(nonce, str) or len(nonce) not in NONCE:
        raise refused("nonce", f"it has not {NONCE.start} to {NONCE.stop - 1} signs", "give 128 random bits in base64")
    return key_id, nonce


async def _must_cover(request: web.Request, signature: Signature) -> None:
    if missing := [name for name in COVERED if name not in signature.covered]:
        raise refused("Signature-Input", f"it does not cover {', '.join(missing)}", f"cover {', '.join(COVERED)}")
    if not request.can_read_body:
        return
    if request.content_type not in BODIES:
        raise refused(
            "Content-Type", f"a signed body is no {request.content_type}", f"send {' or '.join(BODIES)}, or use a key"
        )
    body = await request.read()
    if "content-digest" not in signature.covered:
        raise refused("Signature-Input", "it does not cover content-digest", "send Content-Digest and cover it")
    given = _dictionary(request, "Content-Digest")
    known = {name: value for name, value in given.items() if name in DIGESTS}
    if not known:
        raise refused("Content-Digest", "it has no digest we know", f"give {' or '.join(DIGESTS)}")
    for name, value in known.items():
        digest = value[0] if isinstance(value, tuple) else b""
        if not isinstance(digest, bytes) or not hmac.compare_digest(digest, DIGESTS[name](body).digest()):
            raise refused(
                "Content-Digest", f"{name} is not that of the body that came", "compute it over what you send"
            )


async def _take_nonce(database: Database, key_id: str, nonce: str) -> None:
    now = wall()
    row = {"nonce_id": hashlib.sha256(f"{key_id}\0{nonce}".encode()).hexdigest(), "at": now}
    async with database.write() as tx:
        await tx.execute(sa.delete(request_nonce).where(request_nonce.c.at < now - 2 * SKEW_S - 60.0))
        if await insert_new(tx, request_nonce, [row]) != 1:
            raise refused(
                "nonce", "it was used before", "sign each request, also one that is made again, with a new one"
            )
