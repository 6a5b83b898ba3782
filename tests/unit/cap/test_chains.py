"""Chains of messages: duplicates, updates, cancels, late comers, and until when each holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.gateway.cap import (
    KnownMessage,
    Reference,
    chains,
    fingerprint,
    freshness,
    in_force,
    life_of,
    place,
    read,
)
from tests.kit.cap_build import alert, info
from tests.kit.examples import drawn

T0 = datetime(2026, 7, 9, 7, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def message(
    identifier: str,
    minute: float,
    *names: str | KnownMessage | Reference,
    kind: str = "",
    sender: str = "duty@example.org",
    life: float = 600,
    text: str = "",
    incident: str = "",
) -> KnownMessage:
    """A message sent at that minute which names others: records, references, or identifiers alone."""
    refs = tuple(
        Reference(name.sender, name.identifier, name.sent)
        if isinstance(name, KnownMessage)
        else name
        if isinstance(name, Reference)
        else Reference("", name, None)
        for name in names
    )
    msg_type = kind or ("Update" if refs else "Alert")
    print_ = f"{identifier}{minute}{text}"
    return KnownMessage(sender, identifier, at(minute), msg_type, print_, at(minute + life), refs, incident)


def life(one: KnownMessage, *all_: KnownMessage) -> tuple[float, str]:
    chain = next(chain for chain in chains([one, *all_]) if one in chain)
    got = life_of(one, chain)
    return ((got.until - T0).total_seconds() / 60, got.why)


def test_the_same_message_again_is_a_duplicate():
    """Same sender, identifier and instant, same content: also with another offset or other white space."""
    first = read(alert()).alerts[0]
    again = read(alert().replace(b"><", b">\n  <")).alerts[0]
    other_zone = read(alert(sent="2026-07-09T07:00:00-00:00")).alerts[0]
    assert first.sha256 != again.sha256
    known = KnownMessage.of(first, T0)
    assert "duplicate" == place(KnownMessage.of(again, T0), [known]).kind
    assert "duplicate" == place(KnownMessage.of(other_zone, T0), [known]).kind


def test_the_same_key_with_other_content_is_quarantined():
    """An identity used again: neither an update nor a duplicate."""
    first, other = (KnownMessage.of(read(alert(text)).alerts[0], T0) for text in (None, info(severity="Minor")))
    got = place(other, [first])
    assert ("reused", (first,)) == (got.kind, got.predecessors)


def test_the_same_identifier_sent_again_is_an_update():
    """Some agencies never mint a new identifier, and reference themselves or nothing."""
    old, new = message("A", 0), message("A", 30)
    got = place(new, [old])
    assert ("follows", (old,)) == (got.kind, got.predecessors)
    assert (30, "superseded") == life(old, new)


def test_references_are_matched_as_instants():
    """09:15:06-00:00 is 10:15:06+01:00."""
    old = replace(message("A", 0), sent=datetime(2026, 7, 9, 10, 15, 6, tzinfo=timezone(timedelta(hours=1))))
    ref = Reference(old.sender, "A", datetime(2026, 7, 9, 9, 15, 6, tzinfo=UTC))
    got = place(message("B", 600, ref, kind="Cancel"), [old])
    assert ((old,), ()) == (got.predecessors, got.unknown)


def test_references_with_a_wrong_time_or_sender_still_find_their_message():
    """By sender and identifier, then by the identifier alone; a stranger's is pointed out for authority."""
    old = message("A", 0)
    wrong_time = place(message("B", 5, Reference(old.sender, "A", at(99))), [old])
    assert ((old,), ()) == (wrong_time.predecessors, wrong_time.strangers)
    lone = place(message("B", 5, "A"), [old])
    assert (old,) == lone.predecessors
    stranger = place(message("B", 5, "A", kind="Cancel", sender="other@example.org"), [old])
    assert (old,) == stranger.strangers


def test_of_several_versions_the_one_of_that_instant_is_meant():
    """An identifier used for three messages: the triple's time chooses; without a fit all are meant."""
    one, two, three = (message("A", minute) for minute in (0, 10, 20))
    exact = place(message("B", 30, two), [one, two, three])
    assert (two,) == exact.predecessors
    loose = place(message("B", 30, "A"), [one, two, three])
    assert {one, two, three} == set(loose.predecessors)


def test_unknown_references_are_said_and_a_cancel_of_nothing_is_parked():
    """An update goes out as an alert with a note; a cancel waits."""
    gone = message("GONE", 0)
    update = place(message("B", 5, gone), [])
    assert ("first", 1, False) == (update.kind, len(update.unknown), update.park)
    assert place(message("C", 5, gone, kind="Cancel"), []).park


def test_self_and_empty_references_survive():
    """A message that names itself stands alone, and holds until its expiry."""
    own = message("A", 0)
    own = replace(own, references=(Reference(own.sender, "A", own.sent),))
    assert "first" == place(own, []).kind
    assert (600, "expires") == life(own)
    read_alone = read(alert(msgType="Cancel", more="<references/>")).alerts[0]
    assert place(KnownMessage.of(read_alone, T0), []).park


def test_effective_expiry_is_the_least_of_expiry_cancel_and_successor():
    """Whichever comes first."""
    first = message("A", 0, life=60)
    second = message("B", 30, first)
    cancel = message("C", 45, second, kind="Cancel")
    assert (60, "expires") == life(first)
    assert (30, "superseded") == life(first, second, cancel)
    assert (45, "cancelled") == life(second, first, cancel)
    assert (45, "cancelled") == life(first, message("C", 45, first, kind="Cancel"))
    assert (60, "expires") == life(first, message("C", 90, first, kind="Cancel"))


