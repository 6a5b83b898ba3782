"""Planning by templates is planning one by one: for any register, tier, hazard, hour and team on shift."""

from __future__ import annotations

import uuid
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from services.router.opening.open_paths import first_steps
from services.router.planning.plan import Person, WarningContext
from services.router.planning.templates import PathStart, Templates
from services.shared.bus.outbox import NAMESPACE, id_of
from services.shared.messages import ContactEntry, PersonEntry, Profile, SupporterEntry, WorkerEntry
from services.shared.tiers import Tier
from tests.kit.examples import drawn
from tests.unit.router.test_policy import HAZARDS, profiles
from tests.unit.router.test_steps import T0, context

KINDS = ("sms", "voice_mobile", "voice_landline", "email", "bed_shaker")
names = st.sampled_from("abcdef")  # few, so that two share an id, a phone or a grid


def built(kind: str, name: str, usable: bool) -> ContactEntry:
    return ContactEntry(f"{name}-{kind}", kind, f"key-{name}-{kind}", name.encode(), f"page-{name}", usable)


contacts = st.lists(st.builds(built, st.sampled_from(KINDS), names, st.booleans()), max_size=4).map(tuple)
supporters = st.lists(
    st.builds(SupporterEntry, names, st.booleans(), st.sampled_from(("en", "de")), contacts), max_size=3
).map(tuple)
workers = st.lists(
    st.builds(
        lambda name, grids, skills, theirs: WorkerEntry(name, tuple(grids), tuple(skills), 10, "en", theirs),
        names, st.lists(names, max_size=2), st.lists(st.just("superior"), max_size=1), contacts,
    ),
    max_size=3, unique_by=lambda one: one.worker_id,
).map(tuple)  # fmt: skip
people = st.lists(
    st.builds(
        lambda name, grid, own, helpers, profile: (
            PersonEntry(
                f"person-{name}", f"home-{name}", 0, "z", grid, 1, f"dossier-{name}".encode(), f"k-{name}", own, helpers
            ),
            profile,
        ),
        names, names, contacts, supporters, profiles,
    ),
    min_size=1, max_size=6,
)  # fmt: skip


def alone(ctx: WarningContext, now: float, stopped: bool, entry: PersonEntry, profile: Profile, enough: str) -> object:
    """One person's steps walked, as if nobody else were planned."""
    person = Person(entry, profile, [])
    return first_steps(ctx, now, stopped, person, enough), person.deliveries


@settings(max_examples=drawn(300), deadline=None)
@given(
    people,
    workers,
    st.sampled_from(Tier),
    st.sampled_from(HAZARDS),
    st.sampled_from(("ask", "allowed", "forbidden", "unsafe")),
    st.integers(0, 1439),
    st.none() | st.integers(1, 300),
    st.sampled_from((0, 1, 20, 300)),
    st.sampled_from(("", "told enough")),
    st.booleans(),
)
def test_it_is_the_same_as_one_by_one(
    people: list[tuple[PersonEntry, Profile]], workers: tuple[WorkerEntry, ...], tier: Tier, hazard: str, doors: str,
    minute: int, impact: int | None, after: int, enough: str, stopped: bool,
) -> None:  # fmt: skip
    """Rows with their ids, in their order, and what becomes of the path, whoever was planned before."""
    ctx = context(tier, hazard, doors)
    start = T0 + 60 * minute
    issued = replace(
        ctx.issued, released=start, sent=start, expires=start + 6 * 3600,
        impact=None if impact is None else start + 60 * impact,
    )  # fmt: skip
    ctx = WarningContext(issued, ctx.policy, ctx.drivers, ctx.channels, doors, workers)
    known = {profile: f"profile-{n}" for n, (_, profile) in enumerate(people)}
    now = start + 60 * after
    templates = Templates(partial(first_steps, ctx, now, stopped), grids=bool(workers), zones=False)
    for entry, profile in [*people, *people]:  # the second time all are filled in
        keyed = replace(profile, key=known[profile])
        assert alone(ctx, now, stopped, entry, keyed, enough) == tuple(templates.planned(entry, keyed, enough))


@pytest.mark.parametrize("people", [1, 100])
def test_who_is_alike_is_planned_once(people: int) -> None:
    """However many they are; the steps are walked for nobody but the first."""
    walked: list[str] = []
    ctx = context()

    def plan(person: Person, enough: str) -> PathStart:
        walked.append(person.entry.person_id)
        return first_steps(ctx, T0, False, person, enough)

    profile = Profile("p", "resident", ("blind",), (), "en", ("sms",))
    templates = Templates(plan, grids=False, zones=False)
    rows = []
    for n in range(people):
        entry = PersonEntry(f"{n:032x}", "h", 0, "z", f"g{n}", n, b"d", "k", (built("sms", f"{n}", True),))
        rows += templates.planned(entry, profile, "").rows
    assert 1 == len(walked)
    assert people == len({row.address_key for row in rows if row.channel == "sms"})


@given(st.lists(st.text() | st.integers() | st.floats() | st.none(), max_size=5))
def test_an_id_is_that_of_rfc_9562(parts: list[object]) -> None:
    """Version 5, by name, in the project's namespace: the same as before in every database there is."""
    assert uuid.uuid5(NAMESPACE, "\x1f".join(map(str, parts))).hex == id_of(*parts)
