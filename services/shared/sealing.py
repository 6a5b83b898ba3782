"""Sealed addresses: the registry can seal and not open, channels can open, everybody else holds ciphertext.

The registry makes a data key for each import page (at most 1,000 people), seals with AES-256-GCM (the contact's id is
the associated data), wraps the key for channels' X25519 public key and forgets it. `page_key` holds wrapped keys.
An address is found again by its address_key, HMAC-SHA256(index key, normalised address), never by its value.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import tempfile
from functools import cached_property
from pathlib import Path

import msgspec
import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from services.shared.db import Id, metadata
from services.shared.errors import Broken
from services.shared.outbox import new_id

page_key = sa.Table(
    "page_key",
    metadata,
    sa.Column("key_id", Id, primary_key=True),
    sa.Column("public_id", sa.String(16), nullable=False, comment="which channels key it is wrapped for"),
    sa.Column("wrapped", sa.LargeBinary, nullable=False),
)
PAGE_SIZE = 1000
_INFO = b"tocsin page key v1"


class Dossier(msgspec.Struct, array_like=True, frozen=True):
    """What an officer or helper needs to find and meet a person; no diagnosis, no national id."""

    call_name: str
    address: str
    people: int = 1
    wake: str = ""  # bell, flash, key with neighbour ...
    talk: str = ""  # sign, card, slow, language
    moves: str = ""  # walks, wheelchair, carry 2 ...
    note: str = ""
    floor: int = 0


def address_key(index_key: bytes, kind: str, address: str) -> str:
    """The name under which an address is found; voice and sms of one number share it, e-mail has its own."""
    normal = address.strip().lower() if kind == "email" else "".join(c for c in address if c.isdigit() or c == "+")
    return hmac.new(index_key, normal.encode(), hashlib.sha256).hexdigest()


class Sealer:
    """The registry's side: one page key at a time, forgotten with the object."""

    def __init__(self, public: bytes) -> None:
        self.key_id = new_id()
        key = os.urandom(32)
        self._aead = AESGCM(key)
        ephemeral = X25519PrivateKey.generate()
        shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(public))
        ephemeral_public = ephemeral.public_key().public_bytes_raw()
        wrapping = _derive(shared, ephemeral_public + public)
        nonce = os.urandom(12)
        self.wrapped = ephemeral_public + nonce + AESGCM(wrapping).encrypt(nonce, key, self.key_id.encode())
        self.public_id = public_id(public)

    def row(self) -> dict[str, object]:
        """The `page_key` row that lets channels open what this sealer sealed."""
        return {"key_id": self.key_id, "public_id": self.public_id, "wrapped": self.wrapped}

    def seal(self, value: bytes, owner: str) -> bytes:
        """nonce + ciphertext, bound to the contact's or person's id `owner`."""
        nonce = os.urandom(12)
        return nonce + self._aead.encrypt(nonce, value, owner.encode())


class Opener:
    """Channels' side: unwraps page keys with the private key and keeps the AEAD objects."""

    def __init__(self, private: bytes) -> None:
        self._private = X25519PrivateKey.from_private_bytes(private)
        self.public = self._private.public_key().public_bytes_raw()
        self._pages: dict[str, AESGCM] = {}

    def knows(self, key_id: str) -> bool:
        return key_id in self._pages

    def learn(self, key_id: str, wrapped: bytes) -> None:
        """Unwraps one page key; Broken where it was wrapped for another key."""
        ephemeral, nonce, sealed = wrapped[:32], wrapped[32:44], wrapped[44:]
        shared = self._private.exchange(X25519PublicKey.from_public_bytes(ephemeral))
        try:
            key = AESGCM(_derive(shared, ephemeral + self.public)).decrypt(nonce, sealed, key_id.encode())
        except InvalidTag as problem:
            raise Broken(
                f"page key {key_id} was not wrapped for this channels key: check keys/channels.key"
            ) from problem
        self._pages[key_id] = AESGCM(key)

    def open(self, sealed: bytes, key_id: str, owner: str) -> bytes:
        """The value; Broken where the blob belongs to another owner or was altered."""
        try:
            return self._pages[key_id].decrypt(sealed[:12], sealed[12:], owner.encode())
        except (InvalidTag, KeyError) as problem:
            raise Broken(f"a sealed value of {owner} does not open with page key {key_id}") from problem


def _derive(shared: bytes, salt: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=_INFO).derive(shared)


def public_id(public: bytes) -> str:
    """Sixteen hex digits that name a channels key."""
    return hashlib.sha256(public).hexdigest()[:16]


def write_secret(path: Path, value: bytes) -> None:
    """Makes a key file, whole or not at all; where another process was first, its file stays."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fd, draft = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # 0600
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(value)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        Path(draft).unlink()


def load_secret(path: Path, size: int = 32) -> bytes:
    """Reads a key file; Broken where it is not there, cannot be read, can be read by others or has another size."""
    try:
        mode, secret = path.stat().st_mode, path.read_bytes()
    except OSError as problem:
        raise Broken(f"the key {path} cannot be read ({problem.strerror}): run Tocsin as its owner") from problem
    if mode & 0o077:
        raise Broken(f"{path.name} can be read by others: run chmod 600 on it")
    if len(secret) != size:
        raise Broken(f"{path.name} holds {len(secret)} bytes where {size} are needed: restore it from your key backup")
    return secret


class Keys:
    """The key files of an installation, each read when it is needed: a process gets those its roles use and no other.

    `private` channels alone; `public` (channels.pub, made from channels.key) and `index` registry and channels;
    `mac`, for MACs and cookies, everybody. Where one is missing all that are missing are made (0600, random), unless
    `make` is False: processes beside each other must hold the same ones, and each would make its own.
    """

    def __init__(self, directory: Path, *, make: bool = True) -> None:
        self._directory = directory
        self._make = make

    @cached_property
    def private(self) -> bytes:
        """Opens page keys."""
        return self._load("channels.key")

    @cached_property
    def public(self) -> bytes:
        """Wraps page keys; where its file is missing it is made of the private one."""
        path = self._directory / "channels.pub"
        if not self._has("channels.key") and (self._has(path.name) or not self._make):
            return self._load(path.name)
        made = X25519PrivateKey.from_private_bytes(self.private).public_key().public_bytes_raw()
        if not self._has(path.name):
            if not self._make:
                return made
            _write(path, made)
        if load_secret(path) != made:
            raise Broken("channels.pub does not belong to channels.key: delete channels.pub, it is made again")
        return made

    @cached_property
    def index(self) -> bytes:
        """Names addresses."""
        return self._load("index.key")

    @cached_property
    def mac(self) -> bytes:
        """Signs links, cookies and callbacks."""
        return self._load("mac.key")

    def _has(self, name: str) -> bool:
        try:
            return (self._directory / name).exists()
        except OSError:
            return True  # told when it is read

    def _load(self, name: str) -> bytes:
        path = self._directory / name
        if not self._has(name):
            if not self._make:
                raise Broken(
                    f"the key {path} is missing, and one made here would not be that of the other processes: "
                    "copy it from them, or make all keys once with deploy/prepare.sh"
                )
            for one in ("channels.key", "index.key", "mac.key"):
                if not self._has(one):
                    _write(self._directory / one, os.urandom(32))
        return load_secret(path)


def _write(path: Path, value: bytes) -> None:
    try:
        write_secret(path, value)
    except OSError as problem:
        raise Broken(
            f"the key {path} cannot be made ({problem.strerror}): give a TOCSIN_DATA_DIR that Tocsin may write to"
        ) from problem
