"""Attacks a warning with other keys than its own: to send, end, replace, lower or read it; and its own still may."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
import shapely
import sqlalchemy as sa

from services.shared.audit import trail
from services.shared.bus.outbox import new_id
from services.shared.clock import iso
from services.shared.ledger import areas
from services.shared.ledger.warnings import warning_state
from services.shared.powers.may import may
from services.shared.powers.power import Power
from services.shared.powers.warnings import seen_by, warning_thing
from services.shared.powers.who import ACTIONS
from services.shared.tiers import Tier
from services.shared.web.auth import all_keys, create_key, name_superior, revoke_key, who_is
from tests.kit import alerts
from tests.kit.square import SENT, moment
from tests.kit.town import Town, open_town

pytestmark = pytest.mark.asyncio(loop_scope="module")
HOME, AWAY = shapely.box(102.9, 29.9, 103.1, 30.1), shapely.box(10.0, 10.0, 10.2, 10.2)
OURS, THEIRS = "Qingshui", "Beitan"


def geo(shape: shapely.Geometry) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(shapely.to_geojson(shape))
    return found


def storm(**given: Any) -> dict[str, Any]:
    """A red warning for the middle of HOME, as JSON; every one has a name of its own."""
    words = {"source": OURS, "hazard": "Storm", "place": "Nanling", "action": "Go inside and stay there."}
    return {"identifier": new_id(), "sender": "a@qingshui.example", "sent": iso(SENT), "expires": iso(SENT + 7200),
            "tier": "red", "hazard": "storm", "texts": {"en": words}, "area": geo(HOME.buffer(-0.05))} | given  # fmt: skip


@dataclass
class Desks:
    """A county, a village elsewhere, and keys of both by what they may."""

    town: Town
    keys: dict[str, str]

    async def post(self, key: str, body: dict[str, Any], **query: str) -> tuple[int, Any]:
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        return await self.town.call("POST", f"/api/v1/warnings?{asked}", body, key=self.keys[key])

    async def call(self, key: str, path: str, body: Any = None) -> tuple[int, Any]:
        return await self.town.call("POST" if body is not None else "GET", path, body, key=self.keys[key])

    async def form(self, key: str, path: str, **fields: str) -> tuple[int, str]:
        """As a browser asks, with the key in the place of its cookie."""
        headers = {"Authorization": f"Bearer {self.keys[key]}", "Accept": "text/html"}
        method = "POST" if fields else "GET"
        async with self.town.session.request(
            method, self.town.url + path, data=fields or None, headers=headers, allow_redirects=False
        ) as got:
            return got.status, await got.text()

    async def red(self) -> str:
        """A red of the county's, out."""
        status, taken = await self.post("owner", storm())
        assert (202, "active") == (status, taken["state"]), taken
        return str(taken["warning_id"])

    async def draft(self, **given: Any) -> str:
        status, taken = await self.post("owner", storm(**given), release="false")
        assert (202, "draft") == (status, taken["state"]), taken
        return str(taken["warning_id"])

    async def state(self, warning_id: str) -> tuple[str, int, str]:
        row = await self.town.warning(warning_id)
        return row.state, row.tier, row.doors

    async def acts(self, warning_id: str) -> list[tuple[str, str]]:
        log = trail.audit_log.c
        found = await self.town.rows(sa.select(log.act, log.actor).where(log.subject == warning_id).order_by(log.n))
        return [tuple(one) for one in found]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desks() -> AsyncIterator[Desks]:
    async with open_town() as town:
        database = town.node.platform.database
        async with database.write() as tx:
            rows = [
                {"value_name": "GB2260", "code": code, "parent": "", "name": code, "authority": "",
                 "geojson": shapely.to_geojson(shape)}
                for code, shape in (("510000", HOME), ("990000", AWAY))
            ]  # fmt: skip
            await tx.execute(sa.insert(areas.area), rows)

        async def key(label: str, name: str, *actions: str, tier: Tier = Tier.RED, **bounds: Any) -> str:
            return await create_key(
                database, name=name, label=label, actions=actions or ACTIONS, max_tier=tier, alone=Tier.RED, **bounds
            )

        keys = {
            "owner": town.key,
            "colleague": await key("colleague", OURS),
            "blue": await key("blue", OURS, "read", "draft", "send", "cancel", "command", tier=Tier.BLUE),
            "drafts": await key("drafts", OURS, "draft"),
            "sends": await key("sends", OURS, "read", "draft", "send"),
            "cuts": await key("cuts", OURS, events=["power_cut"]),
            "other sender": await key("other sender", OURS, senders=["z@qingshui.example"]),
            "elsewhere": await key("elsewhere", OURS, area=shapely.to_geojson(AWAY)),
            "stranger": await key("stranger", THEIRS),
            "second stranger": await key("second stranger", THEIRS),
            "village": await key(
                "village",
                THEIRS,
                area=shapely.to_geojson(AWAY),
                senders=["b@beitan.example"],
                events=["storm"],
                names=[THEIRS, OURS],
            ),
            "superior": await key("superior", "Province"),
            "over nobody": await key("over nobody", "Other Province"),
            "above both": await key("above both", "Capital"),
        }
        await name_superior(database, OURS, "Province", actor="test", reason="the law says so")
        for name in (OURS, THEIRS):
            await name_superior(database, name, "Capital", actor="test", reason="the law says so")
        yield Desks(town, keys)


