"""Reads a sketch: what it says, in which words, where, until when, and what is to be put right before it is handed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.gateway import store
from services.gateway.drafting import moments, places
from services.gateway.drafting.places import SketchedPlace
from services.gateway.drafting.sketch import LONGEST, SketchContent, SketchFault, Wording
from services.gateway.publish.parts import clock_time
from services.gateway.store import StoredWarning
from services.gateway.warnings.brake import brake
from services.shared.database.engine import Connection
from services.shared.hazards import known
from services.shared.hazards.instructions import NAMES, against_chosen, of_texts, told_in
from services.shared.i18n import t, told
from services.shared.ledger import areas
from services.shared.ledger.warnings import state_at
from services.shared.people.languages import base_of, choose
from services.shared.powers.may import Thing, may
from services.shared.powers.power import Power
from services.shared.powers.who import Who
from services.shared.settings import Settings
from services.shared.tiers import TIER_WORDS, Tier

OWN = ("zh-Hans", "en")
"""What every warning says where nothing names the languages of its place."""

HOLDS_S = {Tier.RED: 6 * 3600.0, Tier.ORANGE: 12 * 3600.0, Tier.YELLOW: 86400.0, Tier.BLUE: 86400.0}
"""How long a warning holds after the impact, or after it is handed in, where its author says nothing else."""

PARTS = ("headline", "what", "where", "action", "source")


class SuggestedWords(Protocol):
    """Words of ours in one language."""

    @property
    def event(self) -> str: ...
    @property
    def headline(self) -> str: ...
    @property
    def due(self) -> str: ...
    @property
    def action(self) -> str: ...
    @property
    def draft(self) -> bool: ...


class FormSaid(Protocol):
    """One text on one channel, as a person will read or hear it."""

    @property
    def language(self) -> str: ...
    @property
    def channel(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def segments(self) -> int: ...
    @property
    def encoding(self) -> str: ...


class WritingTexts(Protocol):
    """What we have words for, those words, and every text that would be made of a warning's parts."""

    def cells(self) -> Sequence[tuple[str, Tier, str]]: ...
    def languages(self) -> Sequence[str]: ...
    def suggest(
        self, hazard: str, tier: Tier, instruction: str, tag: str, *, impact: str = "", place_to: str = ""
    ) -> SuggestedWords | None: ...
    def every_channel(
        self, parts: Mapping[str, object], tier: Tier | None, number: str, hotline: str, *, drill: bool
    ) -> Sequence[FormSaid]: ...
    def outside(self, text: str) -> str: ...


@dataclass(frozen=True)
class WordsIn:
    """What is said in one language: `said` whole, `suggested` what Tocsin offers; `event` is what the hazard is called. `own`:
    it is Tocsin's text that nobody has checked; `required`: the warning is not handed in without it."""

    tag: str
    said: Wording
    suggested: Wording
    event: str
    draft: bool
    required: bool


@dataclass(frozen=True)
class SketchReading:
    """What a sketch says. Times are warning time; `impact` None for not known, `tier` None for not chosen,
    `follows` what it takes the place of. `findings` stand
    against handing it in, `cautions` do not."""

    content: SketchContent
    tier: Tier | None
    impact: float | None
    ends: float
    place: SketchedPlace
    told: Mapping[str, WordsIn]
    findings: tuple[SketchFault, ...]
    cautions: tuple[str, ...]
    follows: StoredWarning | None = None

    @property
    def ready(self) -> bool:
        return not self.findings


