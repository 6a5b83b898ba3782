"""An office's own sign-in (OpenID Connect): code flow with PKCE; state, nonce, issuer, audience and age are checked.

What the browser keeps on the way lies in a cookie of its own under our MAC. An account there opens the one here that it
was bound to when its owner joined: no name or address that the provider tells is taken for a person.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import TypeVar
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
import jwt
import msgspec
import structlog
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.shared.clock import wall
from services.shared.errors import Busy, NotAllowed
from services.shared.i18n import english, mark
from services.shared.powers.may import FRESH_S
from services.shared.settings import Environment

T = TypeVar("T")
TIMEOUT = aiohttp.ClientTimeout(total=15, connect=5)
LARGEST = 256 * 1024
KEPT_S = 3600.0  # how long what the provider says of itself is believed
LEEWAY_S = 60.0
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")  # by key pairs alone: never none, never a shared secret
log = structlog.get_logger("openid")


class OpenIdSettings(Environment):
    """Where an office's own sign-in is, and what we are called there."""

    model_config = SettingsConfigDict(env_prefix="TOCSIN_OIDC_")

    issuer: str = Field(
        "", description="issuer of an office's own sign-in (OpenID Connect), as it writes it; empty for none"
    )
    client: str = Field("", description="our client id there; /console/sign-in/office/back is our redirect URI")
    secret: SecretStr = Field(SecretStr(""), description="our client secret there; empty where it gives none")
    name: str = Field("", description="what people call that sign-in; empty for its host")


