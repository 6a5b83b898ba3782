"""Who gets which path, over a real ledger: teams with several skills, numbers nobody has verified, people away, STOP."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from msgspec.structs import replace

from services.channels.pages.store import visits
from services.router.explaining import previews
from services.router.explaining.outcomes import Outcomes
from services.router.policy.vocabulary import FIRE_SERVICE
from services.router.store.callouts import callout
from services.shared.database.batches import insert_new
from services.shared.ledger.answers import answer_log
from services.shared.ledger.evidence import Answer
from services.shared.ledger.params import DoorReaches
from services.shared.ledger.tables import delivery
from services.shared.messages import AudienceFound, EvidenceRecorded, PersonEntry, Profile, WarningIssued
from services.shared.tiers import Tier
from tests.integration.router.test_callouts import answers
from tests.kit.router_alone import NOON, RouterTown, ident, one, router_town, worker

TEAM = worker("team", "g")


def guessed(
    number: int, *kinds: str, groups: tuple[str, ...] = ("blind",), flags: tuple[str, ...] = ()
) -> tuple[PersonEntry, Profile]:
    """Somebody of whom a list gave every number, and nobody has verified one."""
    entry, profile = one(number, *kinds, groups=groups, flags=flags)
    contacts = tuple(replace(c, usable=False, unverified=True) for c in entry.contacts)
    left_out = tuple((kind, "not_verified") for kind in kinds)
    facts = replace(profile, key=profile.key[::-1], channels=(), left_out=left_out, unverified=kinds)
    return replace(entry, contacts=contacts), facts


async def says(there: RouterTown, person: int, answer: Answer, channel: str = "sms") -> None:
    """The person answers; the hint goes to the router."""
    (row,) = await there.rows(person_id=ident(person), channel=channel, try_no=1)
    said = {
        "event_key": f"in:{person}:{answer}", "delivery_id": row.delivery_id, "answer": answer, "by": "person",
        "at": there.clock.now(), "covers": 1, "note": "", "asks": "",
    }  # fmt: skip
    async with there.platform.database.write() as tx:
        await insert_new(tx, answer_log, [said])
    await there.hand(
        EvidenceRecorded(msg_id=there.msg_id(), plane="live", warning_id=row.warning_id, tier=1, ids=(row.delivery_id,))
    )
    while await there.router.run_due():
        pass


async def test_who_must_be_lifted_and_signed_to_gets_both(tmp_path: Path) -> None:
    """The lift team goes, and the volunteer that it lacks is called out."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed")
        both = one(1, "sms", groups=("deaf_signing", "mobility"), flags=("deaf", "cannot_leave"))
        signer = worker("signer", "far", skills=["sign_volunteer"], per_hour=0)
        await there.page(w, [both], [worker("team", "g", skills=["lift_team"]), signer])
        await there.at(0)
        (visit,) = await there.rows(channel="door")
        assert "lift_team+sign_volunteer" == visit.params.team
        async with there.platform.database.read() as db:
            assert ["sign_volunteer"] == list(await db.scalars(sa.select(callout.c.skill)))