class SketchReader:
    """Reads sketches of an installation."""

    def __init__(self, settings: Settings, texts: WritingTexts, sender: str) -> None:
        self._settings = settings
        self.texts = texts
        self._sender = sender

    def sender_of(self, who: Who) -> str:
        """The CAP sender somebody speaks as."""
        return who.senders[0] if who.senders else self._sender

    def offered(self) -> list[str]:
        """Languages a warning can be written in with words of ours."""
        return list(self.texts.languages())

    def required(self, content: SketchContent) -> list[str]:
        """The languages of the place we have words in; where nothing names any, our own two."""
        offered = self.offered()
        named = [key.partition("=") for key in content.areas]
        wanted = self._settings.languages_at([(a, b) for a, _, b in named])
        found = [tag for one in wanted.split(";") if one and (tag := choose(one, offered))]
        return list(dict.fromkeys(found)) or [tag for tag in OWN if tag in offered]

    def settled(self, content: SketchContent, now: float) -> SketchContent:
        """With hours as days and hours: what is read tomorrow is what was meant today."""
        offset_at = self._settings.offset_at
        impact = moments.settled(content.impact, now, offset_at)
        after = self._moment(impact, now) or now
        return _replaced(content, impact=impact, ends=moments.settled(content.ends, after, offset_at))

    async def read(self, db: Connection, who: Who, content: SketchContent, now: float) -> SketchReading:
        """The whole sketch, as `who` would hand it in at `now`."""
        place = await places.place_of(db, content)
        tier = Tier.of(content.tier) if content.tier in TIER_WORDS else None
        impact = self._moment(content.impact, now)
        ends = self._moment(content.ends, impact or now)
        holds = HOLDS_S[tier or Tier.RED]
        end = ends if ends is not None else max(impact or now, now) + holds
        required = self.required(content)
        tags = list(dict.fromkeys((*required, *content.languages)))
        told_ = {tag: self._suggested(content, place.names, who, now, tag, required=tag in required) for tag in tags}
        findings = [
            *self._unchosen(content, tier), *self._times(content, tier, impact, ends, now), *self._where(place),
            *self._words(content, told_),
        ]  # fmt: skip
        cautions: list[str] = []
        follows, said = await self._follows(db, content.updates, now)
        cautions += said
        if not findings:
            findings += await self._forbidden(db, who, content, tier, place, told_)
        if impact is not None and impact <= now:
            cautions.append(t("The time at which it comes has passed: are day and hour right? Nobody is told a time."))
        if place.shape is not None:
            cautions += [told(why) for why in await brake(db, who, place.km2, int(tier or 0))]
        cautions += self._contradictions(content, told_)
        return SketchReading(content, tier, impact, end, place, told_, tuple(findings), tuple(cautions), follows)

    async def _follows(self, db: Connection, updates: str, now: float) -> tuple[StoredWarning | None, list[str]]:
        """What it takes the place of: the newest of its chain, where a colleague has updated it meanwhile."""
        named = await store.find_stored(db, updates) if updates else None
        if named is None or state_at(named.state_state, named.state_expires_at, now) == "active":
            return named, []
        newest = await store.newest_of(db, named.state_chain_id)
        if newest is not None and newest.warning_id != updates:
            follows = await store.find_stored(db, newest.warning_id)
            if follows is not None and state_at(follows.state_state, follows.state_expires_at, now) == "active":
                said = t(
                    "No. {number} was updated meanwhile: this takes the place of No. {newer}, and what that changed is said as "
                    "it stands here.", number=named.state_number, newer=follows.state_number,
                )  # fmt: skip
                return follows, [said]
        number = named.state_number
        return named, [t("No. {number} is not in force any more: this goes out as a new warning.", number=number)]

    # ---- the words

    def _suggested(
        self, content: SketchContent, names: Sequence[str], who: Who, now: float, tag: str, *, required: bool = False
    ) -> WordsIn:
        impact, ours = self._moment(content.impact, now), None
        if content.tier in TIER_WORDS:
            due = clock_time(impact, now, self._settings.offset_at, tag) if impact is not None and impact > now else ""
            ours = self.texts.suggest(
                content.hazard, Tier.of(content.tier), content.instruction, tag, impact=due,
                place_to=content.place_to.get(tag, "") if content.place_open else "",
            )  # fmt: skip
        event = ours.event if ours is not None else _name(content.hazard, tag)
        between = "、" if base_of(tag) == "zh" else ", "
        suggested = Wording(
            headline=ours.headline if ours is not None else "", what=ours.due if ours is not None else "",
            where=between.join(names)[: LONGEST["where"]], action=ours.action if ours is not None else "",
            source=self._source(who, tag),
        )  # fmt: skip
        typed = content.words.get(tag, Wording())
        whole = Wording(**{part: getattr(typed, part) or getattr(suggested, part) for part in PARTS})
        return WordsIn(tag, whole, suggested, event, ours is not None and ours.draft, required)

    def _source(self, who: Who, tag: str) -> str:
        """A name the grant may speak as, in the script of the language where there is one."""
        names = list(who.names) or [self._settings.authority or who.authority]
        chinese = base_of(tag) == "zh"
        return next((name for name in names if any("一" <= c <= "鿿" for c in name) == chinese), names[0])

    # ---- what is wrong

    def _unchosen(self, content: SketchContent, tier: Tier | None) -> list[SketchFault]:
        found = []
        if tier is None:
            found.append(SketchFault("tier", t("Choose a tier.")))
        if content.hazard not in known():
            found.append(SketchFault("hazard", t("Choose what happens.")))
        if content.instruction not in NAMES:
            found.append(SketchFault("instruction", t("Choose what people are to do.")))
        return found

    def _times(
        self, content: SketchContent, tier: Tier | None, impact: float | None, ends: float | None, now: float
    ) -> list[SketchFault]:
        found = []
        if content.impact and impact is None:
            found.append(SketchFault("impact", self._unread(content.impact, now)))
        elif impact is not None and impact - now > 31 * 86400.0:
            found.append(SketchFault("impact", t("The impact lies more than 31 days ahead: is the day right?")))
        if content.ends and ends is None:
            found.append(SketchFault("ends", self._unread(content.ends, impact or now)))
        elif ends is not None and ends <= now:
            found.append(SketchFault("ends", t("The end lies in the past: give one that is still to come.")))
        elif ends is not None and impact is not None and ends <= impact:
            found.append(SketchFault("ends", t("The warning would end before the danger comes: give a later end.")))
        elif ends is not None and ends - now > 31 * 86400.0:
            found.append(
                SketchFault(
                    "ends", t("A warning holds 31 days at most: give an earlier end, and an update if it goes on.")
                )
            )
        return found

    def _where(self, place: SketchedPlace) -> list[SketchFault]:
        found = list(place.findings)
        if place.shape is None and not found:
            found.append(SketchFault("areas", t("Say where: choose an area, or draw or type one.")))
        return found

    def _words(self, content: SketchContent, told_: Mapping[str, WordsIn]) -> list[SketchFault]:
        found = []
        for tag, one in told_.items():
            missing = {
                "headline": t("Enter a headline ({language}).", language=tag),
                "where": t("Enter where it is ({language}).", language=tag),
                "action": t("Enter what people are to do ({language}).", language=tag),
                "source": t("Enter who says so ({language}).", language=tag),
            }
            found += [
                SketchFault(f"{part}.{tag}", said)
                for part, said in missing.items()
                if not getattr(one.said, part).strip()
            ]
            for part, most in LONGEST.items():
                n = len(getattr(one.said, part))
                if n > most:
                    said = t(
                        "This has {n} characters, and {most} is the most ({language}).", n=n, most=most, language=tag
                    )
                    found.append(SketchFault(f"{part}.{tag}", said))
        if any(content.place_to.get(tag) for tag in told_) and not content.place_open:
            found.append(
                SketchFault(
                    "place_open",
                    t("Nobody is sent to a place that is not confirmed open: have it confirmed, or leave it out."),
                )
            )
        elif content.place_open and (lacking := [tag for tag in told_ if not content.place_to.get(tag)]):
            found.append(
                SketchFault(
                    f"place_to.{lacking[0]}",
                    t("Enter the place's name in every language: {languages}.", languages=", ".join(lacking)),
                )
            )
        return found

    def _contradictions(self, content: SketchContent, told_: Mapping[str, WordsIn]) -> list[str]:
        """Two languages that cannot both be followed; words that are not what was chosen."""
        found = [
            t(
                "You chose {chosen}, and the words ({language}) tell people to {order}: put one of them right.",
                chosen=t(NAMES[content.instruction]), language=tag, order=t(NAMES[order]),
            )
            for tag, one in told_.items()
            if content.instruction in NAMES
            and (order := against_chosen(content.instruction, told_in(one.said.action, tag)))
        ]  # fmt: skip
        _, against = of_texts("", {tag: one.said.action for tag, one in told_.items()})
        if against is None:
            return found
        one, other = against.languages
        return [
            *found,
            t(
                "The languages contradict each other: {one} tells people to {order}, {other} to {opposite}.", one=one,
                other=other, order=t(NAMES[against.orders[0]]), opposite=t(NAMES[against.orders[1]]),
            )
        ]  # fmt: skip

    async def _forbidden(
        self,
        db: Connection,
        who: Who,
        content: SketchContent,
        tier: Tier | None,
        place: SketchedPlace,
        told_: Mapping[str, WordsIn],
    ) -> list[SketchFault]:
        """What the grant says to it, as it will when it is handed in."""
        fault = may(who, Power.DRAFT, await self._thing(db, who, content, tier, place, told_))
        if fault is None:
            return []
        first = next(iter(told_))
        field = {"area": "areas", "geocodes": "areas", "event": "hazard", "source": f"source.{first}"}.get(
            fault.field, "tier"
        )
        return [SketchFault(field, told(fault.message))]

    async def _thing(
        self,
        db: Connection,
        who: Who,
        content: SketchContent,
        tier: Tier | None,
        place: SketchedPlace,
        told_: Mapping[str, WordsIn],
    ) -> Thing:
        texts, _ = await areas.of_codes(db, place.geocodes)
        return Thing(
            owner=who.authority, tier=int(tier or 0), shapes=tuple([place.geojson, *texts] if place.geojson else texts),
            unresolved=tuple(" ".join(one) for one in place.unresolved), events=(content.hazard,),
            sender=self.sender_of(who), sources=tuple(one.said.source for one in told_.values()), brought_by=who.actor,
        )  # fmt: skip

    async def thing(self, db: Connection, who: Who, reading: SketchReading) -> Thing:
        """What would wait for a second person, were it handed in by `who`."""
        return await self._thing(db, who, reading.content, reading.tier, reading.place, reading.told)

    def _moment(self, text: str, after: float) -> float | None:
        if not text.strip():
            return None
        try:
            return moments.instant(text, after, self._settings.offset_at)
        except (ValueError, OverflowError):
            return None

    def _unread(self, text: str, after: float) -> str:
        """Why a time cannot be taken as it stands."""
        try:
            moments.instant(text, after, self._settings.offset_at)
        except moments.UnclearTime as unclear:
            return str(unclear)
        except (ValueError, OverflowError):
            pass
        return t("This is no time: write 22:40, or 2026-11-30 22:40.")


def _name(hazard: str, tag: str) -> str:
    return known()[hazard].name(base_of(tag)) if hazard in known() else ""


def _replaced(content: SketchContent, **changes: object) -> SketchContent:
    return SketchContent(**{name: getattr(content, name) for name in content.__struct_fields__} | changes)