# ---- what went out: ended, replaced, its doors said

STRANGERS = ("stranger", "over nobody")
BOUND = ("blue", "cuts", "other sender", "elsewhere")


@pytest.mark.parametrize("key", [*STRANGERS, *BOUND, "village", "drafts", "sends"])
async def test_nobody_else_ends_it(desks: Desks, key: str) -> None:
    """By API and by console; and whoever is answered is told who may."""
    red = await desks.red()
    for ending in ("may_return", "sent_by_mistake", "checking"):
        status, said = await desks.call(key, f"/api/v1/warnings/{red}/cancel", {"ending": ending, "reason": "xx"})
        assert 403 == status, said
    assert 403 == (await desks.call(key, f"/api/v1/warnings/{red}/release", {}))[0] or key == "sends"
    assert 403 == (await desks.form(key, f"/console/warnings/{red}/end"))[0]
    assert 403 == (await desks.form(key, f"/console/warnings/{red}/end", ending="may_return", reason="xx"))[0]
    assert ("active", 4, "ask") == await desks.state(red)
    status, ended = await desks.call(
        "colleague", f"/api/v1/warnings/{red}/cancel", {"ending": "checking", "reason": "xx"}
    )
    assert (202, "active") == (status, ended["state"])


@pytest.mark.parametrize("key", [*BOUND, "drafts"])
@pytest.mark.parametrize(
    "change", [{"tier": "blue"}, {"tier": "blue", "area": geo(shapely.box(0, 0, 0.001, 0.001))}, {"area": geo(AWAY)}]
)
async def test_a_smaller_key_of_its_own_does_not_replace_it(desks: Desks, key: str, change: dict[str, Any]) -> None:
    """By an update of a lower tier, a speck elsewhere, another sender, another event: the red goes on."""
    own = {"cuts": {"hazard": "power_cut"}, "other sender": {"sender": "z@qingshui.example"}}.get(key, {})
    red = await desks.red()
    status, said = await desks.post(key, storm(updates=red, **change, **own))
    assert 403 == status, said
    status, drafted = await desks.post(key, storm(updates=red, **change, **own), release="false")
    if status == 202 and key != "drafts":  # as a draft it does no harm, and is not let out either
        assert 403 == (await desks.call(key, f"/api/v1/warnings/{drafted['warning_id']}/release", {}))[0]
    assert ("active", 4, "ask") == await desks.state(red)


