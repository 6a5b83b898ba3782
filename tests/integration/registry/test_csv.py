"""Somebody's list: good rows go in, bad ones stop nobody, and the report says line by line what was done."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from services.registry.importing.list_columns import COLUMNS, KNOWN
from services.registry.importing.list_import import ListImportOptions, import_bytes
from services.registry.importing.report import ImportReport
from services.registry.importing.write import person_id_of
from services.registry.store import register
from services.shared.audit import trail
from services.shared.bus.outbox import id_of
from services.shared.crypto.sealing import Opener, address_key, page_key
from services.shared.database.engine import metadata
from services.shared.errors import Refused
from tests.integration.registry.conftest import SQUARE, YEAR, opened_dossier


async def take(registry, text: str | bytes, region: str | None = "CN", actor: str = "import") -> ImportReport:
    """Imports a CSV of the source `town`, in China."""
    body = text if isinstance(text, bytes) else text.encode()
    database, keys = registry.database, registry.keys
    return await import_bytes(database, keys, body, ListImportOptions("town", YEAR, region=region, actor=actor))


async def stored(registry, external: str):
    """The person's row, profile and contacts."""
    person_id = person_id_of("town", external)
    async with registry.database.read() as db:
        row = (await db.execute(sa.select(register.person).where(register.person.c.person_id == person_id))).first()
        if row is None:
            return None
        profiles = await register.profiles_of(db, [row.profile_key])
        contacts = await register.contacts_of(db, [person_id])
    return row, profiles[row.profile_key], contacts.get(person_id, [])


def told(report: ImportReport) -> list[tuple[int, str, str]]:
    """(line, outcome, field) of all issues."""
    return sorted((i.line, i.outcome, i.field) for i in report.issues)


async def test_a_list_with_dirt(registry):
    """Each kind of fault has its line, outcome and field; whoever can go in is in."""
    text = (
        "id,name,lat,lon,mobile,hear,lives_alone,birth_year,email,colour\n"
        "1,Ms A,30.05,103.05,13800138000,1,no,1980,a@example.org,red\n"  # repaired to E.164
        "2,Mr B,30.05,103.05,+8613800138001,4,maybe,1980-05-01,,\n"  # neither yes nor no; year out of a date
        "3,Ms C,30.05,103.05,12345,9,,,,\n"  # no such number: without a phone
        "4,Mr D,130.05,30.05,+8613800138002,,,,,\n"  # exchanged
        "5,Ms E,,103.05,+8613800138003,,,,,\n"  # no place
        "\n"
        "1,Ms A again,30.05,103.05,,,,,,\n"  # the same id
        ",nobody,30.05,103.05,,,,,,\n"  # no id
        "8,Mr G,30.05,103.05,+8613800138004,7,,19xx,nonsense,\n"  # level, year, e-mail
        "9,Ms H,0,0,+8613800138005,,,,,\n"  # null island
        "10,Mr I,30.05,103.05,+8613800138006,,,,,,too,many\n"
        "11,Ms J,30.05,103.05,+8613800138007\n"  # short rows are fine
    )
    report = await take(registry, text)
    assert (5, 6) == (report.read, report.refused)
    assert [
        (1, "left_out", "colour"),
        (3, "left_out", "lives_alone"),
        (4, "left_out", "mobile"),
        (5, "refused", "lat"),
        (6, "refused", "lat"),
        (8, "refused", "id"),
        (9, "refused", "id"),
        (10, "left_out", "birth_year"),
        (10, "left_out", "email"),
        (10, "left_out", "hear"),
        (11, "refused", "lat"),
        (12, "refused", "row"),
    ] == sorted(told(report))
    assert all(issue.rule and issue.remedy for issue in report.issues)
    assert ["exchanged" in i.remedy for i in report.issues if i.line == 5] == [True]
    _, profile, _ = await stored(registry, "3")
    assert (("no_phone",), ("door_first", "high_support")) == (profile.groups, profile.flags)
    assert await stored(registry, "4") is None
    _, profile, _ = await stored(registry, "2")
    assert ("deaf_text",) == profile.groups


