"""Signing in by an office's own sign-in: against a real provider, and against one that says what it must not."""

from __future__ import annotations

import html
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr

from services.gateway.accounts.openid import OpenId, OpenIdSettings
from services.shared.clock import wall
from services.shared.errors import Busy, NotAllowed
from tests.kit.openid import BACK, ORIGIN, provider, through
from tests.kit.staff import invited, stale
from tests.kit.town import Town, open_town
from tools.peers.table import Told

PAGE = {"Accept": "text/html"}


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in (("CLIENT", "tocsin"), ("SECRET", "our secret"), ("NAME", "the county's sign-in")):
        monkeypatch.setenv(f"TOCSIN_OIDC_{name}", value)
    return monkeypatch


@asynccontextmanager
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), headers=PAGE) as made:
        yield made


async def join(town: Town, http: aiohttp.ClientSession, name: str) -> tuple[int, str, str]:
    secret = (await invited(town, name, "author")).rpartition("/")[2]
    start = f"/console/sign-in/office?use=join&about={secret}&to=/console/account"
    return await through(http, town.url, start, f"{name}@county")


async def opens(town: Town, http: aiohttp.ClientSession) -> bool:
    async with http.get(f"{town.url}/console/account", allow_redirects=False) as answer:
        return answer.status == 200


async def test_people_join_sign_in_and_show_it_again(tmp_path: Path, chosen: pytest.MonkeyPatch, peer: Told) -> None:
    """By code and PKCE at a real provider; whom nobody invited, or who is somebody else, gets no further."""
    async with provider() as issuer:
        chosen.setenv("TOCSIN_OIDC_ISSUER", issuer)
        async with open_town(tmp_path, console_origin=ORIGIN) as town:
            async with client() as http:
                assert (303, "/console/account") == (await join(town, http, "Wang Fang"))[:2]
                assert await opens(town, http)
            async with client() as other:
                assert 303 == (await join(town, other, "Zhao Lei"))[0]
            async with client() as http:
                status, to, _ = await through(town_url=town.url, http=http, start="/console/sign-in/office?to=/channels",
                                              name="Wang Fang@county")  # fmt: skip
                assert (303, "/channels") == (status, to)
                await stale(town)
                again = "/console/sign-in/office?use=confirm&to=/console/account/ways"
                async with http.get(f"{town.url}/console/account/ways", allow_redirects=False) as answer:
                    assert answer.headers["Location"].startswith("/console/confirm")
                status, _, page = await through(http, town.url, again, "Li Na@county")
                assert (403, True) == (status, "opens nothing here yet" in page)
                status, _, page = await through(http, town.url, again, "Zhao Lei@county")
                assert (403, True) == (status, "somebody else&#39;s sign-in" in page)
                assert (303, "/console/account/ways") == (await through(http, town.url, again, "Wang Fang@county"))[:2]
                async with http.get(f"{town.url}/console/account/ways", allow_redirects=False) as answer:
                    assert 200 == answer.status
            async with client() as http:
                status, _, page = await through(http, town.url, "/console/sign-in/office", "Stranger@county")
                assert (403, True, False) == (status, "opens nothing here yet" in page, await opens(town, http))
            async with client() as http:  # one account there is one person here
                secret = (await invited(town, "Sun Li", "author")).rpartition("/")[2]
                start = f"/console/sign-in/office?use=join&about={secret}&to=/console/account"
                status, _, page = await through(http, town.url, start, "Zhao Lei@county")
                assert (422, True) == (status, "belongs to somebody here already" in page)
    peer("OpenID Connect", "oidc-provider (npm)", "code with PKCE (S256), state, nonce, prompt=login with max_age")


