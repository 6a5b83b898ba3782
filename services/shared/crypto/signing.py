"""Signs links, cookies and callback addresses: a key a use, each in versions of which the newest signs.

What is signed names its version by one sign, so that it is checked with the key it was made with. A link's code is that
sign and 75 bits of the MAC: 16 small letters and figures, since it stands in a text message and people type it from one.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Collection, Mapping

import itsdangerous

from services.shared.errors import Broken, NotAllowed

SHORTEST_KEY = 32  # bytes
SIGNS = "abcdefghijklmnopqrstuvwxyz234567"  # of versions, by turns
_TWO_SIGNS = tuple(a + b for a in SIGNS for b in SIGNS)
REREAD_S = 1.0  # whoever sends us signs at random makes us look at the disk no more often


def sign_of(version: int) -> str:
    """The sign that names a version."""
    return SIGNS[version % len(SIGNS)]


def _octets(text: str) -> bytes:
    """Whatever came in a request's path or cookie, also what is no UTF-8."""
    return text.encode(errors="surrogatepass")


class KeyVersions:
    """The versions of one key that this process holds: `current` signs, each that is not ended is accepted.

    `reread` gives those on disk now: another process may sign with a new one before this one looked.
    """

    def __init__(self, keys: Mapping[int, bytes], reread: Callable[[], Mapping[int, bytes]] = dict) -> None:
        self._reread = reread
        self._keys: dict[int, bytes] = {}
        self._ended: frozenset[int] = frozenset()
        self._looked = 0.0
        self._hold(keys)
        self.current = min(self._keys)  # until the database says which: the oldest is held by everybody

    @property
    def held(self) -> Mapping[int, bytes]:
        """Version > key, of those that are accepted."""
        return self._keys

    def look_again(self) -> None:
        """Holds what lies on the disk now."""
        self._looked = time.monotonic()
        self._hold(self._reread())

    def settle(self, current: int, ended: Collection[int]) -> None:
        """From now on `current` signs, and what the ended ones signed is not accepted."""
        if current not in self._keys:
            self.look_again()
        if current in self._keys:
            self.current = current
        self._ended = frozenset(ended)
        for version in self._ended & self._keys.keys():
            del self._keys[version]

    def version_of(self, sign: str) -> int | None:
        """The version a sign names, where it is held. NotAllowed where it was ended."""
        found = self._named(sign)
        if found is None and time.monotonic() - self._looked >= REREAD_S:
            self.look_again()
            found = self._named(sign)
        if found is None and any(sign_of(version) == sign for version in self._ended):
            raise NotAllowed(
                "links of that time were taken back: ask whoever sent you this one for a new one",
                field="link",
                rule="link.ended",
            )
        return found

    def _named(self, sign: str) -> int | None:
        return next((version for version in self._keys if sign_of(version) == sign), None)

    def _hold(self, keys: Mapping[int, bytes]) -> None:
        for version, key in keys.items():
            if len(key) < SHORTEST_KEY:  # with an empty one anybody could sign
                raise Broken(f"version {version} of a key that signs has {len(key)} bytes: give one of {SHORTEST_KEY}")
            if version not in self._ended:
                self._keys[version] = key


class Signer:
    """Signs and checks with one key of the house. Broken where a version is too short."""

    def __init__(self, key: bytes | KeyVersions) -> None:
        self._ring = KeyVersions({1: key}) if isinstance(key, bytes) else key
        self._derived: dict[tuple[int, str], bytes] = {}  # version, use > its key

    def mac(self, use: str, subject: str) -> str:
        """All 256 bits that vouch for one use of one subject, after the sign of their version."""
        return self._mac(self._ring.current, use, subject)

    def vouches(self, use: str, subject: str, mac: str) -> bool:
        """Whether this is a `mac` of that use and subject, by a version that has not ended."""
        version = self._ring.version_of(mac[:1])
        return version is not None and hmac.compare_digest(_octets(mac), _octets(self._mac(version, use, subject)))

    def sealed(self, use: str, subject: str) -> str:
        """subject.MAC, all 256 bits of it, as cookies carry it."""
        return f"{subject}.{self.mac(use, subject)}"

    def opened(self, use: str, value: str) -> str | None:
        """The subject of what `sealed` gave; None where it was altered, made for another use, or is none of ours."""
        subject, _, mac = value.rpartition(".")
        try:
            return subject if subject and self.vouches(use, subject, mac) else None
        except NotAllowed:
            return None

    def code(self, use: str, subject: str) -> str:
        """16 small letters and figures that vouch for one use of one id."""
        return self._code(self._ring.current, use, subject)

    def codes(self, use: str, subject: str) -> tuple[str, ...]:
        """What `code` gave while each version that has not ended was the newest."""
        return tuple(self._code(version, use, subject) for version in self._ring.held)

    def token(self, use: str, subject: str) -> str:
        """subject.code, as links and callback URLs carry it."""
        return f"{subject}.{self.code(use, subject)}"

    def subject(self, use: str, token: str) -> str:
        """The id a token vouches for; NotAllowed where it was altered, made for another use, or its version ended."""
        subject, _, code = token.rpartition(".")
        version = self._ring.version_of(code[:1])
        if version is None or not hmac.compare_digest(_octets(code), _octets(self._code(version, use, subject))):
            raise NotAllowed(
                "this link is not complete or not one of ours: open it again from the message you got",
                field="link",
                rule="link.mac",
            )
        return subject

    def _signing(self, version: int, use: str) -> itsdangerous.Signer:
        return itsdangerous.Signer(self._ring.held[version], use, ".", "hmac", hashlib.sha256)

    def _mac(self, version: int, use: str, subject: str) -> str:
        return sign_of(version) + self._signing(version, use).get_signature(_octets(subject)).decode()

    def _code(self, version: int, use: str, subject: str) -> str:
        """One for each message: a tenth of what the library takes."""
        if (key := self._derived.get((version, use))) is None:
            self._derived[version, use] = key = self._signing(version, use).derive_key()
        n, two = int.from_bytes(hmac.digest(key, _octets(subject), "sha256")[:10]), _TWO_SIGNS  # 80 bits in base 32
        return (
            f"{sign_of(version)}{two[n >> 70]}{two[n >> 60 & 1023]}{two[n >> 50 & 1023]}{two[n >> 40 & 1023]}"
            f"{two[n >> 30 & 1023]}{two[n >> 20 & 1023]}{two[n >> 10 & 1023]}{SIGNS[n >> 5 & 31]}"
        )