async def test_bom_semicolons_and_decimal_commas(registry):
    """What a spreadsheet of another country writes is read."""
    body = "\ufeffID;Name;Lat;Lon;Mobile;own channels\n1;Müller, Anna;30,05;103,05;138 0013 8000;voice/sms\n".encode()
    report = await take(registry, body)
    assert (1, 0) == (report.read, report.refused)
    row, profile, _ = await stored(registry, "1")
    assert (30.05, 103.05) == (row.lat, row.lon)
    assert ("voice_mobile", "sms") == profile.channels


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (b"", "header"),
        (b"name,lat\nx,1\n", "required"),
        (b"id,lat,lat\n1,1,1\n", "once"),
        (b"id,name\n1,\xff\xff\n", "encoding"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"0" * 600, "format"),
    ],
)
async def test_what_is_no_list_is_refused_whole(registry, body, rule):
    """Without UTF-8, header or id nothing goes in."""
    with pytest.raises(Refused) as refused:
        await take(registry, body)
    assert rule == refused.value.rule
    async with registry.database.read() as db:
        assert {} == await register.counts_by_profile(db)


async def test_same_list_again_changes_nothing(registry):
    """Re-import of an unchanged list seals nothing again; of a changed row only what changed is."""
    text = "id,name,lat,lon,mobile,landline\n1,Ms A,30.05,103.05,13800138000,02885551234\n"
    await take(registry, text)
    before = await stored(registry, "1")
    again = await take(registry, text)
    assert (0, 1) == (again.read, again.unchanged)
    assert before == await stored(registry, "1")
    changed = await take(registry, text.replace("Ms A", "Ms A of Hill"))
    after = await stored(registry, "1")
    assert (1, 0) == (changed.read, changed.unchanged)
    assert [c.contact_id for c in before[2]] == [c.contact_id for c in after[2]]
    assert [c.sealed for c in before[2]] == [c.sealed for c in after[2]]
    assert before[0].dossier != after[0].dossier
    async with registry.database.read() as db:
        assert 1 == sum((await register.counts_by_profile(db)).values())
        assert 3 == await db.scalar(sa.select(sa.func.count()).select_from(register.contact))


async def test_counts_follow_moves_and_changed_needs(registry):
    """Who moves to another cell or gets another profile is counted once, there."""
    text = "id,lat,lon,mobile,see\n1,30.05,103.05,13800138000,1\n2,30.05,103.05,13800138001,1\n"
    await take(registry, text)
    await take(registry, text.replace("1,30.05,103.05,13800138000,1", "1,30.25,103.05,13800138000,4"))
    async with registry.database.read() as db:
        assert [1, 1] == [n for _, n in await register.occupied(db, 0, 10**9)]
        counts = await register.counts_by_profile(db)
        profiles = await register.profiles_of(db, counts)
    assert {("general",): 1, ("blind",): 1} == {profiles[key].groups: n for key, n in counts.items()}


async def test_one_mobile_gives_two_channels_under_one_key(registry):
    """sms and voice_mobile share the address_key; a couple with one number keeps two people."""
    text = "id,household,lat,lon,mobile\n1,h,30.05,103.05,13800138000\n2,h,30.05,103.05,+86 138-0013-8000\n"
    await take(registry, text)
    rows = [await stored(registry, external) for external in ("1", "2")]
    assert rows[0][0].household_id == rows[1][0].household_id
    keys = {contact.address_key for _, _, contacts in rows for contact in contacts}
    assert {address_key(registry.keys.index, "sms", "+8613800138000")} == keys
    assert 4 == len({contact.contact_id for _, _, contacts in rows for contact in contacts})


async def test_a_video_number_is_a_channel_of_its_own(registry):
    """Where they are called by video in sign language; used once somebody has tried it."""
    await take(
        registry,
        "id,lat,lon,given_by,video_relay,video_relay_verified\n"
        "1,30.05,103.05,record,13800138000,yes\n2,30.05,103.05,record,13800138001,no\n",
    )
    _, profile, contacts = await stored(registry, "1")
    assert (("video_relay",), ["video_relay"]) == (profile.channels, [c.kind for c in contacts])
    _, profile, _ = await stored(registry, "2")
    assert (("video_relay", "not_verified"),) == profile.left_out


async def test_landline_in_the_wrong_column(registry):
    """A landline given as a mobile is called and never sent an SMS."""
    report = await take(registry, "id,lat,lon,mobile\n1,30.05,103.05,02885551234\n")
    _, profile, _ = await stored(registry, "1")
    assert ("voice_landline",) == profile.channels
    assert 2 == report.repaired


async def test_refusals_and_unverified_numbers(registry):
    """said_no and given_by count; of a record only verified numbers are used."""
    text = (
        "id,lat,lon,mobile,landline,landline_verified,said_no,given_by\n"
        "1,30.05,103.05,13800138000,,,voice,\n"
        "2,30.05,103.05,13800138001,02885551234,yes,,record\n"
    )
    await take(registry, text)
    _, first, _ = await stored(registry, "1")
    assert (("sms",), (("voice_mobile", "said_no"),)) == (first.channels, first.left_out)
    _, second, _ = await stored(registry, "2")
    assert (("voice_landline",), (("sms", "not_verified"), ("voice_mobile", "not_verified"))) == (
        second.channels,
        second.left_out,
    )