async def test_its_own_replaces_it(desks: Desks) -> None:
    """Owner and superior, at once; the superior's update needs nobody else's word."""
    for key in ("colleague", "superior"):
        red = await desks.red()
        status, taken = await desks.post(key, storm(updates=red, tier="orange"))
        assert (202, "active") == (status, taken["state"]), taken
        assert "superseded" == (await desks.state(red))[0]


@pytest.mark.parametrize("kind", ["json", "Update", "Cancel"])
async def test_what_would_end_anothers_is_held_and_no_key_of_theirs_lets_it_out(desks: Desks, kind: str) -> None:
    """Neither the one it came with nor a second one; CAP and JSON alike. The owner's own end is not in its way."""
    red = await desks.red()
    row = (await desks.town.call("GET", f"/api/v1/warnings/{red}"))[1]
    if kind == "json":
        status, taken = await desks.post("stranger", storm(updates=red, tier="blue"))
    else:
        name = f"{row['sender']},{row['identifier']},{row['sent'].replace('Z', '+00:00')}"
        body = alerts.alert(new_id(), kind=kind, references=name, sent=iso(SENT + 1).replace("Z", "+00:00"))
        body = body.replace("alerts@qingshui.example", "b@beitan.example")
        status, taken = await desks.town.post(body.encode(), key=desks.keys["stranger"], strict="false")
    assert (202, "held") == (status, taken["state"]), taken
    assert "another authority" in taken["notes"][-1]
    for key in ("stranger", "second stranger"):
        status, said = await desks.call(key, f"/api/v1/warnings/{taken['warning_id']}/release", {"tier": "red"})
        assert 403 == status, said
    assert ("active", 4, "ask") == await desks.state(red)


def naming(*named: dict[str, Any], kind: str, seconds: float) -> bytes:
    """Beitan's message that names the county's, so many seconds after SENT."""
    names = " ".join(f"{one['sender']},{one['identifier']},{moment(0)}" for one in named)
    body = alerts.alert(new_id(), kind=kind, references=names, sent=moment(seconds / 60))
    return body.replace("alerts@qingshui.example", "b@beitan.example").encode()


async def test_who_names_anothers_warnings_binds_none_of_them_together(desks: Desks) -> None:
    """An acknowledgement from elsewhere names two; its authority's update of the one leaves the other in force."""
    one, two = storm(), storm()
    first, second = [(await desks.post("owner", body))[1]["warning_id"] for body in (one, two)]
    body = naming(one, two, kind="Ack", seconds=0)
    status, taken = await desks.town.post(body, key=desks.keys["stranger"], strict="false", release="false")
    assert (202, "stored") == (status, taken["state"]), taken
    status, update = await desks.post("owner", storm(updates=first, sent=iso(SENT + 1)))
    assert (202, "active") == (status, update["state"])
    assert ("superseded", "active") == ((await desks.state(first))[0], (await desks.state(second))[0])


async def test_who_names_anothers_warning_is_not_its_newest_word(desks: Desks) -> None:
    """A message said to be older than what it names ends nothing and goes out by itself: nobody who looks the county's
    number up reads it, or its end, and its cases are not shown to whoever sent it."""
    body, name = storm(), new_id()
    warning_id = (await desks.post("owner", body))[1]["warning_id"]
    status, taken = await desks.town.post(
        naming(body, kind="Update", seconds=-5), key=desks.keys["stranger"], strict="false"
    )
    assert (202, "active") == (status, taken["state"]), taken
    ending = {"ending": "danger_lower_stay_away", "reason": "their own"}
    assert 202 == (await desks.call("stranger", f"/api/v1/warnings/{taken['warning_id']}/cancel", ending))[0]
    number = (await desks.town.warning(warning_id)).number
    _, page, _ = await desks.town.get(f"/public/check?number={number}")
    assert b"Message No. %s is from us" % number.encode() in page
    chains = [(await desks.town.warning(one)).chain_id for one in (warning_id, taken["warning_id"])]
    assert [warning_id, taken["warning_id"]] == chains
    early = naming(storm(identifier=name), kind="Cancel", seconds=-5)
    status, parked = await desks.town.post(early, key=desks.keys["stranger"], strict="false")
    assert (202, "parked") == (status, parked["state"]), parked
    status, late = await desks.post("owner", storm(identifier=name))
    assert (202, "active") == (status, late["state"])
    assert late["warning_id"] == (await desks.town.warning(late["warning_id"])).chain_id