async def test_one_who_comes_is_not_unsaid_by_another_who_does_not(tmp_path: Path) -> None:
    """A signer is there and the translator never answers: the list says that a volunteer comes."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed")
        both = one(1, "sms", groups=("deaf_signing", "other_language"), flags=("deaf",))
        signer = worker("signer", "far", skills=["sign_volunteer"], per_hour=0)
        silent = worker("silent", "far", skills=["translator"], per_hour=0)
        await there.page(w, [both], [TEAM, signer, silent])
        await there.at(0)
        await answers(there, "signer", Answer.LEAVING)
        await there.at(2)
        await answers(there, "signer", Answer.SPOKE)
        await there.at(12)
        async with there.platform.database.read() as db:
            states = {r.skill: r.state for r in await db.execute(sa.select(callout))}
        assert {"sign_volunteer": "taken", "translator": "none"} == states
        (visit,) = await there.rows(channel="door")
        assert "coming" == visit.params.skill


async def test_a_number_of_a_list_is_told_what_everybody_is_told(tmp_path: Path) -> None:
    """In red by text and call, in the plain form; in yellow not at all. Somebody goes besides."""
    async with router_town(tmp_path) as there:
        red = await there.issue(doors="allowed")
        power = ("power_medical",)
        await there.page(red, [guessed(1, "sms", "voice_mobile", groups=power, flags=("high_support",))], [TEAM])
        await there.at(0)
        mine = {r.channel: r for r in await there.rows(person_id=ident(1), addressee_kind="person", try_no=1)}
        assert {"sms": "plain", "voice_mobile": "plain"} == {name: row.form for name, row in mine.items()}
        assert all(row.dossier is None for row in mine.values())
        assert [0.0] == [r.due_at - NOON for r in await there.rows(person_id=ident(1), channel="door")]
        yellow = await there.issue("y", tier=Tier.YELLOW, hazard="storm")
        await there.page(yellow, [guessed(2, "sms", groups=power, flags=("high_support",))], [TEAM])
        await there.at(0)
        assert [] == [r for r in await there.rows(warning_id=yellow, channel="sms") if r.addressee_kind == "person"]


async def test_a_stranger_on_an_old_number_closes_nothing_and_may_call_for_help(tmp_path: Path) -> None:
    """Of a verified number the same word closes the path."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed")
        await there.page(w, [guessed(1, "sms"), one(2, "sms"), guessed(3, "sms")], [TEAM])
        await there.at(0)
        for n in (1, 2):
            await says(there, n, Answer.LEAVING)
        await says(there, 3, Answer.HELP)
        paths = await there.paths(w)
        assert ("open", "closed") == (paths[ident(1)].state, paths[ident(2)].ending)
        assert paths[ident(3)].help_at is not None


async def test_of_those_without_a_need_who_has_one_channel_stands_last(tmp_path: Path) -> None:
    """Behind everybody who has a need."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed")
        few = one(1, "voice_landline", kind="subscriber", groups=("general",))
        two = one(2, "sms", "voice_mobile", kind="subscriber", groups=("general",))
        await there.page(w, [few, two, one(3, "sms")], [TEAM])
        await there.at(0)
        doors = await there.rows(channel="door")
        assert {ident(1), ident(3)} == {r.person_id for r in doors}
        assert [ident(3), ident(1)] == [r.person_id for r in sorted(doors, key=lambda r: r.params.rank)]


async def test_the_fire_service_reads_first_whoever_needs_it_most(tmp_path: Path) -> None:
    """A call for help, then who cannot leave, then who has one channel and no need."""
    async with router_town(tmp_path) as there:
        w = await there.issue(hazard="toxic_release", doors="forbidden")
        few = one(1, "voice_landline", kind="subscriber", groups=("general",))
        rolls = one(2, "sms", groups=("mobility",), flags=("cannot_leave",))
        calls = one(3, "sms", "voice_mobile", "email", kind="subscriber", groups=("general",))
        await there.page(w, [few, rolls, calls], [TEAM])
        await there.at(0)
        await says(there, 3, Answer.HELP)
        await there.said([delivery.c.channel == "fire_service_list"], send_state="accepted")
        async with there.platform.database.read() as db:
            listed = [row.person_id for row in await visits(db, w, FIRE_SERVICE)]
    assert [ident(3), ident(2), ident(1)] == listed


async def test_a_stop_that_leaves_one_channel_brings_somebody_to_anybody(tmp_path: Path) -> None:
    """Also to who registered without a need."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed")
        await there.page(w, [one(1, "sms", "voice_mobile", kind="subscriber", groups=("general",))], [TEAM])
        await there.at(0)
        assert [] == await there.rows(channel="door")
        await there.said([delivery.c.channel == "sms"], send_state="suppressed", state_reason="stopped")
        await there.at(1)
        (door,) = await there.rows(channel="door")
        assert "the number said STOP; fewer than two channels left" == door.reason