async def test_numbers_of_another_country_and_of_none(registry):
    """Numbers with + need no region; without both, they are left out with what to do; +999 is no country."""
    text = "id,lat,lon,mobile\n1,30.05,103.05,+491711234567\n2,30.05,103.05,13800138000\n3,30.05,103.05,+999712345678\n"
    report = await take(registry, text, region=None)
    assert [(3, "left_out", "mobile"), (4, "left_out", "mobile")] == told(report)
    assert "country code" in report.issues[0].remedy
    _, profile, _ = await stored(registry, "1")
    assert ("sms", "voice_mobile") == profile.channels


async def test_a_supporter_of_the_same_home_and_a_boat(registry):
    """The facts of a list that tell who stands beside whom, and where no team can go."""
    text = (
        "id,lat,lon,mobile,boat,supporter_name,supporter_mobile,supporter_accepted,supporter_at_home\n"
        "1,30.05,103.05,+8613900139001,yes,Ms W,+8613900139000,yes,yes\n"
    )
    assert [] == told(await take(registry, text))
    _, profile, _ = await stored(registry, "1")
    assert (("boat",), ("helper_at_home",)) == (profile.groups, profile.flags)
    async with registry.database.read() as db:
        assert [True] == list(await db.scalars(sa.select(register.supporter.c.at_home)))


async def test_facility_its_residents_and_supporters(registry):
    """A resident takes the facility's place and household; a supporter who accepted is a channel."""
    text = (
        "kind,id,facility,name,facility_kind,headcount_night,duty_phone_1,lat,lon,supporter_name,supporter_mobile,"
        "supporter_accepted,supporter_outside\n"
        "facility,home,,Green Bank,nursing_home,60,+862885551234,30.05,103.05,,,,\n"
        "person,1,home,Ms A,,,,,,Mr Son,+8613900139000,yes,yes\n"
        "person,2,nowhere,Mr B,,,,30.05,103.05,,,,\n"
        "facility,dead,,No Line,hotel,,,30.05,103.05,,,,\n"
    )
    report = await take(registry, text)
    assert [(4, "left_out", "facility"), (5, "refused", "duty_phone_1")] == told(report)
    row, profile, _ = await stored(registry, "1")
    facility_id = id_of("facility", "town", "home")
    assert (facility_id, facility_id, 30.05) == (row.household_id, row.facility_id, row.lat)
    assert (("facility",), (("sms", True),)) == (profile.groups, profile.supporters)
    async with registry.database.read() as db:
        assert 60 == await db.scalar(sa.select(register.facility.c.headcount_night))


async def test_workers_and_areas(registry):
    """Officers and areas come in by the same channel; an area without a surface is refused, the rest goes in."""
    flat = '{""type"":""Point"",""coordinates"":[1,2]}'
    area = SQUARE.replace('"', '""')
    text = (
        "kind,id,name,grids,skills,doors_per_hour,shift,mobile,value_name,geojson\n"
        "worker,w1,Pair 1,G1;G2,nurse,12,07:00-19:00,13800138000,,\n"
        "worker,w2,Pair 2,G1,,,late,,,\n"
        f'area,7,Nanling,,,,,,county,"{area}"\n'
        f'area,8,Point,,,,,,county,"{flat}"\n'
    )
    report = await take(registry, text)
    assert (2, 2) == (report.read, report.refused)
    assert [(3, "refused", "shift"), (5, "refused", "geojson")] == told(report)
    async with registry.database.read() as db:
        (worker,) = await register.every_worker(db)
        found, unresolved = await register.area_of(db, "", [("county", "7"), ("county", "8")])
    assert (["G1", "G2"], ["nurse"], 12) == (worker.grids, worker.skills, worker.doors_per_hour)
    assert found is not None
    assert (("county", "8"),) == unresolved


async def test_a_broken_quote_costs_its_own_row(registry):
    """A quote that is never closed, or closed too early, costs one row; a line break within quotes costs none."""
    text = (
        "id,name,lat,lon\n1,A,30.05,103.05\n"
        '2,"B,30.05,103.05\n3,C,30.05,103.05\n4,"D\nof Hill",30.05,103.05\n5,"E"x,30.05,103.05\n6,F,30.05,103.05\n'
        '7,"G,30.05,103.05\n8,H,30.05,103.05\n'
    )
    report = await take(registry, text)
    assert [(3, "refused", "row"), (7, "refused", "row"), (9, "refused", "row")] == told(report)
    there = [external for external in "12345678" if await stored(registry, external) is not None]
    assert ["1", "3", "4", "6", "8"] == there


