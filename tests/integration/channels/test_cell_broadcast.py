"""Cell broadcast: what operators' gateways get, on which route, and what their answers and silences are taken for."""

from __future__ import annotations

import base64
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
import sqlalchemy as sa

from services.channels.drivers.cell_broadcast import cell_broadcast
from services.channels.drivers.cell_broadcast.cell_broadcast import CellBroadcast
from services.channels.drivers.cell_broadcast.operators import read_operators
from services.channels.messages.cap_document import read_document
from services.channels.model.driver import Outcome, Tools
from services.channels.model.outbound import Outbound
from services.shared.clock import LinearClock
from services.shared.crypto.signing import Signer
from services.shared.errors import Broken, Refused
from services.shared.ledger.tables import delivery
from services.shared.settings import Settings
from tests.integration.channels.test_loudspeaker import steps
from tests.kit.cap_keys import pair
from tests.kit.operator_gateway import gateway, name
from tests.kit.square import SENT, cap
from tests.kit.town import open_town
from tools.servers.proxy import Proxy

NONE: Any = None  # no recorder: nothing is reported

RED = "<parameter><valueName>awareness_level</valueName><value>4; red; Extreme</value></parameter>"
LINE = re.compile(
    r'"(?P<tag>[^"]+)";identifier=(?P<identifier>\d+);serial=(?P<serial>\d+);scheme=(?P<scheme>\d+);pages=(?P<pages>\d+);'
    r"text=:(?P<text>[A-Za-z0-9+/=]+):"
)


def lines(said: dict[str, list[str]]) -> list[dict[str, str]]:
    """The header lines as a gateway reads them."""
    found = []
    for line in said["Cell-Broadcast"]:
        match = LINE.fullmatch(line)
        assert match, line
        found.append(match.groupdict() | {"text": base64.b64decode(match["text"]).decode()})
    return found


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as one:
        yield one


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A silent gateway is waited for a second here."""
    monkeypatch.setattr(cell_broadcast, "TIMEOUT", aiohttp.ClientTimeout(total=1, connect=0.5))


def driver(
    session: aiohttp.ClientSession | None, monkeypatch: pytest.MonkeyPatch, plane: str = "live", **settings: str
) -> CellBroadcast:
    for key, value in settings.items():
        monkeypatch.setenv(f"TOCSIN_CELL_BROADCAST_{key.upper()}", value)
    given: Any = session
    tools: Any = Tools(given, NONE, Signer(b"k" * 32), LinearClock(), "http://127.0.0.1", plane, settings=Settings())
    return CellBroadcast(tools)


def message(delivery_id: str = "0a" * 16, status: str = "Actual", **more: Any) -> Outbound:
    document = cap(severity="Extreme", status=status, extra=RED, **more)
    return Outbound(delivery_id, "0c" * 16, "cell_broadcast", "", "", "", "", "", "", 3600, document=document, tier=4)


async def test_from_an_alert_to_the_operators_and_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both operators get the published document and each language's identifier; the end reaches them by references."""
    async with AsyncExitStack() as stack:
        one, two = [await stack.enter_async_context(gateway()) for _ in range(2)]
        monkeypatch.setenv("TOCSIN_CELL_BROADCAST_OPERATORS", f"one={one.url}, two={two.url}")
        monkeypatch.setenv("TOCSIN_CELL_BROADCAST_TOKENS", "two=t0ken")
        desk = await stack.enter_async_context(open_town(tmp_path))
        text = {"source": "清水县", "hazard": "山洪", "place": "河东", "action": "现在离家。\U0001f30a"}
        english = {"source": "Qingshui", "hazard": "Flood", "place": "Hedong", "action": "Go now."}
        body = {
            "identifier": "J-1", "sender": "duty@qingshui.example", "sent": "2026-06-10T01:10:00Z",
            "expires": "2026-06-10T09:00:00Z", "tier": "red", "hazard": "flash_flood", "respond": "evacuate",
            "texts": {"zh-CN": text, "en": english}, "circle": {"lat": 30, "lon": 103, "radius_km": 5},
        }  # fmt: skip
        _, taken = await desk.call("POST", "/api/v1/warnings", body)
        await steps(desk)
        published = (await desk.get(f"/cap/{taken['warning_id']}.xml"))[1]
        assert [[published]] * 2 == [one.came, two.came]
        assert (None, ["Bearer t0ken"]) == (one.said[0].get("Authorization"), two.said[0]["Authorization"])
        chinese, other = lines(one.said[0])
        assert ("zh-CN", "4370", "en", "4383") == (
            chinese["tag"], chinese["identifier"], other["tag"], other["identifier"]
        )  # fmt: skip
        assert chinese["serial"] != other["serial"]
        assert ("72", "1", "15", "1") == (chinese["scheme"], chinese["pages"], other["scheme"], other["pages"])
        assert chinese["text"].startswith("清水县:山洪。河东。现在离家。")
        assert other["text"].startswith("Qingshui: Flood. Hedong. Go now.")
        assert "\U0001f30a" not in chinese["text"]

        desk.clock.advance_to(SENT + 300)
        path = f"/api/v1/warnings/{taken['warning_id']}/cancel"
        await desk.call("POST", path, {"ending": "sent_by_mistake", "reason": "wrong county"})
        await steps(desk)
        assert 2 == len(one.came)
        assert b"<msgType>Cancel</msgType>" in one.came[1]
        assert name(published).encode() in one.came[1]
        assert {"4396", "4397"} == {line["identifier"] for line in lines(one.said[1])}
        async with desk.node.platform.database.read() as db:
            rows = (await db.execute(sa.select(delivery).where(delivery.c.channel == "cell_broadcast"))).all()
        assert {("accepted", 1)} == {(row.send_state, row.evidence) for row in rows}