def test_an_update_supersedes_the_whole_chain():
    """Also an earlier update it does not name, when both continue the same alert."""
    first = message("A", 0)
    second, third = message("B", 10, first), message("C", 20, first)
    assert (20, "superseded") == life(second, first, third)
    assert (third,) == in_force(chains([first, second, third])[0], at(25))


def test_an_update_sent_at_the_same_instant_supersedes_what_it_names():
    """Belgium's updates carry the time of what they update; the name decides, not the alphabet."""
    old = message("Z", 0)
    new = message("A", 0, old)
    assert (0, "superseded") == life(old, new)
    assert (600, "expires") == life(new, old)


def test_two_alerts_of_one_update_are_both_superseded_and_not_by_each_other():
    """Until the update that joins them, both hold."""
    one, two = message("A", 0), message("B", 5)
    join = message("C", 30, one, two)
    chain = chains([one, two, join])[0]
    assert (one, two) == in_force(chain, at(20))
    assert (join,) == in_force(chain, at(31))


def test_a_late_message_never_resurrects():
    """The cancel came first: its alert, when it comes, is settled; so is an update overtaken by a later one."""
    first = message("A", 0)
    second = message("B", 10, first)
    cancel = message("C", 20, second, kind="Cancel")
    assert cancel == place(second, [cancel]).settled_by
    assert cancel == place(second, [first, cancel]).settled_by
    overtaken = message("X", 5, first)
    assert message("B", 10, first) == place(overtaken, [first, second]).settled_by
    assert None is place(message("D", 30, cancel), [first, second, cancel]).settled_by


def test_state_does_not_depend_on_the_order_of_arrival():
    """Four messages in any order: the same chain, the same lives, the same message in force."""
    first = message("A", 0)
    second = message("B", 10, first)
    third = message("C", 20, second, first)
    cancel = message("D", 30, third, kind="Cancel")
    outcomes = set()
    for order in permutations((first, second, third, cancel)):
        (chain,) = chains(order)
        outcomes.add((chain, in_force(chain, at(25)), in_force(chain, at(35))))
    assert {((first, second, third, cancel), (third,), ())} == outcomes


def test_acks_and_errors_change_nothing():
    """They name a message and end nothing."""
    first = message("A", 0)
    ack = message("K", 5, first, kind="Ack")
    assert (600, "expires") == life(first, ack)


def test_incidents_join_only_where_a_source_means_its_events_by_them():
    """NSW RFS mints a new identifier for each update and keeps the incident."""
    old, new = message("A", 0, incident="fire-7"), message("B", 30, incident="fire-7")
    assert (30, "superseded") == life(old, new)
    assert 2 == len(chains([message("A", 0), message("B", 30)]))
    more = "<incidents>40184</incidents>"
    fires = KnownMessage.of(read(alert(more=more, sender="webmaster@rfs.nsw.gov.au")).alerts[0], T0)
    others = KnownMessage.of(read(alert(more=more)).alerts[0], T0)
    assert ("40184", "") == (fires.incident, others.incident)


@pytest.mark.parametrize(
    ("sent", "expires", "now", "said"),
    [
        (0, 600, 1, "fresh"),
        (0, 600, -4, "fresh"),
        (0, 600, -6, "future"),
        (0, 600, 600, "expired"),
        (0, 9000, 24 * 60, "fresh"),
        (0, 9000, 24 * 60 + 1, "stale"),
    ],
)
def test_freshness(sent, expires, now, said):
    """Five minutes ahead, a day behind, not expired: what a replayed alert fails."""
    assert said == freshness(at(sent), at(expires), at(now))


def test_the_fingerprint_sees_content_only():
    """A word more is another; another place in a file is not."""
    one, two = read(f"<alerts>{'{0}' * 2}</alerts>".format(alert().decode().split("?>\n")[1]).encode()).alerts
    assert fingerprint(one) == fingerprint(two)
    assert fingerprint(one) != fingerprint(read(alert(info(headline="Other"))).alerts[0])


@given(st.data())
@settings(max_examples=drawn(300), derandomize=True, deadline=None)
def test_any_web_of_references_has_an_end(data):
    """Circles, selves, strangers, gaps: every message is in one chain, nothing holds beyond its own expiry."""
    names = "ABCDE"
    messages = []
    for n in range(data.draw(st.integers(1, 8))):
        refs = data.draw(st.lists(st.sampled_from(names), max_size=3))
        messages.append(
            message(
                data.draw(st.sampled_from(names)),
                data.draw(st.integers(0, 50)),
                *refs,
                kind=data.draw(st.sampled_from(["Alert", "Update", "Cancel", "Ack"])),
                sender=data.draw(st.sampled_from(["a@x", "b@x"])),
                text=str(n),
            )
        )
    found = chains(messages)
    assert {one.key for one in messages} == {one.key for chain in found for one in chain}
    for chain in found:
        for one in chain:
            assert life_of(one, chain).until <= one.expires
        for cancel in (one for one in chain if one.msg_type == "Cancel"):
            assert not [
                m for m in in_force(chain, at(700)) if m.sent <= cancel.sent and m.identifier == cancel.identifier
            ]
    place(message("A", 25, "B", "E"), messages)
