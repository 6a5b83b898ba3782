"""Messages of one event, through the front door, in any order: a late one never comes back to life."""

from __future__ import annotations

import itertools

import pytest

from services.gateway.intake import quarantine
from tests.kit.square import cap
from tests.kit.town import Town


async def test_the_same_message_again_changes_nothing(desk: Town):
    """Byte for byte, or with other white space: the first answer comes again, nothing is sent twice."""
    first = await desk.post(cap())
    assert (202, "active", False) == (first[0], first[1]["state"], first[1]["seen_before"])
    again = await desk.post(cap())
    spaced = await desk.post(cap().replace(b"</status>", b"</status>\n  "))
    for status, answer in (again, spaced):
        assert (202, "active", True) == (status, answer["state"], answer["seen_before"])
        assert first[1]["warning_id"] == answer["warning_id"]


async def test_the_order_to_send_sends_what_waits_as_a_draft(desk: Town):
    """Whoever takes it in first: a draft somebody looks at does not swallow the same alert from a sender who may send."""
    _, draft = await desk.post(cap(), release="false")
    assert "draft" == draft["state"]
    weak = await desk.new_key(label="drafts", actions=("draft",))
    assert 403 == (await desk.post(cap(), key=weak))[0]
    assert "draft" == (await desk.post(cap(), release="false"))[1]["state"]
    status, sent = await desk.post(cap())
    assert (202, "active", True) == (status, sent["state"], sent["seen_before"])
    assert [draft["warning_id"]] == [sent["warning_id"], *await _issued(desk)][1:]


async def test_what_a_person_holds_or_withdrew_is_not_sent_by_the_same_alert(desk: Town):
    """Held: its tier is a person's to say. Withdrawn: a person said no. Stale: too old to go by itself."""
    _, held = await desk.post(cap("H-1", severity="Unknown"))
    assert ("held", "held") == (held["state"], (await desk.post(cap("H-1", severity="Unknown")))[1]["state"])
    _, draft = await desk.post(cap("W-1"), release="false")
    body = {"ending": "sent_by_mistake", "reason": "wrong county"}
    await desk.call("POST", f"/api/v1/warnings/{draft['warning_id']}/cancel", body)
    assert "withdrawn" == (await desk.post(cap("W-1")))[1]["state"]
    await desk.post(cap("S-1", expires=60 * 24 * 9), release="false")
    desk.clock.advance_to(desk.clock.now() + 3 * 86400)
    assert "draft" == (await desk.post(cap("S-1", expires=60 * 24 * 9)))[1]["state"]
    assert [] == await _issued(desk)


async def test_a_known_name_with_other_content_is_put_aside(desk: Town):
    """409 that names the rule, the first message stands, and the other is kept for a person."""
    _, first = await desk.post(cap())
    status, answer = await desk.post(cap(severity="Extreme"))
    assert (409, "cap.5") == (status, answer["rule"])
    _, found = await desk.call("GET", f"/api/v1/warnings/{first['warning_id']}")
    assert "orange" == found["tier"]
    async with desk.node.platform.database.read() as db:
        kept = await quarantine.listed(db)
    assert ["duty"] == [row.origin for row in kept]


async def test_an_update_takes_the_place_of_what_it_names(desk: Town):
    """The chain is one, the older one superseded."""
    _, first = await desk.post(cap())
    desk.clock.advance_to(desk.clock.now() + 600)
    _, second = await desk.post(cap("A-2", kind="Update", minutes=10, names=[("A-1", 0)], severity="Extreme"))
    assert ("superseded", "active") == (await desk.state(first["warning_id"]), await desk.state(second["warning_id"]))
    _, found = await desk.call("GET", f"/api/v1/warnings/{second['warning_id']}")
    assert (first["warning_id"], [first["warning_id"]]) == (found["chain_id"], found["replaces"])


async def test_the_same_identifier_sent_later_is_an_update_of_itself(desk: Town):
    """Without any reference."""
    _, first = await desk.post(cap())
    desk.clock.advance_to(desk.clock.now() + 600)
    _, second = await desk.post(cap(minutes=10))
    assert ("superseded", "active") == (await desk.state(first["warning_id"]), second["state"])


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_whatever_the_order_only_the_newest_word_holds(desk: Town, order):
    """Alert, update, second update: at the end the second update alone is active."""
    chain = [
        cap("A-1"),
        cap("A-2", kind="Update", minutes=2, names=[("A-1", 0)]),
        cap("A-3", kind="Update", minutes=4, names=[("A-2", 2)]),
    ]
    ids = {}
    for n in order:
        status, answer = await desk.post(chain[n])
        assert 202 == status
        ids[n] = answer["warning_id"]
    states = [await desk.state(ids[n]) for n in range(3)]
    assert "active" == states[2]
    assert not {"active", "held", "draft"} & set(states[:2]), states