class _About(msgspec.Struct):
    """What a provider says of itself (OpenID Connect Discovery, 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    authorization_response_iss_parameter_supported: bool = False


class _Tokens(msgspec.Struct):
    id_token: str


class _Claims(msgspec.Struct):
    """What an ID token says (OpenID Connect Core, 2), beside what is checked by the library."""

    sub: str
    aud: str | list[str]
    nonce: str = ""
    azp: str = ""
    auth_time: float = 0.0


class Trip(msgspec.Struct):
    """What a browser keeps while it is away: why it went, and what the answer is held against."""

    question: str
    nonce: str
    verifier: str
    use: str  # sign-in, join or confirm
    about: str = ""
    to: str = ""


class OpenId:
    """The provider of an installation, where there is one."""

    def __init__(self, settings: OpenIdSettings, back: str) -> None:
        """`back`: the address its answers come to."""
        self._issuer = settings.issuer.rstrip("/")
        self._client, self._secret = settings.client, settings.secret.get_secret_value()
        self.name = settings.name or (urlsplit(self._issuer).hostname or "")
        self._back = back
        self._about: _About | None = None
        self._keys: dict[str, jwt.PyJWK] = {}
        self._read_at = 0.0

    def __bool__(self) -> bool:
        return bool(self._issuer and self._client)

    async def leave(self, trip: Trip, *, afresh: bool) -> str:
        """Where the browser goes; `afresh`: it asks them to sign in there again, however lately they did."""
        about = await self._known()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(trip.verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code", "client_id": self._client, "redirect_uri": self._back, "scope": "openid",
            "state": trip.question, "nonce": trip.nonce, "code_challenge": challenge, "code_challenge_method": "S256",
        }  # fmt: skip
        if afresh:
            asked |= {"prompt": "login", "max_age": "0"}
        mark = "&" if "?" in about.authorization_endpoint else "?"
        return f"{about.authorization_endpoint}{mark}{urlencode(asked)}"

    @staticmethod
    def trip(question: str, use: str, about: str = "", to: str = "") -> Trip:
        """A way there and back."""
        return Trip(question, secrets.token_urlsafe(24), secrets.token_urlsafe(48), use, about, to)

    async def returned(self, trip: Trip, said: dict[str, str]) -> str:
        """The handle of whom the provider vouches for. NotAllowed names what does not fit."""
        about = await self._known()
        if not hmac.compare_digest(said.get("state", "").encode(), trip.question.encode()):
            raise _no("state", mark("this answer belongs to another sign-in: begin again"))
        if said.get("iss", about.issuer) != about.issuer or (
            about.authorization_response_iss_parameter_supported and "iss" not in said
        ):
            raise _no("iss", mark("this answer comes from another provider: begin again"))
        if "code" not in said:
            raise _no(
                "code",
                english(
                    "the provider did not let you in ({error}): begin again", error=said.get("error", "no code")[:80]
                ),
            )
        token = await self._exchange(about, said["code"], trip.verifier)
        claims = await self._claims(about, token)
        if not hmac.compare_digest(claims.nonce.encode(), trip.nonce.encode()):
            raise _no("nonce", mark("this answer belongs to another sign-in: begin again"))
        if isinstance(claims.aud, list) and len(claims.aud) > 1 and claims.azp != self._client:
            raise _no("azp", mark("this answer was made for another program: begin again"))
        if trip.use == "confirm" and wall() - claims.auth_time > FRESH_S:
            raise _no("auth_time", mark("the provider did not ask you to sign in again: begin again"))
        return "oidc:" + hashlib.sha256(f"{about.issuer} {claims.sub}".encode()).hexdigest()

    async def _claims(self, about: _About, token: str) -> _Claims:
        try:
            head = jwt.get_unverified_header(token)
            if head.get("alg") not in ALGORITHMS:
                raise _no("alg", mark("the provider's answer is signed in a way that is not taken here"))
            key = await self._key(about, str(head.get("kid", "")))
            claims = jwt.decode(
                token,
                key,
                algorithms=[str(head["alg"])],
                audience=self._client,
                issuer=about.issuer,
                leeway=LEEWAY_S,
                options={"require": ["iss", "sub", "aud", "exp", "iat"]},
            )
            return msgspec.convert(claims, _Claims)
        except (jwt.PyJWTError, msgspec.ValidationError) as wrong:
            log.warning("answer_refused", reason=type(wrong).__name__)
            raise _no(type(wrong).__name__, mark("the provider's answer does not hold: begin again")) from wrong

    async def _key(self, about: _About, kid: str) -> jwt.PyJWK:
        """A key of the provider; one we do not know yet is asked for once."""
        if kid not in self._keys:
            raw = await self._fetch("GET", about.jwks_uri)
            found = jwt.PyJWKSet.from_json(raw.decode())
            self._keys = {str(key.key_id or ""): key for key in found.keys if key.public_key_use in (None, "sig")}
        if (key := self._keys.get(kid)) is None:
            raise _no("kid", mark("the provider's answer is signed by a key it does not name: begin again"))
        return key

    async def _exchange(self, about: _About, code: str, verifier: str) -> str:
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": self._back, "code_verifier": verifier,
            "client_id": self._client,
        }  # fmt: skip
        headers = {}
        if self._secret:  # both as a form writes them (RFC 6749, 2.3.1)
            headers["Authorization"] = aiohttp.encode_basic_auth(quote(self._client), quote(self._secret))
        raw = await self._fetch("POST", about.token_endpoint, form, headers)
        return self._read(raw, _Tokens).id_token

    async def _known(self) -> _About:
        if self._about is None or wall() - self._read_at > KEPT_S:
            raw = await self._fetch("GET", f"{self._issuer}/.well-known/openid-configuration")
            about = self._read(raw, _About)
            if about.issuer.rstrip("/") != self._issuer:
                raise Busy(
                    f"the provider at {self._issuer} says that it is {about.issuer[:80]}: set TOCSIN_OIDC_ISSUER"
                )
            self._about, self._read_at, self._keys = about, wall(), {}
        return self._about

    @staticmethod
    def _read(raw: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(raw, type=kind)
        except msgspec.DecodeError as wrong:
            raise Busy("the sign-in provider answers with something else than OpenID Connect: try again") from wrong

    @staticmethod
    async def _fetch(
        method: str, url: str, form: dict[str, str] | None = None, headers: dict[str, str] | None = None
    ) -> bytes:
        """Of the provider that the operator named, and where it says; Busy where nothing usable comes back."""
        try:
            async with (
                aiohttp.ClientSession(timeout=TIMEOUT, cookie_jar=aiohttp.DummyCookieJar()) as client,
                client.request(method, url, data=form, headers=headers, allow_redirects=False) as answer,
            ):
                body = await answer.content.read(LARGEST)
                if answer.status == 400 and form is not None:  # the code is used, or not the one this verifier began
                    raise _no("code", mark("the provider does not take this answer any more: begin again"))
                if answer.status != 200:
                    raise Busy(f"the sign-in provider answers {answer.status}: try again, or sign in with a passkey")
                return body
        except (aiohttp.ClientError, TimeoutError, OSError) as away:
            raise Busy("the sign-in provider does not answer: try again, or sign in with a passkey") from away


def _no(rule: str, sentence: str) -> NotAllowed:
    return NotAllowed(sentence, field="oidc", rule=rule)