ANSWERS: list[tuple[str | int, Outcome]] = [
    (200, Outcome.ACCEPTED), (202, Outcome.ACCEPTED), ("slow", Outcome.ACCEPTED), ("html", Outcome.ACCEPTED),
    (401, Outcome.PROVIDER_FAULT), (403, Outcome.PROVIDER_FAULT), (404, Outcome.PROVIDER_FAULT),
    (302, Outcome.PROVIDER_FAULT), (429, Outcome.NOT_SENT), (408, Outcome.NOT_SENT), (400, Outcome.PERMANENT),
    (422, Outcome.PERMANENT), (409, Outcome.PERMANENT), (500, Outcome.AMBIGUOUS), (503, Outcome.AMBIGUOUS),
    ("close", Outcome.AMBIGUOUS), ("hang", Outcome.AMBIGUOUS),
]  # fmt: skip


async def test_what_an_answer_means(session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our key refused fails nobody; whatever may have been taken is ambiguous; a refused document is refused for good."""
    async with gateway(headers={"Retry-After": "7"}) as one:
        channel = driver(session, monkeypatch, operators=f"one={one.url}")
        for n, (how, meant) in enumerate(ANSWERS):
            one.how = how
            result = await channel.send(message(f"{n:032x}"))
            assert (how, meant) == (how, result.outcome)
            assert (7.0 if how in (408, 429) else None) == (result.retry_after if meant is Outcome.NOT_SENT else None)
    result = await driver(session, monkeypatch, operators="one=http://127.0.0.1:9/cap").send(message())
    assert Outcome.NOT_SENT is result.outcome
    assert result.code.startswith("one: ClientConn")


async def test_a_half_open_line_is_ambiguous(session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway's end is gone and nobody told us: it may have been read."""
    async with gateway() as one, Proxy(int(one.url.split(":")[2].split("/")[0])) as line:
        line.mode = "half_open"
        result = await driver(session, monkeypatch, operators=f"one=http://127.0.0.1:{line.port}/cap").send(message())
    assert Outcome.AMBIGUOUS is result.outcome


@pytest.mark.parametrize("how", [401, 429, 500, "hang", "close", "gone"])
async def test_the_second_route_is_taken_when_the_first_fails(
    how: str | int, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accepted; what went out twice is the same document with the same identifier and serial."""
    async with gateway(how=how) as one, gateway() as two:
        first = "http://127.0.0.1:9/cap" if how == "gone" else one.url
        result = await driver(session, monkeypatch, operators=f"one={first}|{two.url}").send(message())
        assert Outcome.ACCEPTED is result.outcome
        assert [message().document] == two.came
        assert how == "gone" or (one.came, one.said[0]["Cell-Broadcast"]) == (two.came, two.said[0]["Cell-Broadcast"])


@pytest.mark.parametrize(
    ("first", "second", "meant"),
    [
        ("hang", "hang", Outcome.AMBIGUOUS), (500, 401, Outcome.AMBIGUOUS), (401, 500, Outcome.AMBIGUOUS),
        (429, 401, Outcome.PROVIDER_FAULT), (429, 429, Outcome.NOT_SENT), (422, 200, Outcome.PERMANENT),
    ],
)  # fmt: skip
async def test_two_routes_that_fail_are_told_by_what_may_have_happened(
    first: str | int, second: str | int, meant: Outcome, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unclear on one is unclear; a document refused for good is not shown to the other route."""
    async with gateway(how=first) as one, gateway(how=second) as two:
        result = await driver(session, monkeypatch, operators=f"one={one.url}|{two.url}").send(message())
        assert meant is result.outcome
        assert (0 if first == 422 else 1) == len(two.came)


async def test_who_has_it_is_not_asked_again(session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """One took it, one was busy: not sent; the retry goes to the busy one alone, and then all have it."""
    async with gateway() as one, gateway(how=429) as two:
        channel = driver(session, monkeypatch, operators=f"one={one.url},two={two.url}")
        result = await channel.send(message())
        assert (Outcome.NOT_SENT, "two: 429") == (result.outcome, result.code)
        assert {"one": "accepted", "two": "not_sent"} == {s.name: s.outcome.value for s in result.stations}
        two.how = 200
        again = msgspec.structs.replace(message(), again=True, settled={"one": Outcome.ACCEPTED})
        result = await channel.send(again)
        assert (Outcome.ACCEPTED, ["two"]) == (result.outcome, [s.name for s in result.stations])
        assert (1, 2) == (len(one.came), len(two.came))


async def test_another_process_that_tries_again_takes_known_already_for_accepted(
    session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that handed it over ended before it could say so."""
    async with gateway(knows_again=True) as one:
        channel = driver(session, monkeypatch, operators=f"one={one.url}")
        assert Outcome.ACCEPTED is (await channel.send(message())).outcome
        again = msgspec.structs.replace(message(), again=True)
        assert Outcome.ACCEPTED is (await driver(session, monkeypatch, operators=f"one={one.url}").send(again)).outcome


async def test_known_already_is_accepted_only_after_an_unclear_try(
    session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first route took it and fell silent: the second, of the same gateway, knows it. Without that 409 is a refusal."""
    shared: list[bytes] = []
    async with gateway(how="close", came=shared) as one, gateway(knows_again=True, came=shared) as two:
        result = await driver(session, monkeypatch, operators=f"one={one.url}|{two.url}").send(message())
    assert Outcome.ACCEPTED is result.outcome


@pytest.mark.parametrize(("plane", "status"), [("live", "Exercise"), ("live", "Test"), ("drill", "Actual")])
async def test_a_drill_never_leaves_the_live_plane_and_the_reverse(
    plane: str, status: str, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No gateway is asked at all; nor for what is no document."""
    async with gateway() as one:
        nothing = msgspec.structs.replace(message(), document=b"<html>")
        result = await driver(session, monkeypatch, plane, operators=f"one={one.url}").send(nothing)
        assert (Outcome.PERMANENT, "no document of ours") == (result.outcome, result.code)
        result = await driver(session, monkeypatch, plane, operators=f"one={one.url}").send(message(status=status))
        assert (Outcome.PERMANENT, f"{status} on {plane}") == (result.outcome, result.code)
        assert [] == one.came


@pytest.mark.parametrize(("status", "number"), [("Exercise", "4381"), ("Test", "4380")])
async def test_a_drill_has_its_own_identifier_and_says_so(
    status: str, number: str, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the drill plane, before everything else in the text."""
    async with gateway() as one:
        result = await driver(session, monkeypatch, "drill", operators=f"one={one.url}").send(message(status=status))
        assert Outcome.ACCEPTED is result.outcome
        (line,) = lines(one.said[0])
        assert number == line["identifier"]
        assert line["text"].startswith("DRILL.")


async def test_a_client_certificate_is_shown_and_the_gateways_is_checked(
    tmp_path: Path, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accepted with both; a gateway whose certificate we do not know gets nothing, and it is a fault for a person."""
    for who, host in (("ours", ""), ("theirs", "127.0.0.1")):
        key, cert = pair(who, host=host)
        (tmp_path / f"{who}.key").write_bytes(key)
        (tmp_path / f"{who}.pem").write_bytes(cert)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(tmp_path / "theirs.pem", tmp_path / "theirs.key")
    server.load_verify_locations(tmp_path / "ours.pem")
    server.verify_mode = ssl.CERT_REQUIRED
    async with gateway(server) as one:
        files = {"cert": str(tmp_path / "ours.pem"), "key": str(tmp_path / "ours.key")}
        result = await driver(session, monkeypatch, operators=f"one={one.url}", **files).send(message())
        assert (Outcome.PROVIDER_FAULT, []) == (result.outcome, one.came)
        channel = driver(session, monkeypatch, ca=str(tmp_path / "theirs.pem"))
        assert Outcome.ACCEPTED is (await channel.send(message())).outcome
        monkeypatch.delenv("TOCSIN_CELL_BROADCAST_KEY")
        with pytest.raises(Broken, match="belong together"):
            driver(session, monkeypatch)


def test_the_language_most_people_read_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the setting; of two blocks of a language the stronger one is shown."""
    document = read_document(message().document)
    block = document.infos[0]
    weak = replace(block, severity="Minor", urgency="Past", headline="weak")
    document = replace(document, infos=(weak, block, replace(block, language="zh-CN")))
    found = driver(None, monkeypatch, operators="one=https://x.example/cap", language="zh").headers(document)
    tags = [LINE.fullmatch(line)["tag"] for line in found.getall("Cell-Broadcast")]  # type: ignore[index]
    assert ["zh-CN", block.language] == tags
    assert b"weak" not in b"".join(base64.b64decode(v.split("text=:")[1][:-1]) for v in found.getall("Cell-Broadcast"))


def test_blocks_of_one_language_are_shown_each_with_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """The strongest first; of one text all places are named, and many by their count; a long action ends with a sentence."""
    document = read_document(message().document)
    dam = replace(document.infos[0], event="Dam failure", instruction="Climb to the church hill.", places=("Low Lane",))
    wind = replace(dam, severity="Minor", event="Wind", instruction="Tie down loose things.", places=("Hill Farm",))

    def shown(*infos: Any) -> str:
        found = driver(None, monkeypatch, operators="one=https://x.example/cap").headers(replace(document, infos=infos))
        (line,) = found.getall("Cell-Broadcast")
        return base64.b64decode(line.split("text=:")[1][:-1]).decode()

    text = shown(wind, dam)
    assert "Low Lane: Dam failure. Climb to the church hill." in text
    assert "Hill Farm: Wind. Tie down loose things." in text
    assert text.index("church") < text.index("Tie down")
    assert "Low Lane, Mill Road" in shown(dam, replace(dam, places=("Mill Road",)))
    assert "and 1" in (
        many := shown(replace(dam, places=tuple(f"Lane {n}" for n in range(150)), instruction="Go up 1.5 m. " * 300))
    )
    assert "Go up 1.5 m. Go up 1.5 m." in many
    assert not re.search(r"Go up 1(?!\.5 m)", many)
    assert "It is 26 C." in shown(replace(dam, instruction="It is 26 °C. Go up."))  # or its pages hold half as much


@pytest.mark.parametrize(
    ("operators", "tokens", "rule"),
    [
        ("one", "", "name=value"), ("One=https://x/cap", "", "name=value"), ("one=http://gateway.example/cap", "", "https"),
        ("one=https://u:p@x/cap", "", "address"), ("one=https://x/a|https://x/b|https://x/c", "", "routes"),
        ("one=https://x/a|https://x/a", "", "routes"), ("one=https://x/a,one=https://x/b", "", "unique"),
        ("one=https://x/a", "two=t", "known operator"), ("one=https://x/a", "t0ken", "name=value"),
    ],
)  # fmt: skip
def test_a_setting_that_does_not_fit_is_named(operators: str, tokens: str, rule: str) -> None:
    """Which setting and rule; never the token."""
    with pytest.raises(Refused) as fault:
        read_operators(operators, tokens)
    assert rule == fault.value.rule
    assert fault.value.field.startswith("TOCSIN_CELL_BROADCAST_")
    assert "t0ken" not in f"{fault.value} {fault.value.given}"


def test_without_operators_the_channel_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """And says so."""
    assert "not_configured" == driver(None, monkeypatch).why_not()