async def test_a_superior_lets_an_update_of_anothers_into_its_chain(desks: Desks) -> None:
    """What both authorities stand below lets it out; who looks the older number up is led to the newer."""
    body = storm()
    first = (await desks.post("owner", body))[1]["warning_id"]
    status, held = await desks.post("stranger", storm(updates=first, sent=iso(SENT + 1)))
    assert (202, "held") == (status, held["state"])
    assert held["warning_id"] == (await desks.town.warning(held["warning_id"])).chain_id
    status, out = await desks.call("above both", f"/api/v1/warnings/{held['warning_id']}/release", {"tier": "red"})
    assert (202, "active") == (status, out["state"]), out
    assert "superseded" == (await desks.state(first))[0]
    assert first == (await desks.town.warning(held["warning_id"])).chain_id


async def test_an_ending_that_was_given_up_can_be_said_again(desks: Desks) -> None:
    """A colleague withdraws it too early; people must still be told one day that they may go home."""
    red = await desks.red()
    said = {"ending": "may_return", "reason": "the water is gone"}
    for key, state in (("owner", "held"), ("colleague", "active")):
        status, taken = await desks.call(key, f"/api/v1/warnings/{red}/cancel", said)
        assert (202, state) == (status, taken["state"]), taken
        if state == "held":
            given_up = {"ending": "checking", "reason": "too early"}
            path = f"/api/v1/warnings/{taken['warning_id']}/cancel"
            assert "withdrawn" == (await desks.call("colleague", path, given_up))[1]["state"]
            assert "held" == (await desks.call("owner", f"/api/v1/warnings/{red}/cancel", said))[1]["state"]
    assert "cancelled" == (await desks.state(red))[0]


@pytest.mark.parametrize("key", [*STRANGERS, "blue", "elsewhere", "sends", "drafts"])
async def test_nobody_else_says_doors(desks: Desks, key: str) -> None:
    """Not on a live one, not along with a draft, not at its release; whose word it was is kept."""
    red, draft = await desks.red(), await desks.draft()
    status, said = await desks.call(key, f"/report/{red}/doors", {"word": "safe", "commander": "anybody"})
    assert 403 == status, said
    status, said = await desks.call(key, f"/api/v1/warnings/{draft}/release", {"doors": "safe"})
    assert status == (404 if key in STRANGERS else 403), said
    assert "ask" == (await desks.state(red))[2]
    assert ("draft", 4, "ask") == await desks.state(draft)
    if key not in STRANGERS:
        status, said = await desks.post(key, storm(), release="false", doors="safe")
        assert 403 == status, said
    status, taken = await desks.post("colleague", storm(), release="false", doors="safe")
    assert (202, "allowed") == (status, (await desks.state(taken["warning_id"]))[2])
    assert ("doors", "colleague") in await desks.acts(taken["warning_id"])
    assert "colleague" == (await desks.town.warning(taken["warning_id"])).doors_by


# ---- drafts of another are not there