async def test_registry_cannot_open_what_it_sealed(registry):
    """In the tables there is no number, name or address; masks show three digits; channels' key opens all of it."""
    text = "id,name,address,lat,lon,mobile,note\n1,Ms Hidden,Secret Lane 1,30.05,103.05,13800138000,third door\n"
    await take(registry, text)
    row, _, contacts = await stored(registry, "1")
    async with registry.database.read() as db:
        for table in sorted(metadata.tables.values(), key=lambda t: t.name):
            for found in await db.execute(sa.select(table)):
                assert not any(word in repr(tuple(found)) for word in ("13800138000", "Hidden", "Secret", "third door"))
        pages = list(await db.execute(sa.select(page_key)))
        masks = list(await db.scalars(sa.select(register.contact.c.mask)))
    assert ["…000", "…000"] == masks
    opener = Opener(registry.keys.private)
    for page in pages:
        opener.learn(page.key_id, page.wrapped)
    assert b"+8613800138000" == opener.open(contacts[0].sealed, contacts[0].key_id, contacts[0].contact_id)
    dossier = await opened_dossier(registry.database, registry.keys, row.dossier, row.person_id)
    assert ("Ms Hidden", "Secret Lane 1", "third door") == (dossier.call_name, dossier.address, dossier.note)


async def test_dossier_says_what_to_do_and_no_diagnosis(registry):
    """How to wake, talk and move; backup minutes instead of a device or an illness."""
    text = (
        "id,lat,lon,sign_lang,hear,moves,carriers_needed,assist_min,power_device,backup_min,cannot_open_door,night_alert\n"
        "1,30.05,103.05,csl,4,wheelchair,2,15,ventilator,90,yes,bed_shaker\n"
    )
    await take(registry, text)
    row, _, _ = await stored(registry, "1")
    dossier = await opened_dossier(registry.database, registry.keys, row.dossier, row.person_id)
    assert ("bed shaker; cannot open the door", "sign csl") == (dossier.wake, dossier.talk)
    assert ("wheelchair, carry 2, 15 min", "power: 90 min of battery") == (dossier.moves, dossier.note)


async def test_import_is_in_the_audit_log(registry):
    """Who imported how many, in the transaction that did it; people by number only."""
    await take(registry, "id,lat,lon,mobile\n1,30.05,103.05,13800138000\n", actor="clerk")
    async with registry.database.read() as db:
        assert 1 == await trail.verify(db)
        entry = (await db.execute(sa.select(trail.audit_log))).one()
    assert ("clerk", "people.import", {"people": 1, "source": "town"}) == (entry.actor, entry.act, entry.detail)


async def test_more_than_a_page(registry):
    """2,500 rows go in under one key for each thousand people, a household under one."""
    rows = "".join(f"{n},{n // 3},30.05,103.05,138{n:08d}\n" for n in range(2500))
    report = await take(registry, "id,household,lat,lon,mobile\n" + rows)
    assert (2500, 0) == (report.read, report.refused)
    async with registry.database.read() as db:
        homes = list(await db.execute(sa.select(register.person.c.household_id, register.person.c.key_id).distinct()))
        assert 3 == await db.scalar(sa.select(sa.func.count()).select_from(page_key))
    assert 834 == len(homes)


def test_documented_columns_are_those_that_are_read():
    """The table that tells people what to write names every column once."""
    names = [name.strip() for names in COLUMNS for name in names.split(",")]
    assert len(names) == len(KNOWN)


async def test_names_in_chat_services(registry):
    """service:name; from the list's own people they are used, from a record once verified; what is none is told."""
    text = (
        "id,lat,lon,im,im_verified,given_by\n"
        "1,30.05,103.05,telegram:123; matrix:@mei,,self\n"
        "2,30.05,103.05,telegram:124,,record\n"
        "3,30.05,103.05,telegram:125,yes,record\n"
        "4,30.05,103.05,123456,,self\n"
    )
    report = await take(registry, text)
    channels = [(await stored(registry, str(n)))[1].channels for n in (1, 2, 3, 4)]
    assert [("im",), (), ("im",), ()] == channels
    assert [(5, "left_out", "im")] == told(report)
    assert "telegram:12345678" in report.issues[0].remedy
