"""Makes ledger rows of a plan: who is written to, on which road, why, and when. Pure but for what it is given.

`Context` is one running warning; `Person` one path with what the ledger already holds. Every row carries its reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.router.policy import PathPlan, Policy, RoadUse, Step
from services.shared.ledger import Evidence, SendState
from services.shared.messages import ContactEntry, PersonEntry, Profile, WarningIssued, WorkerEntry
from services.shared.outbox import id_of
from services.shared.tier import Tier

FIRE_SERVICE = "fireservice"
TAKEN_BACK = ("superseded", "suppressed", "cancelled", "expired")
OPEN_VISIT = ("pending", "retry", "leased", "sending", "accepted", "unknown")
EMERGENCY_S = 6 * 3600.0


@dataclass
class Context:
    """One running warning: its message, its policy, the roads that work, the pairs on shift."""

    issued: WarningIssued
    policy: Policy
    channels: Mapping[str, str]  # road > channel
    roads: Mapping[str, str]  # road > why it cannot be used, empty where it works
    doors: str = "ask"  # of warning_state
    workers: Sequence[WorkerEntry] = ()
    _plans: dict[tuple[str, bool], PathPlan] = field(default_factory=dict)

    @property
    def tier(self) -> Tier:
        return Tier(self.issued.tier)

    def plan(self, profile: Profile, when: float) -> PathPlan:
        """The plan of a profile at a time; worked out once a profile and half of the day."""
        night = self.policy.is_night(when, self.issued.utc_offset_min)
        key = (profile.key, night)
        if key not in self._plans:
            self._plans[key] = self.policy.plan(profile, self.tier, self.issued.hazard, night, self.roads)
        return self._plans[key]

    def start(self, profile: Profile) -> float:
        """Minute 0 of a person's ladder: release, or the morning where blue and yellow are held at night."""
        released = self.issued.released
        held = (
            self.tier in self.policy.hold_tiers
            and profile.kind != "facility"
            and self.policy.is_night(released, self.issued.utc_offset_min)
        )
        if not held:
            return released
        morning = self.policy.morning(released, self.issued.utc_offset_min)
        return released if self.issued.impact is not None and self.issued.impact < morning else morning

    @property
    def too_late(self) -> float:
        """Until when doors are counted as possible: impact, expiry or six hours, the earliest."""
        ends = [self.issued.expires, self.issued.released + EMERGENCY_S]
        if self.issued.impact is not None and self.issued.impact > self.issued.released:
            ends.append(self.issued.impact)
        return min(ends)


@dataclass
class Person:
    """One path as the router walks it."""

    entry: PersonEntry
    profile: Profile
    deliveries: list[dict[str, Any]]
    evidence: int = 0
    answer: str = ""
    help_at: float | None = None

    def tried(self) -> set[str]:
        """Own roads that stand in the ledger already."""
        return {d["road"] for d in self.deliveries if d["addressee_kind"] in ("person", "facility")}

    def visits(self) -> list[Mapping[str, Any]]:
        """Visits by officers, oldest first."""
        found = [d for d in self.deliveries if d["road"] == "door"]
        return sorted(found, key=lambda d: d["try_no"])

    def standing_visits(self) -> list[Mapping[str, Any]]:
        """Visits that were made or will be; not those taken off the list before anybody went."""
        return [d for d in self.visits() if d["answer"] or d["send_state"] not in TAKEN_BACK]

    def on_fire_list(self) -> bool:
        return any(d["road"] == "fire_service_list" for d in self.deliveries)


def facts(ctx: Context, person: Person, plan: PathPlan) -> frozenset[str]:
    """What is true of this person now, in the policy's words; an open path is asked."""
    true = set(plan.facts) | {"open"}
    if person.evidence < Evidence.DELIVERED:
        true.add("not_delivered_or_unknown")
    if person.evidence < Evidence.HEARD:
        true.add("no_person_spoke")
    if person.answer not in ("moving", "safe"):
        true.add("not_moving")
    return frozenset(true)


def walk(ctx: Context, person: Person, plan: PathPlan, step: Step, now: float) -> list[dict[str, Any]]:
    """The rows of one rung, none twice; an empty list where the condition does not hold or nothing is left to do."""
    true = facts(ctx, person, plan)
    rows: list[dict[str, Any]] = []
    if step.condition.holds(true):
        because = step.condition.because(true)
        reason = f"{step.name}: {because}" if because else step.name
        for word in step.do:
            rows += _do(ctx, person, plan, word, step, reason, now)
    if step.at == 0 and plan.door_at_0 and not step.every:
        rows += door(ctx, person, plan, f"{step.name}: {plan.door_at_0}", now, step.name)
    for row in rows:
        person.deliveries.append(row)
    return rows


