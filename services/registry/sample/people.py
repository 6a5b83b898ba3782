"""Invents one fictional person: channels, supporters, and the facts behind a need; all chance from one seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import cast

from services.registry.geo.areas import Shape
from services.registry.model.given import NEEDS, WG, ContactIn, SupporterIn, Wg, mobile

NAMES = (
    "Ms Chen", "Mr Wang", "Mrs Li", "Mr Zhao", "Ms Nikula", "Mr Okafor", "Mrs Haddad", "Mr Silva", "Ms Tanaka",
    "Mr Novak", "Mrs Dolma", "Mr Rahman", "Ms Ivanova", "Mr Keller", "Mrs Mbeki", "Ms Nguyen", "Mr Yilmaz", "Ms Aroha",
    "王阿姨", "刘大爷",
)  # fmt: skip
SECOND = (
    "hard_of_hearing", "mobility", "low_vision", "cognitive", "basement", "speech", "power_medical", "other_language",
)  # fmt: skip
Facts = dict[str, object]


@dataclass
class Home:
    """Where a household lives."""

    household_id: str
    lat: float
    lon: float
    address: str
    zone_id: str
    grid_id: str
    walk_seq: int
    floor: int
    lift: bool


class Traits:
    """Draws what is given of a person; no number and no address twice."""

    def __init__(self, rng: random.Random, area: Shape, year: int) -> None:
        self._rng = rng
        self._area = area
        self._year = year
        self._numbers = rng.randrange(10**8)
        self._emails = 0

    def number(self, first: str) -> str:
        """The next number that begins with +999 and `first` (7 mobile, 2 landline)."""
        self._numbers = (self._numbers + 27_644_437) % 10**8  # a prime that does not divide 10^8: no number twice
        return f"+999{first}{self._numbers:08d}"

    def _email(self) -> str:
        self._emails += 1
        return f"p{self._emails}@example.org"

    def _contacts(self) -> tuple[ContactIn, ...]:
        """Mostly a mobile for both uses; some landlines, e-mail, refusals and numbers nobody verified."""
        dice = self._rng.random()
        verified = self._rng.random() < 0.7
        if dice < 0.06:
            landline = ContactIn(kind="voice_landline", address=self.number("2"), verified=verified)
            return (landline,)
        if dice < 0.10:
            return (ContactIn(kind="email", address=self._email(), verified=True),)
        no = [] if self._rng.random() > 0.08 else [self._rng.choice(("sms", "voice_mobile"))]
        number = self.number("7")
        unsure = self._rng.random() < 0.05
        found = mobile(
            number,
            verified=verified and not unsure,
            given_by="record" if unsure else "self",
            said_no=no,
        )
        if self._rng.random() < 0.12:
            found += (ContactIn(kind="email", address=self._email(), order=9, verified=True),)
        return found

    def _old_contacts(self) -> tuple[ContactIn, ...]:
        """A landline first for most; a mobile beside it for half."""
        found: tuple[ContactIn, ...] = ()
        if self._rng.random() < 0.7:
            found = (ContactIn(kind="voice_landline", address=self.number("2"), verified=True),)
        if not found or self._rng.random() < 0.5:
            found += mobile(self.number("7"), order=1, verified=True)
        return found

    def _supporter(self, home: Home, relation: str = "family") -> SupporterIn:
        """Half live outside the zone; most of them are known by place, the others by their word."""
        outside = self._rng.random() < 0.5
        lat: float | None = None
        lon: float | None = None
        if self._rng.random() < 0.6:
            north = self._area.bounds[3]
            # away from every polygon: beyond the northern edge, or the southern one near the pole
            beyond = north + 0.4 if north < 85 else self._area.bounds[1] - 0.4
            lat, lon = (round(beyond, 6), home.lon) if outside else (home.lat, home.lon)
        return SupporterIn.model_validate(
            {
                "name": self._rng.choice(NAMES),
                "relation": relation,
                "contacts": mobile(self.number("7"), verified=True),
                "outside_zone": outside,
                "lat": lat,
                "lon": lon,
                "accepted": self._rng.random() < 0.9,
            }
        )

    def adult(self) -> Facts:
        """Somebody of 19 to 69 without needs."""
        dice = self._rng.random()
        opted = ("blue", "yellow") if dice < 0.15 else ("yellow",) if dice < 0.35 else ()
        return {"birth_year": self._year - self._rng.randrange(19, 70), "opt_in": opted, "contacts": self._contacts()}

    def facts_of(self, need: str, home: Home) -> Facts:
        """What is given of a resident whose main need this is."""
        facts = self.adult()
        chance = self._rng.random
        wg = dict.fromkeys(WG, 1)
        if need in NEEDS and NEEDS[need].kind == "yes":
            facts[NEEDS[need].field] = True
        supporter = 0.3
        if need in ("hard_of_hearing", "low_vision", "cognitive") and chance() < 0.7:
            facts["birth_year"] = self._year - self._rng.randrange(72, 96)
            facts["contacts"] = self._old_contacts()
        match need:
            case "deaf_signing":
                wg["hear"] = 4
                facts |= {"sign_lang": self._rng.choice(("csl", "csl", "ase")), "modes": ("sign", "plain_text")}
                facts["night_alert"] = "bed_shaker" if chance() < 0.3 else "none"
            case "deaf_text":
                wg["hear"] = 4
                facts |= {"modes": ("plain_text",), "night_alert": "bed_shaker" if chance() < 0.25 else "none"}
            case "hard_of_hearing":
                wg["hear"] = 3
            case "blind":
                wg["see"] = 4
                facts["modes"] = ("spoken",)
            case "low_vision":
                wg["see"] = 3
                facts["modes"] = ("large_print",)
            case "deafblind":
                wg["see"], wg["hear"] = 4, self._rng.choice((3, 4))
                facts["modes"] = ("tactile", "braille") if chance() < 0.3 else ("tactile",)
                supporter = 1.0
            case "mobility":
                self._mobility(facts, wg)
            case "lift_dependent":
                wg["walk"] = 2
                home.lift, home.floor = True, self._rng.randrange(3, 14)
            case "cognitive":
                wg["cognition"] = self._rng.choice((3, 3, 4))
                facts["modes"] = ("easy_read",)
                supporter = 0.95
            case "psychosocial":
                supporter = 0.5
            case "speech":
                wg["communicate"] = self._rng.choice((3, 4))
            case "older_alone":
                facts |= {"birth_year": self._year - self._rng.randrange(70, 97), "lives_alone": True}
                facts["contacts"] = self._old_contacts()
                facts["cannot_open_door"] = chance() < 0.08
                wg["walk"] = self._rng.choice((1, 1, 2, 3))
                supporter = 0.7
            case "older_only_home":
                facts["birth_year"] = self._year - self._rng.randrange(76, 97)
                facts["contacts"] = self._old_contacts()
                supporter = 0.5
            case "no_phone":
                facts |= {"birth_year": self._year - self._rng.randrange(50, 95), "contacts": (), "opt_in": ()}
                facts["lives_alone"] = chance() < 0.6
                supporter = 0.5
            case "power_medical":
                facts["power_device"] = self._rng.choice(("oxygen", "ventilator", "dialysis"))
                facts["backup_min"] = self._rng.choice((30, 90, 240))
            case "newborn_or_late_pregnancy":
                facts["birth_year"] = self._year - self._rng.randrange(20, 42)
            case "basement":
                home.floor, home.lift = -1, False
                facts["basement"] = True
            case "other_language":
                facts["languages"] = (self._rng.choice(("ne", "vi", "ar", "ug", "pt")),)
            case "minor":
                own = chance() < 0.5
                facts["birth_year"] = self._year - (self._rng.randrange(14, 18) if own else self._rng.randrange(8, 14))
                facts["contacts"] = mobile(self.number("7"), verified=True, household=not own)
                facts |= {"opt_in": (), "lives_alone": chance() < 0.1}
        if need == "minor":
            facts["supporters"] = (self._supporter(home, "guardian"),)
        elif chance() < supporter:
            facts["supporters"] = tuple(self._supporter(home) for _ in range(1 if chance() < 0.8 else 2))
        if chance() < 0.05 and facts["contacts"]:
            facts["own_channels"] = ("voice", "sms") if need not in ("deaf_text", "deaf_signing") else ("sms",)
        facts["wg"] = Wg.model_validate(wg)
        return facts

    def _mobility(self, facts: Facts, wg: dict[str, int]) -> None:
        moves = self._rng.choice(("walks_with_aid", "walks_with_aid", "wheelchair", "wheelchair", "stretcher"))
        wg["walk"] = 3 if moves == "walks_with_aid" else 4
        carriers = {"walks_with_aid": 0, "wheelchair": self._rng.choice((0, 0, 2)), "stretcher": 4}[moves]
        facts |= {"moves": moves, "carriers_needed": carriers, "assist_min": 5 + 5 * carriers}
        facts["own_transport"] = moves != "stretcher" and self._rng.random() < 0.3
        facts["wake_note"] = "key with neighbour" if self._rng.random() < 0.3 else "bell"

    def combine(self, facts: Facts, second: str, home: Home) -> None:
        """A second need, as many people have one."""
        wg = cast(Wg, facts["wg"])
        match second:
            case "hard_of_hearing" if wg.hear == 1 and wg.see == 1:
                facts["wg"] = wg.model_copy(update={"hear": 3})
            case "low_vision" if wg.hear == 1 and wg.see == 1:
                facts["wg"] = wg.model_copy(update={"see": 3})
            case "mobility" if facts.get("moves", "walks") == "walks":
                levels: dict[str, int] = {}
                self._mobility(facts, levels)
                facts["wg"] = wg.model_copy(update=levels)
            case "cognitive":
                facts["wg"] = wg.model_copy(update={"cognition": 3})
            case "speech":
                facts["wg"] = wg.model_copy(update={"communicate": 3})
            case "power_medical":
                facts |= {"power_device": "oxygen", "backup_min": 120}
            case "other_language":
                facts["languages"] = ("ne",)
            case "basement" if not home.lift:
                home.floor = -1
                facts["basement"] = True