@pytest.mark.parametrize("key", ["stranger", "village", "over nobody"])
async def test_anothers_draft_is_not_there(desks: Desks, key: str) -> None:
    """Every way to it answers as to an id that never was; its list and its count do not tell of it either."""
    draft, never = await desks.draft(), new_id()
    answers = []
    for about in (draft, never):
        found = [
            await desks.call(key, f"/api/v1/warnings/{about}"),
            await desks.call(key, f"/api/v1/warnings/{about}/release", {}),
            await desks.call(key, f"/api/v1/warnings/{about}/release", {"tier": "blue", "reason": "xx"}),
            await desks.call(key, f"/api/v1/warnings/{about}/cancel", {"ending": "not_ours", "reason": "xx"}),
            await desks.post(key, storm(sender="b@beitan.example", area=geo(AWAY), updates=about)),
            await desks.form(key, f"/live/{about}/preview"),
            await desks.form(key, f"/console/warnings/{about}/end"),
            await desks.form(key, f"/console/warnings/{about}/end", ending="withdraw", reason="xx"),
            await desks.form(key, f"/console/warnings/{about}/send", doors="safe"),
        ]
        answers.append([(status, _same(said, about)) for status, said in found])
    assert answers[0] == answers[1]
    assert {404} == {status for status, _ in answers[0]}
    assert ("draft", 4, "ask") == await desks.state(draft)
    assert 202 == (await desks.call("superior", f"/api/v1/warnings/{draft}/release", {}))[0]


def _same(said: object, about: str) -> str:
    """What was answered without what differs between any two requests."""
    if isinstance(said, dict):
        said = {name: value for name, value in said.items() if name != "instance"}
    return str(said).replace(about, "ID")


async def test_an_alert_that_names_anothers_draft_learns_nothing(desks: Desks) -> None:
    """A Cancel or Update by CAP that refers to it is as one of something unknown, and the draft stays."""
    row = storm()
    await desks.post("owner", row, release="false")
    sent = iso(SENT).replace("Z", "+00:00")
    for kind, state in (("Update", "active"), ("Cancel", "parked")):
        told = []
        for name in (row["identifier"], new_id()):
            names = f"{row['sender']},{name},{sent}"
            body = alerts.alert(new_id(), kind=kind, references=names, sent=iso(SENT + 1).replace("Z", "+00:00"))
            _, taken = await desks.town.post(body.encode(), key=desks.keys["stranger"], strict="false")
            told.append((taken["state"], taken["notes"]))
        assert told[0] == told[1]
        assert state == told[0][0]
    _, found = await desks.call("owner", f"/api/v1/warnings/{await _id_of(desks, row)}")
    assert "draft" == found["state"]


async def _id_of(desks: Desks, body: dict[str, Any]) -> str:
    _, taken = await desks.post("owner", body, release="false")
    return str(taken["warning_id"])


async def test_the_same_alert_of_another_stands_in_nobodys_way(desks: Desks) -> None:
    """What a stranger drafted first, to block it, the rightful one sends all the same; a draft of it is refused in words."""
    body = storm()
    status, drafted = await desks.post("stranger", body, release="false")
    assert (202, "draft") == (status, drafted["state"])
    status, said = await desks.post("owner", body, release="false")
    assert (409, "owner") == (status, said["rule"])
    status, taken = await desks.post("owner", body)
    assert (202, "active") == (status, taken["state"])
    assert (OURS, "active") == tuple(
        (await desks.town.rows(sa.select(warning_state.c.authority, warning_state.c.state)
                               .where(warning_state.c.warning_id == taken["warning_id"])))[0]
    )  # fmt: skip
    assert 403 == (await desks.call("stranger", f"/api/v1/warnings/{taken['warning_id']}/cancel",
                                    {"ending": "not_ours", "reason": "xx"}))[0]  # fmt: skip


# ---- a key bound to an area


@pytest.mark.parametrize(
    "codes", [[["GB2260", "510000"]], [["GB2260", "990000"], ["GB2260", "510000"]], [["SAME", "1"]]]
)
@pytest.mark.parametrize("release", ["true", "false"])
async def test_codes_do_not_carry_a_bound_key_further(desks: Desks, codes: list[list[str]], release: str) -> None:
    """Beside a polygon inside, alone, or where nobody knows the place, by JSON and by CAP."""
    own = {"sender": "b@beitan.example"}
    for given in ({"area": geo(AWAY), "geocodes": codes}, {"area": None, "geocodes": codes}):
        status, said = await desks.post("village", storm(**own, **given), release=release)
        assert (403, "grant.area") == (status, said["rule"]), said
    area = "<polygon>10.01,10.01 10.01,10.1 10.1,10.1 10.01,10.01</polygon>"
    area += "".join(f"<geocode><valueName>{a}</valueName><value>{b}</value></geocode>" for a, b in codes)
    cap = alerts.alert(
        new_id(), alerts.info(event="Storm", area=area, sender_name=THEIRS), sent=iso(SENT).replace("Z", "+00:00")
    )
    cap = cap.replace("alerts@qingshui.example", "b@beitan.example")
    key = await desks.town.new_key(name=THEIRS, area=shapely.to_geojson(AWAY))
    status, said = await desks.town.post(cap.encode(), key=key, strict="false", release=release)
    assert (403, "grant.area") == (status, said["rule"]), said