async def test_a_cancel_that_comes_first_keeps_the_alert_from_going_out(desk: Town):
    """Parked, then the alert is stored and says why, also where the reference's time is another."""
    _, cancel = await desk.post(cap("C-1", kind="Cancel", minutes=5, names=[("A-1", 1)], info=False))
    assert "parked" == cancel["state"]
    _, late = await desk.post(cap())
    assert "stored" == late["state"]
    assert "a later message (C-1) had cancelled it when it came: stored, not sent" in late["notes"]
    assert [] == await _issued(desk)


async def test_a_late_alert_of_a_cancelled_chain_is_not_sent(desk: Town):
    """Alert, cancel, and then an update written between the two."""
    _, first = await desk.post(cap())
    _, cancel = await desk.post(cap("C-1", kind="Cancel", minutes=4, names=[("A-1", 0)], info=False))
    assert ("active", "cancelled") == (cancel["state"], await desk.state(first["warning_id"]))
    _, late = await desk.post(cap("A-2", kind="Update", minutes=2, names=[("A-1", 0)]))
    assert "stored" == late["state"]


async def test_a_cancel_ends_the_whole_chain_though_it_names_its_first_message_only(desk: Town):
    """Cancel of A-1 ends A-2, which had taken its place."""
    await desk.post(cap())
    _, second = await desk.post(cap("A-2", kind="Update", minutes=1, names=[("A-1", 0)]))
    await desk.post(cap("C-1", kind="Cancel", minutes=2, names=[("A-1", 0)], info=False))
    assert "cancelled" == await desk.state(second["warning_id"])


async def test_a_second_cancel_tells_nobody_again(desk: Town):
    """What it ends is over."""
    await desk.post(cap())
    await desk.post(cap("C-1", kind="Cancel", minutes=2, names=[("A-1", 0)], info=False))
    _, again = await desk.post(cap("C-2", kind="Cancel", minutes=3, names=[("A-1", 0)], info=False))
    assert ("stored", ["what it ends is over already: stored, not sent"]) == (again["state"], again["notes"][-1:])


async def test_a_cancel_of_a_draft_tells_nobody(desk: Town):
    """What never went out is withdrawn, and no ending is announced."""
    _, draft = await desk.post(cap(), release="false")
    _, cancel = await desk.post(cap("C-1", kind="Cancel", minutes=2, names=[("A-1", 0)], info=False))
    assert ("stored", "withdrawn") == (cancel["state"], await desk.state(draft["warning_id"]))


async def test_references_to_itself_and_empty_ones_survive(desk: Town):
    """Both are taken for what they are: an update of nothing known."""
    _, itself = await desk.post(cap("S-1", kind="Update", names=[("S-1", 0)]), strict="false")
    assert "active" == itself["state"]
    empty = cap("S-2", kind="Update").replace(b"<info>", b"<references/><info>")
    _, answer = await desk.post(empty, strict="false")
    assert "active" == answer["state"]


async def test_expired_on_arrival_is_stored(desk: Town):
    """It holds for an hour and comes after two."""
    desk.clock.advance_to(desk.clock.now() + 7200)
    _, answer = await desk.post(cap(expires=60))
    assert ("stored", ["it had expired when it came: stored, not sent"]) == (answer["state"], answer["notes"])


@pytest.mark.parametrize(("minutes", "words"), [(-25 * 60, "more than 24 hours ago"), (6, "ahead of our clock")])
async def test_a_replay_or_a_wrong_clock_waits_for_a_person(desk: Town, minutes, words):
    """Held with its tier, and the reason in words; another key of the authority lets it out, not the one it came with."""
    other = await desk.new_key()
    _, answer = await desk.post(cap(minutes=minutes, expires=30 * 60))
    assert ("held", "orange") == (answer["state"], answer["tier"])
    assert words in answer["notes"][-1]
    assert [] == await _issued(desk)
    release = f"/api/v1/warnings/{answer['warning_id']}/release"
    status, said = await desk.call("POST", release, {})
    assert (403, "hold") == (status, said["rule"])
    status, released = await desk.call("POST", release, {}, key=other)
    assert (202, "active") == (status, released["state"])


