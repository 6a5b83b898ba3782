"""Feeds: what is new becomes a draft, what vanishes is noted, and nothing is fetched that the file does not allow."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.gateway.feeds import feed_store
from services.gateway.feeds.file import read_feeds
from services.gateway.feeds.listing import listing
from services.gateway.feeds.poller import backoff
from services.gateway.intake import quarantine
from services.shared.errors import Refused
from services.shared.tiers import Tier
from services.shared.web.auth import all_keys, revoke_key
from services.shared.web.outgoing_addresses import may_reach
from tests.kit.publisher import Publisher
from tests.kit.square import cap
from tests.kit.town import Town, open_town


def feed_file(folder: Path, entry: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "feeds.yaml").write_text(yaml.safe_dump({"feeds": [entry]}))
    return folder / "feeds.yaml"


@asynccontextmanager
async def reading(folder: Path, publisher: Publisher, **entry: Any) -> AsyncIterator[Town]:
    """An office that reads the publisher's feed."""
    one = {"name": "met", "url": f"{publisher.url}/feed", "key": "met feed", "private": True} | entry
    async with open_town(folder / "data", cap_feeds=feed_file(folder, one)) as desk:
        await desk.new_key(label="met feed", actions=["draft", "send", "cancel", "read"], max_tier=Tier.ORANGE)
        yield desk


async def poll(desk: Town) -> Any:
    feeds = desk.node.gateway.feeds
    return await feeds.poll(feeds.entries[0])


async def states(desk: Town) -> dict[str, str]:
    _, found = await desk.call("GET", "/api/v1/warnings")
    out = {}
    for one in found:
        _, whole = await desk.call("GET", f"/api/v1/warnings/{one['warning_id']}")
        out[whole["identifier"]] = whole["state"]
    return out


async def notes(desk: Town, identifier: str) -> list[str]:
    _, found = await desk.call("GET", "/api/v1/warnings")
    for one in found:
        _, whole = await desk.call("GET", f"/api/v1/warnings/{one['warning_id']}")
        if whole["identifier"] == identifier:
            return list(whole["notes"])
    return []


async def test_each_new_alert_becomes_a_draft_once(tmp_path: Path, publisher: Publisher):
    """The second reading asks with the ETag, gets 304 and fetches no alert again."""
    publisher.atom("a", "b")
    publisher.alert("a", cap("A"))
    publisher.alert("b", cap("B", severity="Unknown"))
    async with reading(tmp_path, publisher) as desk:
        first = await poll(desk)
        assert (2, 0, "") == (first.taken, first.refused, first.problem)
        assert {"A": "draft", "B": "held"} == await states(desk)
        assert ["/a.xml", "/b.xml", "/feed"] == sorted(publisher.paths)
        publisher.asked.clear()
        again = await poll(desk)
        assert (0, 0, "") == (again.taken, again.refused, again.problem)
        ((path, headers),) = publisher.asked
        assert ("/feed", True, True) == (path, "If-None-Match" in headers, "If-Modified-Since" in headers)


async def test_by_grant_it_waits_as_held(tmp_path: Path, publisher: Publisher):
    """mode: held, and a key that may send; nothing goes out until a person lets it."""
    publisher.atom("a")
    publisher.alert("a", cap("A"))
    async with reading(tmp_path, publisher, mode="held") as desk:
        await poll(desk)
        assert {"A": "held"} == await states(desk)
        assert "held: it came by the feed met, and a person lets it out" in await notes(desk, "A")


@pytest.mark.parametrize("mode", ["held", "draft"])
async def test_the_key_of_a_feed_lets_nothing_out(tmp_path: Path, publisher: Publisher, mode: str) -> None:
    """Not what it brought, nor what another key brought and is held; a colleague does."""
    publisher.alert("a", cap("A"))
    publisher.atom("a")
    async with reading(tmp_path, publisher, mode=mode) as desk:
        async with desk.node.platform.database.read() as db:
            old = next(one.key_id for one in await all_keys(db) if one.label == "met feed")
        await revoke_key(desk.node.platform.database, old, actor="test", reason="replaced by one whose secret is known")
        feed = await desk.new_key(label="met feed", owner="Wang Fang")
        await poll(desk)
        _, found = await desk.call("GET", "/api/v1/warnings")
        _, other = await desk.post(cap("B", minutes=-25 * 60, expires=30 * 60))
        assert "held" == other["state"]
        for about in (found[0]["warning_id"], other["warning_id"]):
            status, said = await desk.call("POST", f"/api/v1/warnings/{about}/release", {}, key=feed)
            assert (403, "hold") == (status, said["rule"]), said
            colleague = await desk.new_key(owner="Wang Fang")
            assert 202 == (await desk.call("POST", f"/api/v1/warnings/{about}/release", {}, key=colleague))[0]