def _do(
    ctx: Context, person: Person, plan: PathPlan, word: str, step: Step, reason: str, now: float
) -> list[dict[str, Any]]:
    if word.startswith("personal."):
        which = word.removeprefix("personal.")
        uses = list(plan.roads) if which == "all" else list(plan.roads[int(which) - 1 : int(which)])
        return [row for use in uses for row in personal(ctx, person, plan, use, step.name, reason, now)]
    match word:
        case "retry_other_road":
            return another(ctx, person, plan, step.name, reason, now)
        case "supporter":
            return supporters(ctx, person, plan, step.name, reason, now)
        case "officer_contact" | "superior":
            return officer(ctx, person, plan, step.name, reason, now)
        case "door" | "nearest_unit_goes" | "transport_team":
            return door(ctx, person, plan, reason, now, step.name)
        case "duty_phone_1" | "duty_phone_2" | "sms":
            uses = [use for use in plan.roads if use.word == word or use.kind == word]
            return [
                row
                for use in uses
                for row in personal(ctx, person, plan, use, step.name, reason, now, bool(step.every))
            ]
    return []  # area-wide words are one delivery to the area, made when the warning is issued


def personal(
    ctx: Context, person: Person, plan: PathPlan, use: RoadUse, step: str, reason: str, now: float, again: bool = False
) -> list[dict[str, Any]]:
    """One road of her own; a call to somebody who must answer is tried three times in five minutes."""
    contact = next((c for c in person.entry.contacts if c.kind == use.kind and c.usable), None)
    if contact is None:
        return []
    before = [d["try_no"] for d in person.deliveries if d["road"] == use.road and d["contact_id"] == contact.contact_id]
    if before and not again:
        return []
    first = max(before, default=0) + 1
    voice = use.road.startswith("voice")
    must_answer = person.profile.kind == "facility" or (ctx.tier == Tier.RED and person.profile.kind == "resident")
    tries = ctx.policy.voice_tries if voice and must_answer and not again else 1
    gap = ctx.policy.voice_within_s / max(1, tries - 1)
    rows = []
    for n in range(tries):
        why = reason if n == 0 else f"{reason}; call {n + 1} of {tries}"
        rows.append(
            _row(
                ctx,
                person,
                step=step,
                road=use.road,
                reason=why,
                due_at=now + n * gap,
                try_no=first + n,
                contact=contact,
                addressee_id=person.entry.person_id,
                language=person.profile.language,
                addressee_kind="facility" if person.profile.kind == "facility" else "person",
                form=plan.form,
            )
        )
    return rows


def another(ctx: Context, person: Person, plan: PathPlan, step: str, reason: str, now: float) -> list[dict[str, Any]]:
    """The next road she has not been tried on; where none is left, her first road once more."""
    tried = person.tried()
    left = [use for use in plan.roads if use.road not in tried]
    if left:
        return personal(ctx, person, plan, left[0], step, f"{reason}; other road", now)
    if plan.roads:
        return personal(ctx, person, plan, plan.roads[0], step, f"{reason}; no other road left, again", now, again=True)
    return []


def supporters(
    ctx: Context, person: Person, plan: PathPlan, step: str, reason: str, now: float
) -> list[dict[str, Any]]:
    """Each supporter by one road of hers, with a text of her own; inside the zone she is told, not sent."""
    if not plan.supporter or any(d["addressee_kind"] == "supporter" for d in person.deliveries):
        return []
    rows = []
    for helper in person.entry.supporters:
        roads = {"sms": "supporter_sms", "voice_mobile": "supporter_voice", "voice_landline": "supporter_voice"}
        usable = [
            (contact, roads[contact.kind])
            for contact in helper.contacts
            if contact.usable and contact.kind in roads and ctx.roads.get(roads[contact.kind], "no_driver") == ""
        ]
        if not usable:
            continue
        contact, road = usable[0]
        why = f"{reason}; {'supporter outside the zone' if helper.outside_zone else 'supporter inside the zone, not sent'}"
        rows.append(
            _row(
                ctx,
                person,
                step=step,
                road=road,
                reason=why,
                due_at=now,
                contact=contact,
                addressee_id=helper.supporter_id,
                addressee_kind="supporter",
                language=helper.language,
                form=f"helper:{person.entry.person_id}",
                dossier=True,
            )
        )
    return rows


def officer(ctx: Context, person: Person, plan: PathPlan, step: str, reason: str, now: float) -> list[dict[str, Any]]:
    """The officer of the person's grid is asked to call, text or visit, whichever the person can use."""
    if not plan.door_applies or any(d["addressee_kind"] == "worker" for d in person.deliveries):
        return []
    if ctx.roads.get("officer_sms", "no_driver"):
        return []
    near = [w for w in ctx.workers if person.entry.grid_id in w.grids] or list(ctx.workers)
    for one in near:
        contact = next((c for c in one.contacts if c.kind == "sms" and c.usable), None)
        if contact is not None:
            return [
                _row(
                    ctx,
                    person,
                    step=step,
                    road="officer_sms",
                    reason=reason,
                    due_at=now,
                    contact=contact,
                    addressee_id=one.worker_id,
                    addressee_kind="worker",
                    language=one.language,
                    form=f"officer:{person.entry.person_id}",
                    dossier=True,
                )
            ]
    return []