MINOR = "<parameter><valueName>profile:CAP-CP:0.4:MinorChange</valueName><value>text</value></parameter>"
CANADA = "cap@ec.gc.ca"


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({}, "stored"),
        ({"severity": "Extreme"}, "active"),
        ({"expires": 400}, "active"),
        ({"polygon": "30.0,103.0 30.0,103.2 30.1,103.2 30.1,103.0 30.0,103.0"}, "active"),
    ],
)
async def test_a_minor_change_is_told_only_where_it_tells_more(desk: Town, change, state):
    """Another word wakes nobody; a higher tier, a later end or a larger area does, whatever its author calls it."""
    _, first = await desk.post(cap(sender=CANADA))
    given = {"expires": 300} | change
    update = cap("A-2", sender=CANADA, kind="Update", minutes=10, names=[("A-1", 0)], extra=MINOR, **given)
    desk.clock.advance_to(desk.clock.now() + 600)
    _, answer = await desk.post(update)
    assert state == answer["state"], answer["notes"]
    assert ("active" if state == "stored" else "superseded") == await desk.state(first["warning_id"])


async def test_a_cancel_that_names_only_the_minor_change_ends_the_warning(desk: Town):
    """The chain is known, though its last message was told to nobody."""
    _, first = await desk.post(cap(sender=CANADA))
    update = cap("A-2", sender=CANADA, kind="Update", minutes=1, names=[("A-1", 0)], extra=MINOR, expires=300)
    await desk.post(update)
    await desk.post(cap("C-1", sender=CANADA, kind="Cancel", minutes=2, names=[("A-2", 1)], info=False))
    assert "cancelled" == await desk.state(first["warning_id"])


async def _issued(desk: Town) -> list[str]:
    """Warnings released, by id."""
    _, found = await desk.call("GET", "/api/v1/warnings")
    return [one["warning_id"] for one in found if one["state"] == "active"]


async def test_a_cancel_that_waited_ends_what_a_late_message_ties_to_it(desk: Town):
    """A-1 goes on; C-1 names A-2, which is not here; A-2 comes, follows A-1, and is cancelled: A-1 is too."""
    _, first = await desk.post(cap())
    _, cancel = await desk.post(cap("C-1", kind="Cancel", minutes=4, names=[("A-2", 2)], info=False))
    assert "parked" == cancel["state"]
    _, late = await desk.post(cap("A-2", kind="Update", minutes=2, names=[("A-1", 0)]))
    assert ("stored", "the cancel C-1 ends what it followed as well") == (late["state"], late["notes"][-1])
    assert ("active", "cancelled") == (await desk.state(cancel["warning_id"]), await desk.state(first["warning_id"]))


async def test_a_draft_of_a_newer_message_silences_nothing(desk: Town):
    """An update nobody has let out yet does not keep the alert from going out, and takes its place when it is."""
    _, update = await desk.post(cap("A-2", kind="Update", minutes=2, names=[("A-1", 0)]), release="false")
    _, first = await desk.post(cap())
    assert ("draft", "active") == (update["state"], first["state"])
    await desk.call("POST", f"/api/v1/warnings/{update['warning_id']}/release", {})
    assert ("active", "superseded") == (
        await desk.state(update["warning_id"]),
        await desk.state(first["warning_id"]),
    )


async def test_an_update_takes_back_an_ending(desk: Town):
    """The danger is back: what still waits to say that it is over must not go out."""
    _, first = await desk.post(cap())
    ending = await desk.cancel(first["warning_id"], "may_return")
    desk.clock.advance_to(desk.clock.now() + 600)
    _, again = await desk.post(cap("A-2", kind="Update", minutes=10, names=[("A-1", 0)]))
    assert ("active", "superseded") == (again["state"], await desk.state(ending))


async def test_another_authority_ends_nothing_by_itself(desk: Town):
    """Neither with the same sender in its text nor with a cancel sent ahead: a person decides, and the alert goes out."""
    other = await desk.new_key(name="Elsewhere", label="elsewhere")
    _, first = await desk.post(cap())
    _, cancel = await desk.post(cap("C-1", kind="Cancel", minutes=1, names=[("A-1", 0)], info=False), key=other)
    assert ("held", "active") == (cancel["state"], await desk.state(first["warning_id"]))
    assert "of Qingshui, another authority" in cancel["notes"][-1]
    await desk.post(cap("C-2", kind="Cancel", minutes=1, names=[("B-1", 0)], info=False), key=other)
    _, second = await desk.post(cap("B-1"))
    assert "active" == second["state"]
    assert "Elsewhere says it is over or replaced" in second["notes"][0]