async def test_the_grant_of_its_key_binds_a_feed(tmp_path: Path, publisher: Publisher):
    """Red is above it: refused, kept for a person, and the neighbour comes in."""
    publisher.atom("a", "b")
    publisher.alert("a", cap("A", severity="Extreme"))
    publisher.alert("b", cap("B"))
    async with reading(tmp_path, publisher) as desk:
        done = await poll(desk)
        assert (1, 1) == (done.taken, done.refused)
        assert {"B": "draft"} == await states(desk)
        async with desk.node.platform.database.read() as db:
            kept = await quarantine.listed(db)
        assert [("feed met", True)] == [(row.origin, "may go up to orange" in row.why) for row in kept]


async def test_what_vanishes_is_withdrawn_unconfirmed(tmp_path: Path, publisher: Publisher):
    """After two whole listings without it; it goes on, and its return is noted too."""
    publisher.atom("a", "b")
    publisher.alert("a", cap("A"))
    publisher.alert("b", cap("B"))
    async with reading(tmp_path, publisher) as desk:
        await poll(desk)
        publisher.atom("b")
        await poll(desk)
        assert [] == await notes(desk, "A")
        publisher.atom("b", more="<title>again</title>")
        await poll(desk)
        assert ["withdrawn, unconfirmed"] == [n.partition(":")[0] for n in await notes(desk, "A")]
        assert {"A": "draft", "B": "draft"} == await states(desk)
        publisher.atom("a", "b")
        await poll(desk)
        assert "the feed met lists it again" == (await notes(desk, "A"))[-1]
        assert [] == await notes(desk, "B")


@pytest.mark.parametrize("body", [b"<feed xmlns='http://www.w3.org/2005/Atom'><entry>", b"<html/>", b"{", b""])
async def test_a_broken_or_partial_list_withdraws_nothing(tmp_path: Path, publisher: Publisher, body: bytes):
    """It is a problem that is said, and the next reading waits longer."""
    publisher.atom("a")
    publisher.alert("a", cap("A"))
    async with reading(tmp_path, publisher) as desk:
        await poll(desk)
        publisher.pages["/feed"] = ("application/atom+xml", body)
        waits = [(await poll(desk)).wait_s for _ in range(3)]
        assert [] == await notes(desk, "A")
        assert waits[0] < waits[1] < waits[2]
        async with desk.node.platform.database.read() as db:
            state = await feed_store.state_of(db, "met")
        assert state is not None
        assert (3, True) == (state.failures, bool(state.problem))


async def test_a_paged_list_is_not_whole(tmp_path: Path, publisher: Publisher):
    """What is not on the first page is not gone."""
    publisher.atom("a")
    publisher.alert("a", cap("A"))
    async with reading(tmp_path, publisher) as desk:
        await poll(desk)
        for n in range(3):
            publisher.atom(more=f'<title>{n}</title><link rel="next" href="/2"/>')
            await poll(desk)
        assert [] == await notes(desk, "A")


async def test_redirects_are_refused(tmp_path: Path, publisher: Publisher):
    """Wherever they lead."""
    publisher.status, publisher.headers = 302, {"Location": f"{publisher.url}/elsewhere"}
    async with reading(tmp_path, publisher) as desk:
        done = await poll(desk)
        assert "redirects" in done.problem
        assert ["/feed"] == publisher.paths


async def test_busy_servers_are_left_alone(tmp_path: Path, publisher: Publisher):
    """Retry-After counts where it is longer than our own patience."""
    publisher.status, publisher.headers = 503, {"Retry-After": "1800"}
    async with reading(tmp_path, publisher) as desk:
        assert (await poll(desk)).wait_s > 1600
    assert [120, 240, 3600] == [backoff(60, 1), backoff(60, 2), backoff(60, 30)]


