"""Pairs of community officers: open their list, go from door to door, tap what they found, until it stops.

A list is opened once on the team's phone. They see only the page:
`<article id="v{delivery}" data-done="0|1">` for each visit with a form of outcome buttons,
an element `id="stopped"` when visits are over, and `<section id="team" data-late="0|1">` with a form to say that they are all
right, or back in safety.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from lxml import html

from services.sim.agenda import Action, Agenda
from services.sim.browser import Browser, Form, form_of
from services.sim.callees import Line
from services.sim.chance import between, chance, lognormal, words_key
from services.sim.habits import Habits, mix, nightness
from services.sim.neighbourhood import Neighbourhood, Someone

SEEN = ("can_go", "moving", "safe_here")
_TRY_PAGE_AGAIN_S = 120.0


@dataclass
class _Round:
    """One team on one list."""

    link: str
    worker: Someone
    tapped: set[str] = field(default_factory=set)
    come_back: dict[str, float] = field(default_factory=dict)  # visit > when help is there
    idle_since: float | None = None
    out: bool = False


@dataclass(frozen=True)
class _Visit:
    """One entry of the list as the page shows it."""

    id: str
    done: bool
    words: str
    lift: bool
    form: Form | None


class Officers:
    """All teams. One round for each list, however many texts announce it."""

    def __init__(
        self, agenda: Agenda, seed: int, habits: Habits, browser: Browser, around: Neighbourhood, utc_offset_min: int
    ) -> None:
        self._agenda = agenda
        self._seed = seed
        self._habits = habits
        self._browser = browser
        self._around = around
        self._offset = utc_offset_min
        self._rounds: dict[str, _Round] = {}
        self._knocks: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()

    def got_link(self, worker: Someone, link: str) -> None:
        """Takes in a text with a list's link. When it is noticed the round starts, or one that had ended goes on."""
        path = urlsplit(link).path
        one = self._rounds.setdefault(path, _Round(link, worker))
        if one.out:
            return
        one.out, one.idle_since = True, None
        h, what = self._habits, worker.id
        wait = lognormal(h.officer_notice_median_s, 0.7, self._chance(what, "officer_wait"))
        if self._chance(what, "officer_notices") >= h.officer_notices:
            wait += 1800
        self._in(wait, one, "start", lambda: self._look(one))

    def asked_to_contact(self, sender: str, to: str, ref: str, key: str, line: Line) -> None:
        """A text asks to contact somebody: call, and answer 4 (spoken with) or 5 (cannot reach)."""
        h = self._habits
        digit = "4" if self._chance(key, "contact") < h.contact_reaches else "5"
        when = self._agenda.clock.now() + between(h.contact_low_s, h.contact_high_s, self._chance(key, "contact_wait"))
        self.outcomes[f"contact_{digit}"] += 1

        async def reply() -> None:
            await line.inbound(sender=sender, to=to, body=f"{digit} {ref}", key=f"{key}:contact")

        self._agenda.at(when, f"contact:{key}", reply)

    def _chance(self, *parts: object) -> float:
        return chance(self._seed, *parts)

    def _in(self, seconds: float, one: _Round, what: str, action: Action) -> None:
        self._agenda.at(self._agenda.clock.now() + seconds, f"officer:{one.worker.id}:{what}", action)

    async def _look(self, one: _Round) -> None:
        """Reads the list and sets out for the next door, or waits."""
        now, h = self._agenda.clock.now(), self._habits
        page = await self._browser.open(one.link)
        if page is None:
            if self._idle(one, now):
                self._in(_TRY_PAGE_AGAIN_S, one, "look", lambda: self._look(one))
            else:
                one.out = False
            return
        if (opening := form_of(page, "open", one.link)) is not None and await self._browser.press(opening, "yes"):
            page = await self._browser.open(one.link)
        if page is None or form_of(page, "open", one.link) is not None:
            self._in(_TRY_PAGE_AGAIN_S, one, "look", lambda: self._look(one))
            return
        if page.xpath("//*[@id='stopped']"):
            self.outcomes["rounds_stopped"] += 1
            await self._say(page, one, "back")
            one.out = False
            return
        if page.xpath("//*[@id='team'][@data-late='1']"):
            await self._say(page, one, "here")
        visits = visits_on(page, one.link)
        waiting = {v.id: v for v in visits if v.id in one.come_back and not v.done}
        if helped := next((v for v in waiting.values() if one.come_back[v.id] <= now), None):
            self._set_out(one, helped, second=True)
        elif fresh := next((v for v in visits if not v.done and v.id not in one.tapped and v.form), None):
            self._set_out(one, fresh, second=False)
        elif self._idle(one, now) or waiting:
            soonest = min((one.come_back[i] for i in waiting), default=now + h.looks_again_s)
            self._in(max(1.0, min(h.looks_again_s, soonest - now)), one, "look", lambda: self._look(one))
        else:
            self.outcomes["rounds_ended"] += 1
            await self._say(page, one, "back")
            one.out = False

    async def _say(self, page: html.HtmlElement, one: _Round, sign: str) -> None:
        """A sign of life, where the page has a button for it."""
        for team in page.xpath("//*[@id='team']"):
            form = form_of(team, "sign", one.link)
            if form is not None and sign in form.values and await self._browser.press(form, sign):
                self.outcomes[f"team_{sign}"] += 1

    def _idle(self, one: _Round, now: float) -> bool:
        """Whether it is worth waiting on."""
        if one.idle_since is None:
            one.idle_since = now
        return now - one.idle_since < self._habits.gives_up_after_s

    def _set_out(self, one: _Round, visit: _Visit, *, second: bool) -> None:
        one.idle_since = None
        h = self._habits
        stay = h.lift_s if visit.lift or second else h.visit_s
        self._in(h.travel_s + stay, one, "door", lambda: self._at_door(one, visit, second))

    async def _at_door(self, one: _Round, visit: _Visit, second: bool) -> None:
        """Taps what is found, on the page that was opened before setting out, and looks at the list again."""
        if visit.form is not None:
            outcome = self._outcome(visit, visit.form.values, second)
            if await self._browser.press(visit.form, outcome):
                self.outcomes[outcome] += 1
                one.tapped.add(visit.id)
                one.come_back.pop(visit.id, None)
                if outcome == "help":
                    one.come_back[visit.id] = self._agenda.clock.now() + self._habits.help_comes_s
        await self._look(one)

    def _outcome(self, visit: _Visit, buttons: tuple[str, ...], second: bool) -> str:
        """What the team finds at this door."""
        h, now = self._habits, self._agenda.clock.now()
        night = nightness(now, self._offset)
        door = self._around.at_door(visit.words)
        who = door.someone if door else Someone("unknown")
        seen = next((b for b in SEEN if b in buttons), buttons[0])
        if second or (door and door.facility):
            return "moving" if "moving" in buttons else seen
        self._knocks[who.id] += 1
        key = f"{who.id if door else words_key(visit.words)}:{self._knocks[who.id]}"
        if self._chance(key, "unsafe") < h.door_unsafe and "unsafe" in buttons:
            return "unsafe"
        if self._around.gone(who, now) or self._chance(key, "home") >= self._at_home(who, night):
            knows = self._chance(key, "neighbour") < h.neighbour_knows
            return "gone" if knows and "gone" in buttons else "no_answer"
        u = self._chance(key, "outcome")
        if u < h.door_refused:
            return "refused"
        if u < h.door_refused + (h.door_help_cannot_leave if who.stays and not visit.lift else h.door_help):
            return "help"
        self._around.leaves(who, now)
        return seen

    def _at_home(self, who: Someone, night: float) -> float:
        h = self._habits
        if who.stays:
            return h.at_home_cannot_leave
        if who.deaf:
            return mix(h.deaf_opens_day, h.deaf_opens_night, night)
        if who.older:
            return mix(h.at_home_older_day, h.at_home_older_night, night)
        return mix(h.at_home_day, h.at_home_night, night)


def visits_on(page: html.HtmlElement, url: str) -> list[_Visit]:
    """The list's entries in the page's order."""
    found = []
    for article in page.iter("article"):
        name = article.get("id", "")
        if name.startswith("v"):
            words = " ".join(str(article.text_content()).split())
            lift = "lift team" in words.lower()
            form = form_of(article, "outcome", url)
            found.append(_Visit(name[1:], article.get("data-done") == "1", words, lift, form))
    return found