def door(
    ctx: Context,
    person: Person,
    plan: PathPlan,
    reason: str,
    now: float,
    step: str,
    *,
    urgent: bool = False,
    since: float | None = None,
) -> list[dict[str, Any]]:
    """A visit, once; where nobody may be sent, a name on the fire service's list.

    `since`: something new was heard of her then. A visit made before, or one that is only due later, does not count.
    """
    if not plan.door_applies:
        return []
    if plan.door_where == "fire_service_list" or ctx.doors == "unsafe":
        why = "doors forbidden by hazard" if ctx.doors != "unsafe" else "commander: unsafe to send anybody"
        return fire_list(ctx, person, plan, f"{reason}; {why}"[:80], now, step)
    standing = person.standing_visits()
    if since is not None:
        standing = [
            d for d in standing if ((d["answer_at"] or now) >= since if d["answer"] else float(d["due_at"]) <= now)
        ]
    if standing:
        return []
    tries = [int(d["try_no"]) for d in person.visits()]  # taken back when her path closed; she needs it after all
    return [_visit(ctx, person, plan, reason, now, step, max(tries, default=0) + 1, urgent)]


def knock_again(ctx: Context, person: Person, plan: PathPlan, reason: str, at: float) -> list[dict[str, Any]]:
    """The next visit to the same door."""
    tries = [int(d["try_no"]) for d in person.visits()]
    return [_visit(ctx, person, plan, reason, at, "door.again", max(tries, default=0) + 1, False)]


def fire_list(ctx: Context, person: Person, plan: PathPlan, reason: str, now: float, step: str) -> list[dict[str, Any]]:
    """The person's name, place and needs for moving, on the fire service's list."""
    if person.on_fire_list():
        return []
    row = _visit(ctx, person, plan, reason, now, step, 1, True)
    row |= {"road": "fire_service_list", "slot": FIRE_SERVICE, "address_key": f"fire:{person.entry.person_id}"}
    row["delivery_id"] = id_of(ctx.issued.warning_id, person.entry.person_id, "fire_service_list")
    return [row]


def _visit(
    ctx: Context, person: Person, plan: PathPlan, reason: str, at: float, step: str, try_no: int, urgent: bool
) -> dict[str, Any]:
    row = _row(
        ctx, person, step=step, road="door", reason=reason, due_at=at, try_no=try_no, contact=None,
        addressee_id=person.entry.person_id, addressee_kind="door", language=person.profile.language, form="visit",
        dossier=True,
    )  # fmt: skip
    row["address_key"] = f"door:{person.entry.person_id}"
    row["params"] = {
        "team": plan.team,
        "closing": plan.closing,
        "respond": ctx.issued.respond,
        "rank": rank(ctx.policy, person.profile, plan, urgent),
    }
    return row


def rank(policy: Policy, profile: Profile, plan: PathPlan, urgent: bool) -> int:
    """Smaller goes first: a call for help, then the order of `shortage.rank`."""
    if urgent:
        return 0
    true = set(plan.facts) | set(profile.groups) | ({"deaf_asleep"} if {"deaf", "night"} <= plan.facts else set())
    return next((n for n, word in enumerate(policy.rank, 1) if word in true), len(policy.rank) + 1)


def _row(
    ctx: Context,
    person: Person,
    *,
    step: str,
    road: str,
    reason: str,
    due_at: float,
    contact: ContactEntry | None,
    addressee_id: str,
    addressee_kind: str,
    language: str,
    form: str,
    try_no: int = 1,
    dossier: bool = False,
) -> dict[str, Any]:
    entry = person.entry
    contact_id = contact.contact_id if contact else road
    # the rung is no part of the id: the same road tried from another rung is the same delivery
    return {
        "delivery_id": id_of(ctx.issued.warning_id, addressee_id, entry.person_id, road, contact_id, try_no),
        "warning_id": ctx.issued.warning_id,
        "purpose": "warning",
        "tier": int(ctx.tier),
        "person_id": entry.person_id,
        "addressee_id": addressee_id,
        "addressee_kind": addressee_kind,
        "step": step,
        "road": road,
        "channel": ctx.channels[road],
        "form": form,
        "language": language,
        "try_no": try_no,
        "contact_id": contact.contact_id if contact else "",
        "address_key": contact.address_key if contact else "",
        "sealed": contact.sealed if contact else None,
        "key_id": contact.key_id if contact else "",
        "dossier": entry.dossier if dossier else None,
        "dossier_key_id": entry.key_id if dossier else "",
        "params": None,
        "covers": 1,
        "slot": "",
        "reason": reason[:80],
        "send_state": SendState.PENDING.value,
        "due_at": due_at,
        "expires_at": ctx.issued.expires,
        "state_at": due_at,
        "ambiguous": 0,
        "evidence": 0,
        "answer": "",
        "answer_at": None,
    }