async def test_a_bound_key_warns_inside(desks: Desks) -> None:
    """By polygon, by a code known to lie inside, and by both."""
    for given in ({"area": geo(AWAY)}, {"area": None, "geocodes": [["GB2260", "990000"]]},
                  {"area": geo(AWAY.buffer(-0.01)), "geocodes": [["GB2260", "990000"]]}):  # fmt: skip
        status, taken = await desks.post("village", storm(sender="b@beitan.example", **given))
        assert (202, "active") == (status, taken["state"]), taken


async def test_a_draft_is_held_against_whoever_lets_it_out(desks: Desks) -> None:
    """A colleague's grant decides, not that of whoever wrote it: tier, sender, event, area."""
    for key in BOUND:
        draft = await desks.draft()
        status, said = await desks.call(key, f"/api/v1/warnings/{draft}/release", {})
        assert 403 == status, said
        assert 403 == (await desks.form(key, f"/console/warnings/{draft}/send", doors=""))[0]
        assert 202 == (await desks.call("colleague", f"/api/v1/warnings/{draft}/release", {}))[0]
    low = await desks.draft(tier="blue")
    status, said = await desks.call("blue", f"/api/v1/warnings/{low}/release", {"tier": "red", "reason": "xx"})
    assert (403, "grant.max_tier") == (status, said["rule"])


@pytest.mark.parametrize("named", ["Ministry of Water", "County of Qingshui"])
async def test_whose_name_is_on_it(desks: Desks, named: str) -> None:
    """A bound key speaks as its authority, by JSON and CAP, drafts and colleagues' drafts too; and as it was granted."""
    town, area = desks.town, shapely.to_geojson(HOME)
    desks.keys["named"] = await town.new_key(area=area)
    desks.keys["two names"] = await town.new_key(area=area, names=["清水县", named])
    words = storm()["texts"]["en"] | {"source": named}
    for release in ("true", "false"):
        status, said = await desks.post("named", storm(texts={"en": words}), release=release)
        assert (403, "grant.names", named) == (status, said["rule"], said["given"])
        assert OURS in said["title"]
        cap = alerts.alert(new_id(), alerts.info(sender_name=named), sent=iso(SENT).replace("Z", "+00:00"))
        status, said = await town.post(cap.encode(), key=desks.keys["named"], strict="false", release=release)
        assert (403, "grant.names") == (status, said["rule"])
    draft = await desks.draft(texts={"en": words})
    assert 403 == (await desks.call("named", f"/api/v1/warnings/{draft}/release", {}))[0]
    assert 202 == (await desks.call("two names", f"/api/v1/warnings/{draft}/release", {}))[0]
    assert 202 == (await desks.post("named", storm()))[0]


# ---- holds


async def test_a_hold_is_lifted_by_another_key(desks: Desks) -> None:
    """A replay: not by the one it came with, not by it as a draft, by a colleague and by the superior."""
    old = {"sent": iso(SENT - 3 * 86400), "expires": iso(SENT + 7200)}
    for other, release in (("colleague", "true"), ("superior", "true"), ("colleague", "false")):
        status, held = await desks.post("owner", storm(**old), release=release)
        assert (202, "held") == (status, held["state"]), held
        about = held["warning_id"]
        status, said = await desks.call("owner", f"/api/v1/warnings/{about}/release", {})
        assert (403, "hold") == (status, said["rule"]), said
        assert 202 == (await desks.call(other, f"/api/v1/warnings/{about}/release", {}))[0]