async def test_a_text_says_whether_a_door_reaches_them(tmp_path: Path) -> None:
    """What a STOP is answered with hangs on it."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed")
        subscriber = one(2, "sms", "voice_mobile", kind="subscriber", groups=("general",))
        await there.page(w, [one(1, "sms", "voice_mobile"), subscriber], [TEAM])
        await there.at(0)
        found = {r.person_id: r.params for r in await there.rows(channel="sms") if r.addressee_kind == "person"}
        assert {ident(1): DoorReaches(), ident(2): None} == found


async def test_who_is_away_is_told_and_not_visited(tmp_path: Path) -> None:
    """The path says why nobody came."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed")
        await there.page(w, [one(1, "sms", "voice_mobile", flags=("away",)), one(2, flags=("away",))], [TEAM])
        await there.at(60)
        assert {ident(2)} == {r.person_id for r in await there.rows(channel="door")}, "nothing else could tell her"
        path = (await there.paths(w))[ident(1)]
        assert ("unconfirmed", "away: no answer that closes") == (path.ending, path.end_reason)


async def test_a_preview_counts_those_whom_a_guessed_number_reaches_apart(tmp_path: Path) -> None:
    """They are not without a channel, in orange and red."""
    async with router_town(tmp_path) as there:
        asked = WarningIssued(
            msg_id=ident(1), plane="live", warning_id=ident(7), tier=0, kind="alert", purpose="preview",
            chain_id=ident(7), hazard="flash_flood", respond="", sent=NOON, expires=NOON + 3600, released=NOON,
        )  # fmt: skip
        profiles = (guessed(1, "sms")[1], one(2)[1])
        counts = AudienceFound(
            msg_id=ident(2), plane="live", warning_id=ident(7), tier=0, purpose="preview", page=0, last=True,
            profiles=profiles, counts=(4, 3), total=7, asked=asked,
        )  # fmt: skip
        async with there.platform.database.read() as db:
            tiers = (await previews.counted(db, there.router.contexts, Outcomes(), counts))["tiers"]
    assert (4, 3) == (tiers["red"]["unverified_only"], tiers["red"]["no_channel"])
    assert 0 == tiers["yellow"]["unverified_only"]


async def test_who_was_met_since_a_door_was_asked_for_is_on_no_list(tmp_path: Path) -> None:
    """They call while a pair is on the way: what the pair taps on the visit it had begun is what the call asked for. The one
    that took its place stays with that pair; nobody at home is no reason to take it off."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed")
        people = [one(n, "sms", groups=("mobility",), flags=("cannot_leave",)) for n in (1, 2)]
        await there.page(w, people, [worker("a", "g"), worker("b", "g")])
        await there.at(0)
        first = {r.person_id: r for r in await there.rows(channel="door")}
        for number, found in ((1, Answer.MOVING), (2, Answer.NO_ANSWER)):
            await there.at(4)
            await says(there, number, Answer.HELP)
            await there.at(5)
            begun = first[ident(number)]
            (call,) = await there.rows(channel="door", person_id=ident(number), try_no=2)
            assert (call.params.urgent, call.slot) == (True, begun.slot)
            await there.said([delivery.c.delivery_id == call.delivery_id], send_state="accepted")
            listed = await listed_on(there, w, begun.slot)
            assert call.delivery_id in listed
            await there.said([delivery.c.delivery_id == begun.delivery_id], answer=found, answer_at=NOON + 6 * 60)
            assert (found is Answer.NO_ANSWER) is (call.delivery_id in await listed_on(there, w, begun.slot))


async def listed_on(there: RouterTown, warning_id: str, slot: str) -> list[str]:
    """The visits that the page of a list shows."""
    async with there.platform.database.read() as db:
        return [row.delivery_id for row in await visits(db, warning_id, slot)]