async def test_a_list_larger_than_allowed_is_dropped(tmp_path: Path, publisher: Publisher):
    """Read no further than the cap, plain or said to be compressed."""
    publisher.pages["/feed"] = ("application/atom+xml", b"<feed>" + b" " * 9_000_000)
    async with reading(tmp_path, publisher) as desk:
        assert "larger than" in (await poll(desk)).problem
        publisher.atom("a")
        publisher.headers = {"Content-Encoding": "gzip"}
        assert "compresses" in (await poll(desk)).problem


async def test_private_addresses_are_not_reached(tmp_path: Path, publisher: Publisher):
    """By number or by name, unless the file says so."""
    port = publisher.url.rpartition(":")[2]
    wide = "\uff11\uff12\uff17.0.0.1"
    hosts = ("127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "0x7f.1", wide)  # noqa: S104
    for n, host in enumerate(hosts):
        async with reading(tmp_path / str(n), publisher, private=False, url=f"http://{host}:{port}/feed") as desk:
            problem = (await poll(desk)).problem
            assert "public address" in problem or "not a canonical IPv4 address" in problem, host
    assert [] == publisher.asked


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True), ("2606:4700::1111", True), ("10.1.2.3", False), ("192.168.0.1", False),
        ("169.254.169.254", False), ("100.64.0.1", False), ("::1", False), ("fe80::1%eth0", False), ("fd00::1", False),
        ("::ffff:10.0.0.1", False), ("2002:7f00:1::", False), ("64:ff9b::7f00:1", False), ("224.0.0.1", False),
        ("240.0.0.1", False), ("nonsense", False),
    ],
)  # fmt: skip
def test_which_addresses_are_public(address: str, public: bool):
    """Also those that hide a private one inside."""
    assert public == may_reach(address, private=False)


async def test_links_to_other_hosts_and_resources_are_never_fetched(tmp_path: Path, publisher: Publisher):
    """A socket listens at the address in <uri>, <web> and a foreign link: nobody comes."""
    with socket.socket() as trap:
        trap.bind(("127.0.0.1", 0))
        trap.listen()
        trap.setblocking(False)
        there = f"http://127.0.0.1:{trap.getsockname()[1]}/x"
        resource = (
            f"<resource><resourceDesc>x</resourceDesc><mimeType>image/png</mimeType><uri>{there}</uri></resource>"
        )
        publisher.alert("a", cap("A", extra=f"<web>{there}</web>{resource}"))
        foreign = f'<entry><id>f</id><link type="application/cap+xml" href="{there}"/></entry>'
        publisher.atom("a", more=foreign)
        async with reading(tmp_path, publisher) as desk:
            done = await poll(desk)
            assert (1, 1) == (done.taken, done.refused)
        with pytest.raises(BlockingIOError):
            trap.accept()


async def test_a_link_that_fails_is_tried_again_and_given_up(tmp_path: Path, publisher: Publisher):
    """A file that comes a reading later is taken; one that never comes is left after five tries."""
    publisher.atom("a", "b")
    publisher.alert("a", cap("A"))
    async with reading(tmp_path, publisher) as desk:
        await poll(desk)
        for _ in range(2):
            await poll(desk)
        publisher.alert("b", cap("B"))
        await poll(desk)
        assert {"A": "draft", "B": "draft"} == await states(desk)
        publisher.atom("a", "b", "c")
        for _ in range(7):
            await poll(desk)
        assert 5 == publisher.paths.count("/c.xml")


async def test_hostile_alerts_are_kept_and_harm_nobody(tmp_path: Path, publisher: Publisher):
    """A DOCTYPE with an entity: refused by rule; its neighbour comes in."""
    publisher.atom("a", "b")
    bomb = cap("A").replace(b"?>", b'?><!DOCTYPE alert [<!ENTITY x SYSTEM "file:///etc/hostname">]>', 1)
    publisher.alert("a", bomb)
    publisher.alert("b", cap("B"))
    async with reading(tmp_path, publisher) as desk:
        await poll(desk)
        assert {"B": "draft"} == await states(desk)
        async with desk.node.platform.database.read() as db:
            assert 1 == len(await quarantine.listed(db))


async def test_senders_and_signatures_bind_a_feed(tmp_path: Path, publisher: Publisher):
    """An alert of somebody else is not taken; one without the feed's signature is held."""
    from tests.kit.cap_keys import pair

    tmp_path.joinpath("met.pem").write_bytes(pair("Met")[1])
    publisher.atom("a", "b")
    publisher.alert("a", cap("A"))
    publisher.alert("b", cap("B", sender="else@where.example"))
    async with reading(tmp_path, publisher, senders=["met@qingshui.example"], certs="met.pem", mode="held") as desk:
        done = await poll(desk)
        assert (1, 1) == (done.taken, done.refused)
        assert any("is not so signed" in note for note in await notes(desk, "A"))


