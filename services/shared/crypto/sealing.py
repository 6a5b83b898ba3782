"""Seals addresses: the registry seals and cannot open, channels open, everybody else holds ciphertext.

The registry makes a data key for each import page (at most 1,000 people), seals with AES-256-GCM (the contact's id is
the associated data), wraps the key for channels' X25519 public key by HPKE (RFC 9180) and forgets it. `page_key` holds
wrapped keys, the first byte naming how.
An address is found again by its address_key, HMAC-SHA256(index key, normalised address), never by its value.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import tempfile
from collections.abc import Callable, Collection, Iterable
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Literal, get_args

import msgspec
import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from services.shared.bus.outbox import new_id
from services.shared.crypto.signing import KeyVersions, Signer
from services.shared.database.engine import Id, metadata
from services.shared.errors import Broken

page_key = sa.Table(
    "page_key",
    metadata,
    sa.Column("key_id", Id, primary_key=True),
    sa.Column("public_id", sa.String(16), nullable=False, comment="which channels key it is wrapped for"),
    sa.Column("wrapped", sa.LargeBinary, nullable=False),
)
PAGE_SIZE = 1000
Use = Literal["links", "callbacks", "cookies", "residents", "orders"]
USES: tuple[Use, ...] = get_args(Use)  # of keys that sign
SINGLE = ("channels.key", "index.key", "audit.key")
_FORMAT = b"\x01"  # of a wrapped page key: HPKE by _SUITE, as RFC 9180 has it
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


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
    """The name under which an address is found; voice and sms of one number share it, all others have their own."""
    if kind in ("push", "im"):
        normal = f"{kind}:{address.strip()}"
    elif kind in ("email", "bed_shaker"):
        normal = address.strip().lower()
    else:
        normal = "".join(c for c in address if c.isdigit() or c == "+")
    return hmac.new(index_key, normal.encode(), hashlib.sha256).hexdigest()


class Sealer:
    """The registry's side: one page key at a time, forgotten with the object."""

    def __init__(self, public: bytes) -> None:
        self.key_id = new_id()
        key = os.urandom(32)
        self._aead = AESGCM(key)
        self.wrapped = _wrap(key, self.key_id, public)
        self.public_id = public_id(public)

    def row(self) -> dict[str, object]:
        """The `page_key` row that lets channels open what this sealer sealed."""
        return {"key_id": self.key_id, "public_id": self.public_id, "wrapped": self.wrapped}

    def seal(self, value: bytes, owner: str) -> bytes:
        """nonce + ciphertext, bound to the contact's or person's id `owner`."""
        nonce = os.urandom(12)
        return nonce + self._aead.encrypt(nonce, value, owner.encode())


class Opener:
    """Channels' side: unwraps page keys with its private keys and keeps the AEAD objects.

    There is one private key, and a second one while the first is being replaced; `reread` gives those on disk now.
    """

    def __init__(self, *privates: bytes, reread: Callable[[], Iterable[bytes]] = tuple) -> None:
        self._reread = reread
        self._privates: dict[str, X25519PrivateKey] = {}
        self._pages: dict[str, AESGCM] = {}
        self.hold(privates)

    @property
    def public_ids(self) -> frozenset[str]:
        """The channels keys held."""
        return frozenset(self._privates)

    def hold(self, privates: Iterable[bytes]) -> None:
        """From now on opens what is wrapped for these too."""
        for private in privates:
            key = X25519PrivateKey.from_private_bytes(private)
            self._privates[public_id(key.public_key().public_bytes_raw())] = key

    def forget(self, gone: str) -> None:
        """Lets a replaced private key go."""
        self._privates.pop(gone, None)

    def knows(self, key_id: str) -> bool:
        return key_id in self._pages

    def learn(self, key_id: str, wrapped: bytes) -> None:
        """Unwraps one page key; Broken where it was wrapped for another key."""
        self._pages[key_id] = AESGCM(self._unwrap(key_id, wrapped))

    def rewrap(self, key_id: str, wrapped: bytes, public: bytes) -> bytes:
        """The same page key wrapped for another channels key; what it sealed stays as it is."""
        return _wrap(self._unwrap(key_id, wrapped), key_id, public)

    def _unwrap(self, key_id: str, wrapped: bytes) -> bytes:
        found = self._tried(key_id, wrapped)
        if found is None:  # a new key may lie on the disk since
            self.hold(self._reread())
            found = self._tried(key_id, wrapped)
        if found is None:
            raise Broken(f"page key {key_id} was not wrapped for this channels key: check keys/channels.key")
        return found

    def _tried(self, key_id: str, wrapped: bytes) -> bytes | None:
        if wrapped[:1] != _FORMAT:
            given = wrapped[:1].hex() or "-"
            raise Broken(
                f"page key {key_id} is wrapped in format {given}, and this Tocsin reads "
                f"{_FORMAT.hex()}: run the Tocsin that wrote it, or restore page_key from a backup"
            )
        for private in self._privates.values():
            with contextlib.suppress(InvalidTag):
                return _SUITE.decrypt(wrapped[1:], private, info=_info(key_id))
        return None

    def open(self, sealed: bytes, key_id: str, owner: str) -> bytes:
        """The value; Broken where the blob belongs to another owner or was altered."""
        try:
            return self._pages[key_id].decrypt(sealed[:12], sealed[12:], owner.encode())
        except (InvalidTag, KeyError) as problem:
            raise Broken(f"a sealed value of {owner} does not open with page key {key_id}") from problem


def _wrap(key: bytes, key_id: str, public: bytes) -> bytes:
    return _FORMAT + _SUITE.encrypt(key, X25519PublicKey.from_public_bytes(public), info=_info(key_id))


