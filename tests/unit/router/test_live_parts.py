"""What the live page counts and what its stream sends, without a database."""

from __future__ import annotations

import json
import math
import os
import zlib

import pytest

from services.router.report.board import Called, OneCall, heads_in, in_order, one_called, tallied
from services.router.report.shift import as_csv
from services.router.report.snapshot import marks
from services.router.report.stream import LEVEL, Allowance, changed, event, packed_size, read_have, said_have
from services.router.report.zones import ZoneCount, by_village, drawn
from services.router.store.tables import DELIVERED, REACHED
from services.shared.messages import Profile

DEAF = Profile("d", "resident", ("deaf_text",), (), "en", ("sms",))


def call(**values: object) -> OneCall:
    usual = {
        "person_id": "p", "about_id": "", "kind": "warning", "channel": "sms", "attempts": 1, "due_at": 10.0,
        "evidence": 0, "evidence_at": None, "answer": "", "answer_at": None, "answer_by": "",
        "answer_covers": 1,
    }  # fmt: skip
    return OneCall(**{**usual, **values})  # type: ignore[arg-type]


def test_villages_with_nobody_warned_come_first() -> None:
    """Nobody registered, then no phone answers, then the most open; a delivery is no reach."""
    rows = [
        ZoneCount("a", "d", "open", DELIVERED, 5), ZoneCount("a", "g", "ended", DELIVERED | REACHED, 2),
        ZoneCount("b", "g", "open", 0, 9), ZoneCount("c", "g", "ended", DELIVERED | REACHED, 3),
    ]  # fmt: skip
    found = by_village(rows, {"d": DEAF}, ["c"], {"n": "Nanling", "a": "Aling"})
    assert ["c", "n", "b", "a"] == [z.zone_id for z in found]
    a = found[3]
    assert ("Aling", 7, 7, 2, 5) == (a.name, a.targeted, a.delivered, a.reached, a.open)
    assert {"deaf_text": (5, 5), "general": (0, 2)} == a.groups
    assert ["none", "nobody", "most", "most"] == [z.pattern for z in found]


def test_the_map_numbers_the_table_and_north_is_up() -> None:
    def square(lon: float, lat: float) -> str:
        corners = [(lon, lat), (lon + 1, lat), (lon + 1, lat + 1), (lon, lat + 1), (lon, lat)]
        return json.dumps({"type": "Polygon", "coordinates": [corners]})

    zones = by_village(
        [ZoneCount("south", "g", "open", 0, 2), ZoneCount("far", "g", "open", 0, 1)], {}, [], {"north": "N"}
    )
    outlines, height = drawn(zones, {"north": square(10, 51), "south": square(10, 50)})
    assert [(1, "north"), (2, "south")] == [(o.n, o.zone.zone_id) for o in outlines]
    assert outlines[0].y < outlines[1].y < height
    assert ([], 0.0) == drawn(zones, {})


def test_a_house_told_is_not_spoken_with() -> None:
    told = one_called("h", "house", ["z"], [call(evidence=3, evidence_at=20.0)])
    assert (1, 10.0, None, False) == (told.tries, told.called_at, told.spoken_at, told.moved)
    said = one_called("h", "house", ["z"], [call(answer="leaving", answer_at=30.0, answer_by="person")])
    assert (30.0, "person", True) == (said.spoken_at, said.by, said.moved)
    assert (0, None) == one_called("h", "house", ["z"], [call(attempts=0)])[3:5]


def test_not_spoken_with_comes_first() -> None:
    def house(who: str, spoken: float | None, answer: str) -> Called:
        return Called(who, "house", (), 1, 1.0, spoken, "", answer)

    called = [house("gone", 5.0, "leaving"), house("in", 5.0, "needs"), house("silent", None, "")]
    assert ["silent", "in", "gone"] == [c.who for c in in_order(called)]
    assert (3, 2, 1, 0, 0) == tallied(called)


def test_of_a_house_it_is_said_how_many_of_its_people_have_moved() -> None:
    """Eighty-four at night: `N12` after a key is twelve, "all are out" is all; a key alone says nothing of how many."""
    flags = ("cannot_leave", "heads_day_96", "heads_night_84")
    assert (96, 84, None) == (
        heads_in(flags, night=False), heads_in(flags, night=True), heads_in(("cannot_leave",), night=True)
    )  # fmt: skip

    def house(*calls: OneCall, heads: int | None = 84) -> Called:
        return one_called("h", "house", ["z"], calls, heads)

    key = call(answer="leaving", answer_at=20.0)
    twelve = call(answer="leaving", answer_at=30.0, answer_covers=12)
    out = call(answer="not_there", answer_at=40.0)
    assert [None, 12, 84, 84] == [house(key).out, house(key, twelve).out, house(twelve, out).out, house(out).out]
    assert 84 == house(call(answer="leaving", answer_at=9.0, answer_covers=500)).out, "no more than there are"
    assert (None, 12) == (house(out, heads=None).out, house(twelve, heads=None).out)
    assert (3, 3, 3, 168, 96) == tallied([house(key, twelve), house(out), house(out, heads=None)])


