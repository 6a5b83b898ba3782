"""Defines a running warning and one person under it, as the router plans them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.router.policy.engine import Policy
from services.router.policy.rules import PathPlan
from services.router.policy.steps import Step
from services.shared.i18n import mark
from services.shared.ledger.deliveries import Planned
from services.shared.ledger.evidence import Evidence
from services.shared.ledger.kinds import DeliveryKind
from services.shared.messages import PersonEntry, Profile, WarningIssued, WorkerEntry
from services.shared.tiers import Tier

TAKEN_BACK = ("superseded", "suppressed", "cancelled", "expired")
EMERGENCY_S = 6 * 3600.0
MOVED_UP = mark("moved up: asked for help")  # why a visit was taken off: a call for help takes its place
TURNED_BACK = "door.turn_back"  # the step of a name on the fire service's list since it was time to turn back
BARRED = "door.barred"  # the step of a name on the fire service's list while another warning forbids the door


@dataclass
class WarningContext:
    """One running warning: its message, its policy, the channels that work, the teams on shift."""

    issued: WarningIssued
    policy: Policy
    drivers: Mapping[str, str]  # channel > driver
    channels: Mapping[str, str]  # channel > why it cannot be used, empty where it works
    doors: str = "ask"  # of warning_state
    workers: Sequence[WorkerEntry] = ()
    state: str = "active"  # of warning_state, when it was read
    taken_up_at: float | None = None  # when the fire service last said that it has the names, in this chain
    _plans: dict[tuple[str, bool], PathPlan] = field(default_factory=dict)

    @property
    def tier(self) -> Tier:
        return Tier(self.issued.tier)

    @property
    def respond(self) -> str:
        """What people do: as the warning says, within what the policy lets this hazard ask."""
        return self.policy.respond(self.issued.hazard, self.issued.respond)

    def is_night(self, when: float) -> bool:
        """Whether it is night where people are, by the clocks of that day."""
        return self.policy.is_night(when, self.issued.offset_at(when))

    def morning(self, when: float) -> float:
        """The next end of night, by the clocks of that morning."""
        before = self.issued.offset_at(when)
        found = self.policy.morning(when, before)
        return found - (self.issued.offset_at(found) - before) * 60.0

    def plan(self, profile: Profile, when: float) -> PathPlan:
        """The plan of a profile at a time; worked out once a profile and half of the day."""
        night = self.is_night(when)
        key = (profile.key, night)
        if key not in self._plans:
            self._plans[key] = self.policy.plan(
                profile, self.tier, self.issued.hazard, night, self.channels, said=self.issued.respond
            )
        return self._plans[key]

    def start(self, profile: Profile) -> float:
        """Minute 0 of a person's escalation: release, or the morning where their tier is held at night."""
        released, policy = self.issued.released, self.policy
        night = self.is_night(released)
        if self.tier not in policy.hold.tiers or not night:
            return released
        if profile.kind == "facility" and "facility" in policy.hold.unless:
            return released
        morning = self.morning(released)
        if self.issued.expires <= morning:
            return released  # held until it is over it would never be heard
        if self.issued.impact is None or self.issued.impact < morning:
            deadly = policy.deadly_before(profile, self.issued.hazard, morning - released)
            if deadly and "deadly_before_morning" in policy.hold.unless:
                return released
        early = self.issued.impact is not None and self.issued.impact < morning
        return released if early and "onset_before_morning" in policy.hold.unless else morning

    def escalation(self, profile: Profile, plan: PathPlan) -> tuple[Step, ...]:
        """Their steps in the order of their times; the same for the whole of a warning."""
        return self.policy.escalation(plan, self.start(profile), self.issued.impact)

    def held(self, profile: Profile) -> bool:
        """Whether their escalation begins later than the release."""
        return self.start(profile) > self.issued.released

    def turn_back(self, zone_id: str = "") -> float | None:
        """When whoever is at a door of that zone must set out for safety: the impact less the way out and a margin.

        None where no impact ends visits: in heat and in a power cut the doors come after it.
        """
        bounded = self.policy.door_rule(self.issued.hazard) != "allowed"
        if not bounded or self.issued.impact is None or self.issued.impact <= self.issued.released:
            return None
        return self.issued.impact - self.policy.door_list.sets_out_before(zone_id)

    @property
    def ends(self) -> float:
        """Until when anybody is sent for it: expiry or six hours, the earlier."""
        return min(self.issued.expires, self.issued.released + EMERGENCY_S)

    def last_door(self, zone_id: str = "") -> float:
        """Until when a door of that zone counts as possible: the time to turn back, or the end."""
        back = self.turn_back(zone_id)
        return self.ends if back is None else min(self.ends, back)

    @property
    def last_asked(self) -> float:
        """Until when a house of many is asked how far it has come: the impact where it ends visits, or the end."""
        return (
            self.ends if self.turn_back() is None or self.issued.impact is None else min(self.ends, self.issued.impact)
        )

    def last_doors(self) -> set[float]:
        """When doors become impossible: in every zone the policy knows a way out of, in all others, and everywhere."""
        return {self.last_asked, *(self.last_door(zone_id) for zone_id in ("", *self.policy.door_list.way_out_by_zone))}

    @property
    def waits_for_door_check(self) -> bool:
        """Whether doors that are forbidden now may be visited after the impact (a wave that has passed)."""
        rule = self.policy.hazard(self.issued.hazard)
        return rule.door == "forbidden" and rule.door_check

    def door_where(self, plan: PathPlan) -> str:
        """door, or fire_service_list: by the hazard, the commander's word, and whether the impact is over."""
        if self.doors == "unsafe" or plan.never_a_team:
            return "fire_service_list"
        if plan.door_where == "door" or (self.waits_for_door_check and self.doors == "allowed"):
            return "door"
        return "fire_service_list"

    def nobody_goes(self, plan: PathPlan, person: Person) -> bool:
        """Whether this door is forbidden: by the hazard, by the commander, or by another warning that holds there."""
        return bool(person.barred) or self.door_where(plan) != "door"

    @property
    def phone_only(self) -> bool:
        """Whether nobody may go out for this warning at all."""
        forbidden = self.policy.door_rule(self.issued.hazard) == "forbidden"
        return self.doors == "unsafe" or (forbidden and not (self.waits_for_door_check and self.doors == "allowed"))