async def test_what_was_typed_waits_while_somebody_signs_in_at_their_office(
    tmp_path: Path, chosen: pytest.MonkeyPatch
) -> None:
    """In another window, which leaves this one as it is: the trip there and back carries no text."""
    async with provider() as issuer:
        chosen.setenv("TOCSIN_OIDC_ISSUER", issuer)
        async with open_town(tmp_path, console_origin=ORIGIN) as town, client() as http:
            assert 303 == (await join(town, http, "Wang Fang"))[0]
            ours = {"Origin": town.url}
            begun = {"template": "flash_flood.red.leave"}
            async with http.post(f"{town.url}/send/new", data=begun, headers=ours, allow_redirects=False) as answer:
                address = answer.headers["Location"].partition("?")[0]
            assert address.startswith("/send/")
            http.cookie_jar.clear()
            typed = {"version": "1", "headline.en": "Typed before", "hazard": "flash_flood"}
            async with http.post(town.url + address, data=typed, headers=ours) as answer:
                page = await answer.text()
            assert (401, True) == (answer.status, 'target="_blank" href="/console/sign-in/office"' in page)
            kept = html.unescape(re.findall(r'name="text" value="([^"]*)"', page)[0])
            going_on = {"text": kept, "to": address, "elsewhere": "yes"}
            async with http.post(f"{town.url}/console/sign-in", data=going_on, headers=ours) as answer:
                page = await answer.text()
            assert (403, True, True) == (answer.status, "not signed in yet" in page, "Typed before" in page)
            assert 303 == (await through(http, town.url, "/console/sign-in/office", "Wang Fang@county"))[0]
            async with http.post(f"{town.url}/console/sign-in", data=going_on, headers=ours) as answer:
                page = await answer.text()
            assert (200, True) == (answer.status, "is not saved yet: press Save" in page)
            assert 'value="Typed before"' in page or "Typed before</textarea>" in page


def instead(name: str, value: str) -> Any:
    """An address with one of its values altered."""

    def change(url: str) -> str:
        old = parse_qs(urlsplit(url).query)[name][0]
        assert old
        return url.replace(f"{name}={old}", f"{name}={value}")

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (instead("nonce", "anothers"), "belongs to another sign-in"),
        (instead("state", "anothers"), "belongs to another sign-in"),
        (instead("code_challenge", "A" * 43), "does not take this answer any more"),
    ],
)
async def test_what_was_altered_on_the_way_signs_nobody_in(
    tmp_path: Path, chosen: pytest.MonkeyPatch, change: Any, said: str
) -> None:
    """Nonce, state and the challenge of PKCE, each as somebody between browser and provider would."""
    async with provider() as issuer:
        chosen.setenv("TOCSIN_OIDC_ISSUER", issuer)
        async with open_town(tmp_path, console_origin=ORIGIN) as town, client() as http:
            assert 303 == (await join(town, http, "Wang Fang"))[0]
            async with client() as other:
                status, _, page = await through(other, town.url, "/console/sign-in/office", "Wang Fang@county", change)
                assert (403, True, False) == (status, said in page, await opens(town, other))


async def test_an_answer_counts_once_and_in_the_browser_that_asked(tmp_path: Path, chosen: pytest.MonkeyPatch) -> None:
    """The same address again, and in another browser, which has no part of it."""
    async with provider() as issuer:
        chosen.setenv("TOCSIN_OIDC_ISSUER", issuer)
        async with open_town(tmp_path, console_origin=ORIGIN) as town, client() as http, client() as other:
            assert 303 == (await join(town, http, "Wang Fang"))[0]
            kept: list[str] = []
            start = "/console/sign-in/office"
            async with http.get(town.url + start, allow_redirects=False) as answer:
                trip = answer.cookies["tocsin_trip"].value
                kept.append(answer.headers["Location"])
            query = parse_qs(urlsplit(kept[0]).query)
            back = f"{town.url}/console/sign-in/office/back?code=x&iss={issuer}&state={query['state'][0]}"
            async with other.get(back) as answer:
                assert (403, True) == (answer.status, "began in another browser" in await answer.text())
            for said in ("does not take this answer", "was answered before"):
                async with other.get(back, headers={"Cookie": f"tocsin_trip={trip}"}) as answer:
                    assert (403, True) == (answer.status, said in await answer.text())


# ---- a provider that says what it must not