def bare(data: bytes) -> str:
    return data.decode().partition("?>")[2].strip()


async def test_alerts_that_lie_in_the_feed_itself(tmp_path: Path, publisher: Publisher):
    """Atom with content, and EDXL-DE: taken without another request, noted when they vanish."""
    inside = "".join(f"<entry><id>{n}</id><content>{bare(cap(n))}</content></entry>" for n in ("A", "B"))
    publisher.pages["/feed"] = (
        "application/atom+xml",
        f'<feed xmlns="http://www.w3.org/2005/Atom">{inside}</feed>'.encode(),
    )
    edxl = (
        '<EDXLDistribution xmlns="urn:oasis:names:tc:emergency:EDXL:DE:1.0"><contentObject><xmlContent>'
        f"<embeddedXMLContent>{bare(cap('C'))}</embeddedXMLContent></xmlContent></contentObject></EDXLDistribution>"
    )
    async with reading(tmp_path, publisher) as desk:
        done = await poll(desk)
        assert (2, 0) == (done.taken, done.refused)
        publisher.pages["/feed"] = ("application/xml", edxl.encode())
        await poll(desk)
        assert {"A": "draft", "B": "draft", "C": "draft"} == await states(desk)
        publisher.pages["/feed"] = ("application/xml", edxl.encode() + b"\n")
        await poll(desk)
        assert "withdrawn, unconfirmed" in (await notes(desk, "A"))[-1]
        assert {"/feed"} == set(publisher.paths)


def test_lists_of_other_kinds():
    """RSS by enclosure or link, JSON Feed by attachment, a bare list; more than a page is not whole."""
    base = "https://met.example/x/feed"
    rss = (
        b"<rss><channel><link>https://met.example/</link><item><guid>1</guid><link>https://met.example/1.html</link>"
        b'<enclosure type="application/cap+xml" url="/1.cap"/></item>'
        b"<item><title>t</title><link>2.xml</link></item></channel></rss>"
    )
    assert ["https://met.example/1.cap", "https://met.example/x/2.xml"] == [e.link for e in listing(rss, base).entries]
    ours = (
        b'{"version": "https://jsonfeed.org/version/1.1", "items": [{"id": "1", "url": "https://met.example/page",'
        b'"attachments": [{"url": "https://met.example/1.xml", "mime_type": "application/cap+xml"}]}]}'
    )
    assert ["https://met.example/1.xml"] == [e.link for e in listing(ours, base).entries]
    assert ["https://met.example/x/a.xml"] == [e.link for e in listing(b'["a.xml"]', base).entries]
    assert not listing(b'{"items": [], "next_url": "2"}', base).whole
    for bad in (b"[" * 100_000, b'{"items": 3}', b"<alert/>", b"<!DOCTYPE feed [<!ENTITY a 'b'>]><feed/>"):
        with pytest.raises(Refused):
            listing(bad, base)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("feeds: [{name: A!, url: 'https://x.example', key: k}]", "name"),
        ("feeds: [{name: a, url: 'ftp://x.example', key: k}]", "whole http"),
        ("feeds: [{name: a, url: 'https://u:p@x.example', key: k}]", "without a user name"),
        ("feeds: [{name: a, url: 'https://x.example', key: k, intervall: 3}]", "intervall"),
        ("feeds: [{name: a, url: 'https://x.example', key: k}, {name: a, url: 'https://y.example', key: k}]", "two feeds"),
        ("feeds: {", "correct the YAML"),
        ("[]", "give entries"),
    ],
)  # fmt: skip
def test_a_wrong_feed_file_is_said_at_start(tmp_path: Path, text: str, words: str):
    """Which entry, which field."""
    (tmp_path / "feeds.yaml").write_text(text)
    with pytest.raises(Refused, match=r"TOCSIN_CAP_FEEDS=.*feeds\.yaml: line ") as wrong:
        read_feeds(tmp_path / "feeds.yaml")
    assert words in wrong.value.message