def test_only_what_changed_is_sent_and_the_first_part_first() -> None:
    shown = {"top": "<p>1</p>", "help": "<p>2</p>", "zones": "x" * 900, "missing": "y" * 900}
    allowance, waited = Allowance(0.0, a_minute=1000), list[str]()
    body, has = changed(shown, {}, allowance, 0.0, waited)
    assert "#part-top" in body
    assert "missing" not in has
    assert marks(shown)["top"] == has["top"]
    assert ("", has) == changed(shown, has, allowance, 0.1, waited)
    body, has = changed(shown, has, allowance, 300.0, waited)
    assert ("missing" in has, body.count("hx-partial hx-target")) == (True, 1)
    assert ("", marks(shown)) == changed(shown, marks(shown), allowance, 301.0, waited)


@pytest.mark.parametrize("minutes", [1, 5])
def test_a_page_costs_at_most_fifty_kilobytes_a_minute(minutes: int) -> None:
    """Everything changes at each look."""
    allowance, sent, waited = Allowance(0.0), 0, list[str]()
    have: dict[str, str] = {}
    for look in range(minutes * 15):
        shown = {name: f"{look}" + "y" * size for name, size in (("top", 900), ("help", 6000), ("missing", 24_000))}
        body, have = changed(shown, have, allowance, look * 4.0, waited)
        sent += len(body)
    assert 10_000 * minutes < sent <= 50_000 * minutes


def test_a_part_costs_no_more_packed_in_the_stream_than_alone() -> None:
    """What the allowance counts is at least what goes over the wire."""
    parts = [(f"<tr><td>{n}</td><td>Nanling</td></tr>" * 200).encode() for n in range(20)]
    parts += [b"", b"x", os.urandom(3000)]
    pack = zlib.compressobj(LEVEL, wbits=31)
    sent = [len(pack.compress(part) + pack.flush(zlib.Z_SYNC_FLUSH)) for part in parts]
    assert sum(sent) <= sum(packed_size(part) for part in parts)
    assert packed_size(parts[0]) * 6 < len(parts[0])


def test_a_part_that_changes_at_every_look_keeps_no_other_from_going() -> None:
    """Figures and tables move with every receipt; who is missing, and the villages, come all the same within two minutes, and
    a call for help within half of one."""
    allowance, waited = Allowance(0.0), list[str]()
    have: dict[str, str] = {}
    came: dict[str, float] = {}
    sizes = {"top": 2000, "now": 900, "help": 1500, "reached": 400, "tables": 6000, "zones": 5000, "missing": 9000}
    still = {"help": "", "missing": ""}
    before = ""
    for look in range(60):
        now = look * 4.0
        if now == 120:
            still["help"], before = "called", have["help"]
        shown = {name: still.get(name, f"{look}") + "y" * size for name, size in sizes.items()}
        held = set(have)
        _, have = changed(shown, have, allowance, now, waited)
        came |= dict.fromkeys(have.keys() - held, now)
        if now >= 120 and have["help"] != before:
            came.setdefault("called", now)
    assert sizes.keys() == came.keys() - {"called"}
    assert came["missing"] < 120
    assert came.get("called", math.inf) < 150


def test_what_a_reader_says_they_have_is_read_or_nothing() -> None:
    have = {"top": "0123abcd", "help": "ffffffff"}
    assert have == read_have(said_have(have))
    for wrong in ("", "top", "top:1", "top:0123abcd\nx", "TOP:0123abcd", "top:0123abcd," * 40):
        assert {} == read_have(wrong)


def test_a_message_with_several_lines_stays_one() -> None:
    assert b"event: beat\nid: a\ndata: x\ndata: y\n\n" == event("beat", "x\ny", "a")


def test_no_cell_is_a_formula() -> None:
    rows = [["=1+1", "+41", "-x", "@a", "\t=1", "plain", -3]]
    assert "\ufeff'=1+1,'+41,'-x,'@a,'\t=1,plain,-3\r\n" == as_csv(rows)
