"""Writes the card an officer reads at a door: how to wake, talk to and move a resident; never why."""

from __future__ import annotations

from services.registry.model.facilities import FacilityIn
from services.registry.model.given import PersonIn
from services.shared.crypto.dossier import Card
from services.shared.i18n import english, mark

# What an officer's list says of how somebody wakes, hears and moves: in the words of the register, and told in the officer's.
SAID = (
    mark("plain text"), mark("spoken"), mark("sign"), mark("easy read"), mark("large print"), mark("braille"),
    mark("tactile"), mark("pictures"), mark("walks"), mark("walks with aid"), mark("wheelchair"), mark("stretcher"),
    mark("bed shaker"), mark("low freq 520hz"), mark("flash"), mark("indoor radio"), mark("cannot open the door"),
    mark("QUARANTINE: do not enter, speak through the door"),
)  # fmt: skip


def card_of(given: PersonIn) -> Card:
    """What an officer at the door must know to wake, talk to and move a person; never why."""
    talk = [english("sign {language}", language=given.sign_lang)] if given.sign_lang else []
    talk += [mode.replace("_", " ") for mode in given.modes]
    talk += [english("language {languages}", languages=", ".join(given.languages))] if given.languages else []
    moves = [given.moves.replace("_", " ")] if given.moves != "walks" else []
    moves += [english("carry {n}", n=given.carriers_needed)] if given.carriers_needed else []
    moves += [english("{n} min", n=given.assist_min)] if given.assist_min else []
    wake = [given.night_alert.replace("_", " ")] if given.night_alert != "none" else []
    wake += ["cannot open the door"] if given.cannot_open_door else []
    notes = ["QUARANTINE: do not enter, speak through the door"] if given.quarantine else []
    battery = "?" if given.backup_min is None else given.backup_min
    notes += [english("power: {n} min of battery", n=battery)] if given.power_device != "none" else []
    return Card(
        people=given.people_at_home,
        wake="; ".join(wake),
        talk=", ".join(talk),
        moves=", ".join(moves) or "walks",
        note="; ".join(notes),
        floor=given.floor,
    )


def card_of_house(house: FacilityIn) -> Card:
    """How many there are by day and by night, and how long (minutes) it takes to bring them out."""
    notes = [
        english(
            "day {day}, night {night}, not walking {lying}", day=house.headcount_day, night=house.headcount_night,
            lying=house.non_walking,
        )
    ]  # fmt: skip
    people = max(house.headcount_day, house.headcount_night, 1)
    if house.occupancy is not None:
        day, heads, lying = house.occupancy
        notes.append(english("on {day} in it {heads}, not walking {lying}", day=day, heads=heads, lying=lying))
        people = max(people, heads)
    minutes = [english("{n} min day", n=house.evac_min_day)] if house.evac_min_day else []
    minutes += [english("{n} min night", n=house.evac_min_night)] if house.evac_min_night else []
    if minutes:
        notes.append(english("out in {minutes}", minutes=", ".join(minutes)))
    return Card(people=people, note="; ".join(notes))