async def test_a_loop_of_its_own_reads_a_feed_when_its_time_has_come(
    tmp_path: Path, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
):
    """Supervised with the other loops: no turn waits for the next reading."""
    publisher.atom("a")
    publisher.alert("a", cap("A"))
    async with reading(tmp_path, publisher) as desk:
        now = 1000.0
        monkeypatch.setattr("services.gateway.feeds.poller.monotonic", lambda: now)
        [loop] = desk.node.gateway.feeds.loops()
        publisher.asked.clear()
        assert not await loop.turn()
        assert [] == publisher.asked
        now += 60 * 60
        assert not await loop.turn()
        asked = len(publisher.asked)
        assert asked > 0
        assert not await loop.turn()
        assert asked == len(publisher.asked)


async def test_without_a_key_nothing_is_fetched(tmp_path: Path, publisher: Publisher):
    """The label names no valid key: said, and no request is made."""
    async with reading(tmp_path, publisher, key="nobody") as desk:
        assert "no valid key is labelled nobody" in (await poll(desk)).problem
        assert [] == publisher.asked


async def test_the_most_urgent_and_newest_of_a_backlog_come_first(tmp_path: Path, publisher: Publisher) -> None:
    """The one that is extreme, then those changed last, in the first reading of five hundred; the rest at once after it."""
    ns = 'xmlns="http://www.w3.org/2005/Atom" xmlns:cap="urn:oasis:names:tc:emergency:cap:1.2"'
    entries = []
    for n in range(500):
        grade = "<cap:severity>Extreme</cap:severity><cap:urgency>Immediate</cap:urgency>" if n == 250 else ""
        changed = f"2026-06-10T0{n // 100}:{n % 60:02d}:00Z"
        entries.append(f'<entry><id>{n}</id><updated>{changed}</updated>{grade}<link href="/a{n}.xml"/></entry>')
        publisher.alert(f"a{n}", cap(f"A{n}"))
    publisher.pages["/feed"] = ("application/atom+xml", f"<feed {ns}><id>x</id>{''.join(entries)}</feed>".encode())
    async with reading(tmp_path, publisher) as desk:
        done = await poll(desk)
        assert "/a250.xml" == publisher.paths[1]
        asked = [int(path[2:-4]) for path in publisher.paths[2:]]
        assert min(asked) >= 400
        assert done.wait_s < 3.0
        assert 41 == done.taken


async def test_a_document_many_entries_link_to_is_fetched_and_taken_once(tmp_path: Path, publisher: Publisher) -> None:
    """A feed with an entry an area."""
    entries = "".join(
        f"<entry><id>{n}</id><updated>2026-06-10T01:00:00Z</updated><link href='/a.xml'/></entry>" for n in range(300)
    )
    body = f'<feed xmlns="http://www.w3.org/2005/Atom"><id>x</id>{entries}</feed>'
    publisher.pages["/feed"] = ("application/atom+xml", body.encode())
    publisher.alert("a", cap("A"))
    async with reading(tmp_path, publisher) as desk:
        await poll(desk)
        await poll(desk)
        assert ["/feed", "/a.xml", "/feed"] == publisher.paths
        assert {"A": "draft"} == await states(desk)


def test_links_stand_where_their_element_says() -> None:
    """xml:base of the feed, of the entry, relative to each other; an RSS guid that is a permanent link; no other guid."""
    atom = b"""<feed xmlns="http://www.w3.org/2005/Atom" xml:base="http://a.example/one/"><id>x</id>
    <entry><id>1</id><link href="1.xml"/></entry><entry xml:base="two/"><id>2</id><link href="2.xml"/></entry>
    <entry xml:base="http://b.example/"><id>3</id><link href="3.xml"/></entry></feed>"""
    found = [e.link for e in listing(atom, "http://feed.example/atom").entries]
    assert ["http://a.example/one/1.xml", "http://a.example/one/two/2.xml", "http://b.example/3.xml"] == found
    rss = b"""<rss><channel><item><guid>http://a.example/4.xml</guid></item>
    <item><guid isPermaLink="false">http://a.example/5.xml</guid></item><item><guid>urn:x:6</guid></item>
    <item><guid>7</guid><enclosure url="/7.cap" type="application/octet-stream"/></item>
    <item><guid>8</guid><pubDate>Wed, 10 Jun 2026 01:10:00 GMT</pubDate></item></channel></rss>"""
    items = listing(rss, "http://feed.example/rss").entries
    assert ["http://a.example/4.xml", "", "", "http://feed.example/7.cap", ""] == [e.link for e in items]
    assert 1_781_053_800.0 == items[4].at