async def test_whoever_brought_a_doubtful_one_withdraws_it(desks: Desks) -> None:
    """To stop it lets nothing out."""
    _, held = await desks.post("owner", storm(sent=iso(SENT - 3 * 86400), expires=iso(SENT + 7200)))
    assert "held" == held["state"]
    answer = await desks.call(
        "owner", f"/api/v1/warnings/{held['warning_id']}/cancel", {"ending": "not_ours", "reason": "xx"}
    )
    assert (202, "withdrawn") == (answer[0], answer[1]["state"])


async def test_what_only_waits_for_a_decision_its_own_key_decides(desks: Desks) -> None:
    """The tier is nobody's doubt."""
    status, held = await desks.post("owner", storm(tier=None))
    assert (202, "held") == (status, held["state"])
    answer = await desks.call(
        "owner", f"/api/v1/warnings/{held['warning_id']}/release", {"tier": "red", "reason": "xx"}
    )
    assert 202 == answer[0]


async def test_more_than_so_many_an_hour_wait_for_a_second_key() -> None:
    """Not one is lost: the third is held with the reason, drafted or not; updates, endings, lower tiers and others go on."""
    async with open_town(rate=2) as town:
        desk = Desks(town, {"owner": town.key, "colleague": await town.new_key(label="colleague"),
                            "stranger": await town.new_key(name=THEIRS, label="stranger")})  # fmt: skip
        first, second = await desk.red(), await desk.red()
        status, third = await desk.post("owner", storm(tier="orange"))
        assert (202, "held") == (status, third["state"])
        assert "begun 2 orange or red warnings within an hour" in third["notes"][-1]
        draft = await desk.draft()
        for about, rule in ((third["warning_id"], "hold"), (draft, "rate")):
            status, said = await desk.call("owner", f"/api/v1/warnings/{about}/release", {})
            assert (403, rule) == (status, said["rule"])
            assert 202 == (await desk.call("colleague", f"/api/v1/warnings/{about}/release", {}))[0]
        assert "active" == (await desk.post("owner", storm(tier="yellow")))[1]["state"]
        assert "active" == (await desk.post("owner", storm(updates=first)))[1]["state"]
        assert "active" == (await desk.post("stranger", storm()))[1]["state"]
        ended = await desk.call("owner", f"/api/v1/warnings/{second}/cancel", {"ending": "not_ours", "reason": "xx"})
        assert 202 == ended[0]
        await town.at("+61 min")
        assert "active" == (await desk.post("owner", storm()))[1]["state"]


# ---- what lists show, and what pages offer


async def test_lists_tell_of_what_went_out_and_of_ones_own(desks: Desks) -> None:
    """API and console, with their counts; each of the caller's own, of those below, and of nobody else."""

    async def listed(key: str) -> set[str]:
        found: set[str] = set()
        for page in range(1, 20):
            _, rows = await desks.call(key, f"/api/v1/warnings?page={page}")
            found |= {row["warning_id"] for row in rows}
            if not rows:
                break
        return found

    async def waiting(key: str) -> int:
        _, page = await desks.form(key, "/console")
        return int(page.partition("Waiting for your decision (")[2].partition(")")[0] or 0)

    before = {key: await waiting(key) for key in ("stranger", "colleague", "superior", "over nobody")}
    red, draft = await desks.red(), await desks.draft()
    _, held = await desks.post("owner", storm(tier=None))
    unsent = {draft, held["warning_id"]}
    for key in ("colleague", "superior"):
        assert unsent | {red} <= await listed(key)
        assert before[key] + 2 == await waiting(key)
        assert f"/live/{draft}/preview" in (await desks.form(key, "/console"))[1]
    for key in ("stranger", "over nobody"):
        assert {red} == await listed(key) & (unsent | {red})
        assert before[key] == await waiting(key)
        page = (await desks.form(key, "/console"))[1]
        assert draft not in page
        number = (await desks.town.warning(red)).number
        assert f"/live/{red}" not in page
        assert f"/public/check?number={number}" in page
    database = desks.town.node.platform.database
    async with database.read() as db:
        for key in ("stranger", "colleague", "superior"):
            who = await who_is(db, desks.keys[key])
            assert who is not None
            ids = list(await db.scalars(sa.select(warning_state.c.warning_id)))
            seen = set(await db.scalars(sa.select(warning_state.c.warning_id).where(seen_by(who))))
            assert seen == {one for one in ids if may(who, Power.SEE, await warning_thing(db, who, one)) is None}