def _info(key_id: str) -> bytes:
    """Binds a wrapped key to its use and its name; HPKE binds it to the public key by itself."""
    return b"tocsin page key " + key_id.encode()


def public_half(private: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


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
    `audit` the gateway; those that sign, <use>/<version>.key, whoever makes or checks that use, see `HOLDERS`
    in services/roles.py. Where one is missing all that are missing are made
    (0600, random), unless `make` is False: processes beside each other must hold the same ones, and each would make
    its own. A second channels key, channels-*.key, lies there while it replaces the first (services/shared/crypto/channels_keys).
    """

    def __init__(self, directory: Path, *, make: bool = True, uses: Collection[Use] = USES) -> None:
        self.directory = self._directory = directory
        self.uses = tuple(use for use in USES if use in uses)
        self._make = make
        self._cache: dict[str, bytes] = {}
        self._rings: dict[Use, KeyVersions] = {}
        self._signers: dict[Use, Signer] = {}
        self._announced = b""

    @property
    def private(self) -> bytes:
        """Opens page keys."""
        return self._kept("channels.key")

    def privates(self) -> tuple[bytes, ...]:
        """The key that opens page keys and any that is to replace it, as they lie there now."""
        found = []
        for path in sorted(self._directory.glob("channels-*.key")):
            try:
                found.append(load_secret(path))
            except Broken:
                if path.exists():  # else it has just become channels.key, which is read after it
                    raise
        return (self._load("channels.key"), *found)

    @property
    def public(self) -> bytes:
        """Wraps page keys; where its file is missing it is made of the private one. What was announced since wins."""
        if not self._announced and "channels.pub" not in self._cache:
            self._cache["channels.pub"] = self._read_public()
        return self._announced or self._cache["channels.pub"]

    def announce(self, public: bytes) -> None:
        """From now on page keys are wrapped for this channels key."""
        self._announced = public

    def settle(self, current: str, gone: AbstractSet[str]) -> None:
        """Ends a replacement: the key named `current` becomes channels.key, the files of `gone` ones go; OSError if not.

        The public half goes first: a crash between the two leaves a pair that is known.
        """
        found = {public_id(public_half(load_secret(p))): p for p in self._directory.glob("channels-*.key")}
        if (path := found.pop(current, None)) is not None:
            pub = self._directory / "channels.pub"
            if pub.exists():
                draft = self._directory / f".{path.name}.pub"
                write_secret(draft, public_half(load_secret(path)))
                draft.replace(pub)
            path.replace(self._directory / "channels.key")
            self._cache.pop("channels.key", None)
            self._cache.pop("channels.pub", None)
        for one in found.keys() & gone:
            found[one].unlink()

    def _read_public(self) -> bytes:
        path = self._directory / "channels.pub"
        if not self._has("channels.key") and (self._has(path.name) or not self._make):
            return self._load(path.name)
        made = public_half(self.private)
        if not self._has(path.name):
            if not self._make:
                return made
            _write(path, made)
        found = load_secret(path)
        if found != made and found not in [public_half(private) for private in self.privates()]:
            raise Broken("channels.pub does not belong to channels.key: delete channels.pub, it is made again")
        return found

    @property
    def index(self) -> bytes:
        """Names addresses."""
        return self._kept("index.key")

    def ring(self, use: Use) -> KeyVersions:
        """The versions of one key that signs. LookupError where this process is not to hold it."""
        if use not in self.uses:
            raise LookupError(f"this process signs no {use} and holds no key for them")
        if use not in self._rings:
            if not self.versions(use):
                self._make_or_miss(version_file(use, 1))
            self._rings[use] = KeyVersions(self.versions(use), lambda: self.versions(use))
        return self._rings[use]

    def signer(self, use: Use) -> Signer:
        """Signs and checks for one use. LookupError where this process is not to hold its key."""
        if use not in self._signers:
            self._signers[use] = Signer(self.ring(use))
        return self._signers[use]

    def versions(self, use: Use) -> dict[int, bytes]:
        """Version > key, as they lie there now."""
        found = {}
        for path in (self._directory / use).glob("*.key"):
            if path.stem.isdecimal():
                found[int(path.stem)] = load_secret(path)
        return dict(sorted(found.items()))

    @property
    def audit(self) -> bytes:
        """Signs checkpoints of the audit log."""
        return self._kept("audit.key")

    def _kept(self, name: str) -> bytes:
        if name not in self._cache:
            self._cache[name] = self._load(name)
        return self._cache[name]

    def _has(self, name: str) -> bool:
        try:
            return (self._directory / name).exists()
        except OSError:
            return True  # told when it is read

    def _load(self, name: str) -> bytes:
        if not self._has(name):
            self._make_or_miss(name)
        return load_secret(self._directory / name)

    def _make_or_miss(self, name: str) -> None:
        """Makes every key that is missing. Broken in a process that is to be given them."""
        if not self._make:
            raise Broken(
                f"the key {self._directory / name} is missing, and one made here would not be that of the other "
                "processes: copy it from them, or make all keys once with deploy/prepare.sh"
            )
        for one in SINGLE:
            if not self._has(one):
                _write(self._directory / one, os.urandom(32))
        for use in USES:
            if not self.versions(use):
                _write(self._directory / version_file(use, 1), os.urandom(32))


def version_file(use: Use, version: int) -> str:
    """Where a version of a key that signs lies, in the folder of keys."""
    return f"{use}/{version}.key"


def _write(path: Path, value: bytes) -> None:
    try:
        write_secret(path, value)
    except OSError as problem:
        raise Broken(
            f"the key {path} cannot be made ({problem.strerror}): give a TOCSIN_DATA_DIR that Tocsin may write to"
        ) from problem