@dataclass
class Person:
    """One path as the router walks it."""

    entry: PersonEntry
    profile: Profile
    deliveries: list[Planned]  # what stands, then what is planned now
    evidence: int = 0
    answer: str = ""
    help_at: float | None = None
    started: float | None = None  # minute 0 of their escalation, where it is known
    barred: str = ""  # why another warning forbids their door, or empty
    house_answers: bool = False  # whether the house of many they live in has been spoken with, or was called just now

    @property
    def lives_in_house(self) -> bool:
        """Whether a house of many answers for them."""
        return self.profile.kind == "resident" and "facility" in self.profile.groups

    @property
    def turned_back_from(self) -> bool:
        """Whether a team had their door, and had to turn back before it."""
        return any(d.kind == DeliveryKind.RESCUE and d.step == TURNED_BACK for d in self.deliveries)

    def tried(self) -> set[str]:
        """Own channels that stand in the ledger already."""
        return {d.channel for d in self.deliveries if d.addressee_kind in ("person", "facility")}

    def has_answered(self) -> bool:
        """Whether they have said something themselves, by whichever channel."""
        mine = self.entry.person_id
        return any(d.answer and d.addressee_kind == "person" and d.person_id == mine for d in self.deliveries)

    def helpers_told(self) -> list[Planned]:
        """Deliveries to their supporters."""
        return [d for d in self.deliveries if d.addressee_kind == "supporter"]

    def helpers_silent(self, now: float, wait: float) -> bool:
        """Whether nobody who helps them has been heard of for `wait` seconds; with no helper, since their escalation began."""
        told = self.helpers_told()
        if any(d.answer in ("spoke", "moving", "safe", "leaving", "not_there") for d in told):
            return False
        if any(d.evidence >= Evidence.HEARD and d.answer != "cannot_reach" for d in told):
            return False
        since = min((d.due_at for d in told), default=self.started)
        return since is not None and now - since >= wait

    def visits(self) -> list[Planned]:
        """Visits by officers, oldest first."""
        found = [d for d in self.deliveries if d.kind == DeliveryKind.VISIT]
        return sorted(found, key=lambda d: d.try_no)

    def standing_visits(self) -> list[Planned]:
        """Visits that were made or will be; not those taken off the list before anybody went."""
        return [d for d in self.visits() if d.answer or d.send_state not in TAKEN_BACK]

    def was_barred(self) -> bool:
        """Whether their name went to the fire service because another warning forbade their door."""
        return bool(self.barred) or any(d.kind == DeliveryKind.RESCUE and d.step == BARRED for d in self.deliveries)

    def taken_up(self, ctx: WarningContext) -> bool:
        """Whether the fire service has said that it has their name: since it stood on the list."""
        at = ctx.taken_up_at
        return at is not None and any(d.kind == DeliveryKind.RESCUE and d.due_at <= at for d in self.deliveries)

    def on_fire_list(self) -> bool:
        return any(d.kind == DeliveryKind.RESCUE for d in self.deliveries)
