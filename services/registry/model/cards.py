"""The card an officer reads at a door: how to wake, talk to and move who lives there; never why."""

from __future__ import annotations

from services.registry.model.facilities import FacilityIn
from services.registry.model.given import PersonIn
from services.shared.crypto.dossier import Card


def card_of(given: PersonIn) -> Card:
    """What an officer at the door must know to wake, talk to and move a person; never why."""
    talk = [f"sign {given.sign_lang}"] if given.sign_lang else []
    talk += [mode.replace("_", " ") for mode in given.modes]
    talk += [f"language {', '.join(given.languages)}"] if given.languages else []
    moves = [given.moves.replace("_", " ")] if given.moves != "walks" else []
    moves += [f"carry {given.carriers_needed}"] if given.carriers_needed else []
    moves += [f"{given.assist_min} min"] if given.assist_min else []
    power = given.power_device != "none"
    wake = [given.night_alert.replace("_", " ")] if given.night_alert != "none" else []
    wake += ["cannot open the door"] if given.cannot_open_door else []
    return Card(
        people=given.people_at_home,
        wake="; ".join(wake),
        talk=", ".join(talk),
        moves=", ".join(moves) or "walks",
        note=f"power: {'?' if given.backup_min is None else given.backup_min} min of battery" if power else "",
        floor=given.floor,
    )


def card_of_house(house: FacilityIn) -> Card:
    """How many there are by day and by night, and how long (minutes) it takes to bring them out."""
    counted = f"day {house.headcount_day}, night {house.headcount_night}, not walking {house.non_walking}"
    minutes = [f"{m} min {when}" for m, when in ((house.evac_min_day, "day"), (house.evac_min_night, "night")) if m]
    out = f"out in {', '.join(minutes)}" if minutes else ""
    people = max(house.headcount_day, house.headcount_night, 1)
    there = ""
    if house.occupancy is not None:
        day, heads, lying = house.occupancy
        there, people = f"on {day} in it {heads}, not walking {lying}", max(people, heads)
    return Card(people=people, note="; ".join(text for text in (counted, there, out) if text))