async def test_a_page_offers_what_would_be_done(desks: Desks) -> None:
    """Send, tiers, doors, withdraw, end: each only to whoever may; why not is said instead."""
    draft, red = await desks.draft(hazard="flash_flood"), await desks.red()
    _, undecided = await desks.post("owner", storm(tier=None))
    _, stale = await desks.post("colleague", storm(sent=iso(SENT - 3 * 86400)))
    await desks.town.settle()
    send, withdraw, doors = (
        f"/console/warnings/{draft}/send",
        f"/console/warnings/{draft}/end",
        'name="doors" value="safe"',
    )
    page = ""
    for key, offered in {"colleague": (True, True, True), "sends": (True, False, False), "drafts": (False, False, False),
                         "blue": (False, False, False)}.items():  # fmt: skip
        _, page = await desks.form(key, f"/live/{draft}/preview")
        assert offered == (send in page, withdraw in page, doors in page), key
    assert "may go up to blue" in (await desks.form("blue", f"/live/{draft}/preview"))[1]
    _, page = await desks.form("blue", f"/live/{undecided['warning_id']}/preview")
    assert [True, False] == [f'name="tier" value="{word}"' in page for word in ("blue", "yellow")]
    for key, offer in (("colleague", False), ("owner", True)):
        _, page = await desks.form(key, f"/live/{stale['warning_id']}/preview")
        assert (f"/console/warnings/{stale['warning_id']}/send" in page) is offer
    for key, offer in (("colleague", True), ("sends", False)):
        _, page = await desks.form(key, f"/live/{red}")
        assert [offer, offer] == [f"/console/warnings/{red}/end" in page, f"/live/{red}/doors" in page], key
    assert 'action="/console/warnings"' in (await desks.form("colleague", "/console"))[1]
    reader = await desks.town.new_key(label="only reads", actions=["read"])
    desks.keys["only reads"] = reader
    assert 'action="/console/warnings"' not in (await desks.form("only reads", "/console"))[1]


# ---- keys that are over


async def test_a_revoked_key_opens_nothing(desks: Desks) -> None:
    """From the next request on."""
    key = await desks.town.new_key(label="gone")
    assert 200 == (await desks.town.call("GET", "/api/v1/warnings", key=key))[0]
    database = desks.town.node.platform.database
    async with database.read() as db:
        key_id = next(one.key_id for one in await all_keys(db) if one.label == "gone")
    await revoke_key(database, key_id, actor="test", reason="test")
    for path, body in (("/api/v1/warnings", storm()), (f"/api/v1/warnings/{await desks.draft()}/release", {})):
        assert 401 == (await desks.town.call("POST", path, body, key=key))[0]


async def test_the_shadow_of_a_superior_ends_nowhere_else(desks: Desks) -> None:
    """The county may not end what its superior sent."""
    status, taken = await desks.post("superior", storm())
    assert (202, "active") == (status, taken["state"])
    for key in ("owner", "stranger"):
        answer = await desks.call(
            key, f"/api/v1/warnings/{taken['warning_id']}/cancel", {"ending": "not_ours", "reason": "xx"}
        )
        assert (403, "owner") == (answer[0], answer[1]["rule"])
