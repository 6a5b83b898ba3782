"""One person changed: single answers, channels, helpers; what follows is derived again, and only what changed is sealed."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from services.registry.importing.write import import_people
from services.registry.lookup.view import PersonView, person_view
from services.registry.model.facts import Facts, Provenance, merge, months_after, review_due
from services.registry.model.given import ConsentIn, ContactIn, PersonIn, SupporterIn, mobile
from services.registry.model.needs import profile
from services.registry.people import repository
from services.registry.people.sources import SourceList
from services.registry.people.update import Changes, Revision, said, update_person
from services.registry.store import register
from services.shared.audit import trail
from services.shared.bus.outbox import id_of
from services.shared.database.engine import metadata
from services.shared.errors import NotFound, Refused
from tests.integration.registry.conftest import YEAR, opened_dossier

SELF = said("self", "self")
ANNA = id_of("test", "anna")


def anna(**changes: object) -> PersonIn:
    """Somebody on the third floor with a mobile."""
    facts: dict[str, object] = {
        "person_id": ANNA, "household_id": "a" * 32, "call_name": "Ms Anna", "address": "1 Hill", "lat": 30.05,
        "lon": 103.05, "floor": 3, "wg": {"walk": 1}, "contacts": mobile("+8613800138000", verified=True),
    }  # fmt: skip
    return PersonIn.model_validate(facts | changes)


async def put(registry, *people: PersonIn, name: str = "town", kind: Any = "civil_affairs", on: str = "2026-01-10"):
    """Imports people as a list."""
    async with registry.database.read() as db:
        number = (await db.scalar(sa.select(register.source.c.imports).where(register.source.c.name == name)) or 0) + 1
    source = SourceList(name, kind, on, number)
    return await import_people(registry.database, registry.keys, people, year=YEAR, source=source)


async def change(registry, person_id: str = ANNA, by: Provenance = SELF, **changes: Any) -> Revision:
    """Revises somebody in a transaction of its own."""
    async with registry.database.write() as tx:
        return await update_person(tx, registry.keys, person_id, Changes(**changes), by, year=YEAR)


async def row_of(registry, person_id: str = ANNA):
    """The stored row."""
    async with registry.database.read() as db:
        return (await db.execute(sa.select(register.person).where(register.person.c.person_id == person_id))).one()


async def seen(registry, person_id: str = ANNA) -> PersonView:
    """All that can be shown of somebody."""
    async with registry.database.read() as db:
        return await person_view(db, person_id)


async def counts_are_true(registry) -> bool:
    """Counts by cell and profile are those of the people."""
    async with registry.database.read() as db:
        real = await db.execute(
            sa.select(register.person.c.cell, register.person.c.profile_key, sa.func.count())
            .where(register.person.c.status.in_(("active", "away")))
            .group_by(register.person.c.cell, register.person.c.profile_key)
        )
        kept = await db.execute(sa.select(register.cell_count).where(register.cell_count.c.n > 0))
        return sorted(map(tuple, real)) == sorted(map(tuple, kept))


async def test_an_answer_changes_groups_profile_counts_and_card(registry):
    """They say that they cannot walk: another group, another count, another card; name and number are not sealed again."""
    await put(registry, anna())
    before, contacts = await row_of(registry), (await seen(registry))["contacts"]
    done = await change(registry, answers={"walk": 4, "moves": "wheelchair", "carriers_needed": 2})
    assert (("carriers_needed", "moves", "walk"), ()) == (done.changed, done.lost)
    after, view = await row_of(registry), await seen(registry)
    assert ["mobility"] == view["groups"]
    assert before.profile_key != after.profile_key
    assert contacts == view["contacts"]
    assert await counts_are_true(registry)
    opened = await opened_dossier(registry.database, registry.keys, after.dossier, ANNA)
    assert ("Ms Anna", "1 Hill", "wheelchair, carry 2", 3) == (
        opened.call_name,
        opened.address,
        opened.moves,
        opened.floor,
    )
    walk = next(fact for fact in view["facts"] if fact["name"] == "walk")
    assert (4, "self") == (walk["value"], walk["source"])
    async with registry.database.read() as db:
        assert 2 == await trail.verify(db)


async def test_revised_is_as_if_given_so_at_once(registry):
    """The profile after single changes is the one of a person who gave all of it."""
    await put(registry, anna())
    await change(registry, answers={"hear": 4, "modes": ["plain_text"], "birth_year": 1940, "lives_alone": True})
    whole = anna(wg={"walk": 1, "hear": 4}, modes=("plain_text",), birth_year=1940, lives_alone=True)
    contacts = tuple(c.model_copy(update={"given_by": "self"}) for c in whole.contacts)
    expected = profile(whole.model_copy(update={"contacts": contacts}), YEAR).key
    assert expected == (await row_of(registry)).profile_key


async def test_home_is_true_of_everybody_in_it(registry):
    """One of a household says which floor it is; the others' cards change too, others' homes do not."""
    bert, carl = id_of("test", "bert"), id_of("test", "carl")
    await put(registry, anna(), anna(person_id=bert), anna(person_id=carl, household_id="c" * 32))
    await change(registry, answers={"floor": -1})
    assert ["basement"] == (await seen(registry, bert))["groups"]
    assert ["general"] == (await seen(registry, carl))["groups"]
    assert await counts_are_true(registry)


async def test_a_record_that_differs_is_a_conflict(registry):
    """Their own word counts, an older list is shown beside it; two lists: the newer counts; nothing is lost in silence."""
    await put(registry, anna())
    await change(registry, answers={"walk": 4})
    await put(registry, anna(wg={"walk": 2}), name="cards", kind="disability_card")
    view = await seen(registry)
    assert 4 == next(fact["value"] for fact in view["facts"] if fact["name"] == "walk")
    assert {("town", 1, "settled"), ("cards", 2, "open")} == {
        (c["by"], c["other"], c["state"]) for c in view["conflicts"]
    }
    await put(registry, anna(wg={"walk": 4}), name="cards", kind="disability_card")
    assert ["town"] == [c["by"] for c in (await seen(registry))["conflicts"]]


async def test_no_list_silences_whom_another_has(registry):
    """A list that says "moved" does not end the warnings of somebody another list still has; it is shown."""
    await put(registry, anna(status="active"))
    await put(registry, anna(status="moved"), name="cards", kind="health", on="2026-06-01")
    view = await seen(registry)
    assert ("active", [("status", "moved")]) == (
        view["status"],
        [(c["field"], c["other"]) for c in view["conflicts"]],
    )
    await change(registry, answers={"status": "withdrawn"})
    view = await seen(registry)
    assert ("withdrawn", [], []) == (view["status"], view["contacts"], view["texts"])
    assert (b"", True) == ((await row_of(registry)).dossier, await counts_are_true(registry))


async def test_channels_as_she_says(registry):
    """Not my number, no SMS, their own order, a new number, hours: contact ids stay, the profile follows."""
    await put(registry, anna())
    sms, voice = (c["contact_id"] for c in (await seen(registry))["contacts"])
    done = await change(
        registry,
        channel={sms: {"said_no": True}, voice: {"hours": "08:00-20:00"}},
        contacts=(ContactIn(kind="voice_landline", address="+862885551234"),),
        answers={"own_channels": ["voice_landline", "voice_mobile"]},
    )
    assert {"contacts", "contact.said_no", "contact.hours", "own_channels"} == set(done.changed)
    view = await seen(registry)
    assert ["voice_landline", "voice_mobile"] == view["channels"]
    assert {sms, voice} < {c["contact_id"] for c in view["contacts"]}
    # the list comes again with another name: their refusal stays
    await put(registry, anna(call_name="Mrs Anna"))
    assert "said_no" == next(c["why_not"] for c in (await seen(registry))["contacts"] if c["contact_id"] == sms)


async def test_a_list_takes_back_only_its_own_number(registry):
    """The list has another mobile now: the old one goes, what they gave stays."""
    await put(registry, anna())
    await change(registry, contacts=mobile("+8613900139000"))
    await put(registry, anna(contacts=mobile("+8613700137000", given_by="record")))
    masks = [(c["kind"], c["given_by"]) for c in (await seen(registry))["contacts"]]
    assert {("sms", "self"), ("voice_mobile", "self"), ("sms", "record"), ("voice_mobile", "record")} == set(masks)
    assert 4 == len(masks)


async def test_a_hidden_phone(registry):
    """A protected address with a safe number: no other number of theirs is used."""
    await put(registry, anna())
    sms, _ = (c["contact_id"] for c in (await seen(registry))["contacts"])
    await change(registry, answers={"protected_address": True}, channel={sms: {"safe": True}})
    view = await seen(registry)
    assert (["sms"], ["", "not_safe"]) == (view["channels"], [c["why_not"] for c in view["contacts"]])
    await change(registry, answers={"protected_address": False})
    assert ["sms", "voice_mobile"] == (await seen(registry))["channels"]


async def test_a_supporter_must_accept(registry):
    """Named only, a supporter is no channel; on the day they accept they are."""
    await put(registry, anna())
    son = SupporterIn(name="Son", contacts=mobile("+8613900139000", given_by="proxy"), can=("relay", "key"))
    (supporter_id,) = (await change(registry, supporters=(son,))).supporter_ids
    async with registry.database.read() as db:
        assert () == (await register.profiles_of(db, [(await row_of(registry)).profile_key])).popitem()[1].supporters
    await change(registry, helper={supporter_id: {"accepted_on": "2026-11-22", "distance_min": 10}})
    async with registry.database.read() as db:
        found = (await register.profiles_of(db, [(await row_of(registry)).profile_key])).popitem()[1].supporters
    assert (("sms", False),) == found
    (view,) = (await seen(registry))["supporters"]
    assert (["relay", "key"], 10, "S…") == (view["can"], view["distance_min"], view["mask"])
    await change(registry, drop_supporters=(supporter_id,))
    assert [] == (await seen(registry))["supporters"]


async def test_moving_makes_a_household_of_her_own(registry):
    """They say where they live now: counted there, and not in the old household."""
    bert = id_of("test", "bert")
    await put(registry, anna(), anna(person_id=bert))
    await change(registry, place=(30.2, 103.2), zone_id="Z9", texts={"address": "9 Mill"})
    row = await row_of(registry)
    assert (30.2, 103.2, "Z9") == (row.lat, row.lon, row.zone_id)
    assert row.household_id != (await row_of(registry, bert)).household_id
    assert await counts_are_true(registry)
    assert "9 Mill" == (await opened_dossier(registry.database, registry.keys, row.dossier, ANNA)).address


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"answers": {"walk": 7}}, "walk"),
        ({"answers": {"diagnosis": "x"}}, "diagnosis"),
        ({"texts": {"national_id": "x"}}, "national_id"),
        ({"channel": {"0" * 32: {"said_no": True}}}, "contact"),
        ({"helper": {"0" * 32: {"order": 1}}}, "supporter"),
    ],
)
async def test_what_is_wrong_changes_nothing(registry, changes, field):
    """The fault names the field; nothing of the same change is kept."""
    await put(registry, anna())
    before = await seen(registry)
    with pytest.raises(Refused) as refused:
        await change(registry, **changes)
    assert field == refused.value.field
    assert before == await seen(registry)


async def test_nobody_of_that_id(registry):
    """An id that is not there is not found."""
    with pytest.raises(NotFound):
        await change(registry, "0" * 32, answers={"walk": 1})


async def test_no_name_number_or_note_stands_open(registry):
    """After every kind of change no table holds a text, number or address of theirs."""
    await put(registry, anna(note="third door", call_name="Ms Hidden", address="Secret Lane"))
    son = SupporterIn(name="Hidden Son", contacts=mobile("+8613900139000"))
    await change(registry, texts={"note": "fourth door"}, supporters=(son,), contacts=mobile("+8613700137000"))
    words = ("Hidden", "Secret", "door", "13900139", "13700137", "13800138")
    async with registry.database.read() as db:
        for table in metadata.sorted_tables:
            for row in await db.execute(sa.select(table)):
                assert not [word for word in words if word in repr(tuple(row))], table.name


def test_consent_knows_no_purpose_but_warning():
    """There is no purpose, and no export, for benefits, tenancy, licence, police or immigration."""
    purposes = ConsentIn.model_json_schema()["properties"]["purpose"]["enum"]
    assert {
        "warn_me", "share_officer_peacetime", "share_supporter_peacetime", "drill", "statistics", "emergency_share",
    } == set(purposes)  # fmt: skip
    columns = {c.name for t in metadata.tables.values() if t.name.startswith("registry_") for c in t.columns}
    for word in ("diagnos", "national", "passport", "benefit", "tenan", "licen", "police", "immigra"):
        assert not [name for name in (*purposes, *columns, *PersonIn.model_fields) if word in name]


async def test_consents_are_kept_one_after_the_other(registry):
    """A yes needs the notice it was given to; a withdrawal stands beside it and counts."""
    await put(registry, anna())
    with pytest.raises(ValueError, match="notice"):
        ConsentIn(purpose="drill", decision="given")
    yes = ConsentIn(purpose="drill", decision="given", method="in_person", notice_version="2026-1")
    await change(registry, consents=(yes,))
    await change(registry, consents=(ConsentIn(purpose="drill", decision="withdrawn", method="phone"),))
    assert ["withdrawn", "given"] == [c["decision"] for c in (await seen(registry))["consents"]]


def test_reviews_come_sooner_for_power_age_and_what_passes():
    """12 months; 6 for a device, for the very old, for a pregnancy."""
    facts = Facts()
    merge(
        facts,
        {"walk": 1, "power_device": "oxygen", "pregnancy_or_newborn": True},
        Provenance("self", "2026-01-31", "x"),
    )
    assert ["2027-01-31", "2026-07-31", "2026-07-31"] == [
        review_due(facts, name) for name in ("walk", "power_device", "pregnancy_or_newborn")
    ]
    merge(facts, {"birth_year": 1940}, Provenance("self", "2026-01-31", "x"))
    assert "2026-07-31" == review_due(facts, "walk")
    assert ("2027-02-28", "2024-02-29") == (months_after("2026-08-31", 6), months_after("2023-08-31", 6))


KINDS = ("self", "proxy", "officer_visit", "civil_affairs", "disability_card")
STATEMENTS = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(1, 28), st.integers(1, 4), st.sampled_from(("p", "q"))), max_size=8
)


@settings(max_examples=150, deadline=None)
@given(STATEMENTS)
def test_whose_word_counts(statements):
    """The value that stands was said by nobody weaker than another; what differs from another source is a conflict."""
    facts = Facts()
    for kind, day, value, by in statements:
        who = Provenance(kind, f"2026-03-{day:02d}", by, id_of(kind, by))
        before = facts.answers.get("walk")
        old = facts.source("walk") if facts.provenance else who
        done = merge(facts, {"walk": value}, who)
        if before in (None, value) or old.source_id == who.source_id:
            assert [] == done.conflicts
        else:
            assert [{before, value}] == [{c.kept, c.other} for c in done.conflicts]
            weaker = who.rank < old.rank or (who.rank == old.rank and who.on < old.on)
            assert (before if weaker else value) == facts.answers["walk"]
        facts.tidy()


async def test_imports_and_changes_at_once_keep_counts_true(registry):
    """Lists, changes and withdrawals in a row: counts follow each time."""
    people = [anna(person_id=id_of("n", n), household_id=id_of("h", n // 3), lat=30.0 + n / 500) for n in range(60)]
    await put(registry, *people)
    for n in range(0, 60, 7):
        await change(registry, id_of("n", n), answers={"see": 4, "status": "withdrawn" if n % 2 else "active"})
    await put(registry, *people[:30], name="other", kind="health")
    assert await counts_are_true(registry)
    async with registry.database.read() as db:
        found = await repository.load(db, [id_of("n", 0)])
    assert 4 == found[id_of("n", 0)].facts.answers["see"]