KEY, FOREIGN = generate_private_key(SECP256R1()), generate_private_key(SECP256R1())


class Liar:
    """Answers as a provider does, with the token it is given."""

    def __init__(self) -> None:
        self.token = ""
        self.issuer = ""
        self.said = ""

    async def about(self, request: web.Request) -> web.Response:
        here = self.issuer
        return web.json_response({"issuer": self.said or here, "authorization_endpoint": f"{here}/auth",
                                  "token_endpoint": f"{here}/token", "jwks_uri": f"{here}/jwks"})  # fmt: skip

    async def keys(self, request: web.Request) -> web.Response:
        key = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key()))
        return web.json_response({"keys": [key | {"kid": "one", "use": "sig", "alg": "ES256"}]})

    async def answer(self, request: web.Request) -> web.Response:
        return web.json_response({"id_token": self.token, "access_token": "a", "token_type": "Bearer"})


@pytest.fixture
async def liar() -> AsyncIterator[Liar]:
    made, app = Liar(), web.Application()
    app.router.add_get("/.well-known/openid-configuration", made.about)
    app.router.add_get("/jwks", made.keys)
    app.router.add_post("/token", made.answer)
    async with TestServer(app) as server:
        made.issuer = str(server.make_url("")).rstrip("/")
        yield made


PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
WRONG: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "another issuer": ({"iss": "https://evil.example"}, {}),
    "another audience": ({"aud": "other"}, {}),
    "made for two": ({"aud": ["tocsin", "other"]}, {}),
    "made for two, by the other": ({"aud": ["tocsin", "other"], "azp": "other"}, {}),
    "another nonce": ({"nonce": "x"}, {}),
    "no nonce": ({"nonce": None}, {}),
    "over": ({"exp": wall() - 120}, {}),
    "for ever": ({"exp": None}, {}),
    "of nobody": ({"sub": None}, {}),
    "unsigned": ({}, {"key": None, "algorithm": "none"}),
    "signed by another key": ({}, {"key": FOREIGN}),
    "signed by a key nobody names": ({}, {"headers": {"kid": "two"}}),
    "signed with a shared secret": ({}, {"key": "our secret, of thirty-two letters", "algorithm": "HS256"}),
}


@pytest.mark.parametrize("wrong", ["", *WRONG])
async def test_a_token_that_does_not_hold_is_refused(liar: Liar, wrong: str) -> None:
    """Each claim and each way to sign, one at a time; the right one is taken."""
    settings = OpenIdSettings(issuer=liar.issuer, client="tocsin", secret=SecretStr("our secret"))
    office = OpenId(settings, BACK)
    trip = office.trip("question", "sign-in")
    claims, signing = WRONG.get(wrong, ({}, {}))
    said = {
        "iss": liar.issuer,
        "sub": "wang",
        "aud": "tocsin",
        "nonce": trip.nonce,
        "iat": wall(),
        "exp": wall() + 60,
    } | claims
    how: dict[str, Any] = {"key": KEY, "algorithm": "ES256", "headers": {"kid": "one"}} | signing
    liar.token = jwt.encode({name: value for name, value in said.items() if value is not None}, **how)
    answer = {"state": "question", "code": "c"}
    if not wrong:
        assert (await office.returned(trip, answer)).startswith("oidc:")
        return
    with pytest.raises(NotAllowed):
        await office.returned(trip, answer)


async def test_a_provider_that_names_itself_otherwise_is_not_taken(liar: Liar) -> None:
    """Nor is an answer that names another one than was asked (RFC 9207)."""
    office = OpenId(OpenIdSettings(issuer=liar.issuer, client="tocsin"), BACK)
    trip = office.trip("question", "sign-in")
    with pytest.raises(NotAllowed, match="another provider"):
        await office.returned(trip, {"state": "question", "code": "c", "iss": "https://evil.example"})
    liar.said = "https://evil.example"
    with pytest.raises(Busy, match="says that it is"):
        await OpenId(OpenIdSettings(issuer=liar.issuer, client="tocsin"), BACK).leave(trip, afresh=False)
