"""People behind numbers: who notices a text, answers a call, presses which key; all by hash, whatever comes first.

They see only what reaches them: the words of a text, the TwiML that is said. Numbers nobody knows belong to general
adults; of these, numbers ending in 0000 never answer.
"""

from __future__ import annotations

import re
from collections import Counter

from services.sim.agenda import Agenda
from services.sim.browser import Browser, form_of
from services.sim.callees import (
    CalleeReaction,
    CallFate,
    Line,
    Ring,
    Text,
    TextFate,
)
from services.sim.chance import between, chance, lognormal
from services.sim.duty import DutyDesk
from services.sim.habits import Habits, mix, nightness
from services.sim.neighbourhood import NOT_OF_US, Neighbourhood, Someone
from services.sim.officers import Officers

_LINK = re.compile(r"https?://[^\s<>\"]+/(l|a)/[^\s<>\"，。]+")
_CASES = re.compile(r"https?://[^\s<>\"]+/live/[^\s<>\"/]+/cases")
_REFERENCE = re.compile(r"(?<!\d)4 (\d{4})(?!\d)")
_OFFERED = re.compile(r"(?:[Rr]eply|[Pp]ress|回|按|,|，|、)\s*([1-3])(?!\d)")
_ASKS_HEADS = re.compile(r"\bN\d\b|回N")
DIGIT_TO_ANSWER = {"1": "leaving", "2": "help", "3": "not_there"}


class Phones:
    """All callees of one community; also reads their e-mail, since it is the same people."""

    def __init__(
        self,
        around: Neighbourhood,
        agenda: Agenda,
        seed: int,
        officers: Officers,
        duty: DutyDesk,
        browser: Browser,
        habits: Habits | None = None,
        utc_offset_min: int = 0,
    ) -> None:
        self._around = around
        self._agenda = agenda
        self._seed = seed
        self._officers = officers
        self._duty = duty
        self._browser = browser
        self._habits = habits or Habits()
        self._offset = utc_offset_min
        self._line: Line | None = None
        self.counts: Counter[str] = Counter()

    def plug_in(self, line: Line) -> None:
        self._line = line

    def _chance(self, *parts: object) -> float:
        return chance(self._seed, *parts)

    def _night(self) -> float:
        return nightness(self._agenda.clock.now(), self._offset)

    # texts

    def text(self, text: Text) -> TextFate:
        h = self._habits
        people = self._around.behind(text.to)
        if people[0].role in ("person", "helper"):
            if all(p.landline for p in people):
                return TextFate(1.0, 3.0, 30006)
            if self._never(text.to) or self._chance(text.to, "stale") < h.stale:
                return TextFate(1.0, 20.0, 30003)
        done = lognormal(h.delivered_median_s, h.delivered_sigma, self._chance(text.key, "delivered"))
        return TextFate(min(1.0, done), done)

    def _never(self, number: str) -> bool:
        return number.endswith("0000") and self._around.behind(number)[0].id.startswith(NOT_OF_US)

    def got(self, text: Text) -> None:
        link = _LINK.search(text.body)
        ref = _REFERENCE.search(text.body)
        people = self._around.behind(text.to)
        if cases := _CASES.search(text.body):
            self._duty.told(self._as(people, "officer"), cases.group(0), text.key)
        elif link and link.group(1) == "l" and not ref:
            self._officers.got_link(self._as(people, "officer"), link.group(0))
        elif ref and link and link.group(1) == "l":
            if self._line is not None:
                self._officers.asked_to_contact(text.to, text.sender, ref.group(1), text.key, self._line)
        elif ref:
            self._help(text, self._as(people, "helper"), ref.group(1), link.group(0) if link else "")
        else:
            self._read(text, people)

    @staticmethod
    def _as(people: list[Someone], role: str) -> Someone:
        """Whom of those on this number a text of this kind is for."""
        return next((p for p in people if p.role == role), people[0])

    def _one_of(self, people: list[Someone], key: str) -> Someone:
        """Who of those sharing a phone has it in hand."""
        return people[int(self._chance(key, "hand") * len(people))]

    def _notices(self, who: Someone) -> float:
        h, night = self._habits, self._night()
        if who.deaf and night > 0.5:
            return h.wakes_with_shaker if "bed_shaker" in who.flags else h.wakes_deaf_without
        by_day, by_night = (
            (h.noticed_older_day, h.noticed_older_night) if who.older else (h.noticed_day, h.noticed_night)
        )
        p = mix(by_day, by_night, night)
        if who.any_of("deafblind"):
            return p * h.noticed_deafblind
        return p * h.noticed_blind if who.any_of("blind") else p

    def _read(self, text: Text, people: list[Someone]) -> None:
        who = self._one_of(people, text.key)
        h = self._habits
        if self._chance(text.key, "notices") >= self._notices(who):
            return
        self.counts["texts_noticed"] += 1
        offered = frozenset(_OFFERED.findall(text.body))
        digit = self._answer(who, text.key, offered, h.answer_resident, h.answer_subscriber)
        if not digit:
            return
        wait = lognormal(h.notice_median_s, h.notice_sigma, self._chance(text.key, "notice_wait"))
        wait += lognormal(h.typing_median_s, 0.6, self._chance(text.key, "typing"))
        when = self._agenda.clock.now() + wait
        self._acts(who, digit, when)
        self._agenda.at(when, f"reply:{text.key}", lambda: self._reply(text, digit, len(people)))

    def _answer(self, who: Someone, key: str, offered: frozenset[str], resident: float, subscriber: float) -> str:
        """The digit the person gives, out of those offered; empty for none."""
        h = self._habits
        willing = resident if who.resident else subscriber
        if who.any_of("cognitive", "deafblind"):
            willing = min(willing, h.answer_cognitive if resident == h.answer_resident else h.key_cognitive)
        if self._chance(key, "answers") >= willing:
            return ""
        u = self._chance(key, "which")
        help_ = h.help_if_cannot_leave if who.stays else h.help_otherwise
        not_there = 0.9 if who.away else h.not_there
        digit = "2" if u < help_ else "3" if u < help_ + (1 - help_) * not_there else "1"
        return digit if digit in offered else ""

    def _acts(self, who: Someone, digit: str, when: float) -> None:
        if digit == "1" and not who.stays:
            self._around.leaves(who, when + 300)  # coat, papers, door
        elif digit == "3":
            self._around.leaves(who, self._agenda.clock.now())

    async def _reply(self, text: Text, digit: str, heads: int) -> None:
        if self._line is None:
            return
        self.counts[f"reply_{digit}"] += 1
        answered = await self._line.inbound(sender=text.to, to=text.sender, body=digit, key=f"{text.key}:reply")
        if answered and _ASKS_HEADS.search(answered) and self._chance(text.key, "heads") < self._habits.counts_heads:
            when = self._agenda.clock.now() + 40
            self._agenda.at(when, f"heads:{text.key}", lambda: self._count(text, max(2, heads)))

    async def _count(self, text: Text, heads: int) -> None:
        if self._line is not None:
            self.counts["reply_n"] += 1
            await self._line.inbound(sender=text.to, to=text.sender, body=f"N{heads}", key=f"{text.key}:heads")

    # helpers

    def _help(self, text: Text, helper: Someone, ref: str, link: str) -> None:
        """Phones the person, then answers: 4 spoken with, 2 needs help, 5 cannot reach; or by the link."""
        h = self._habits
        if self._chance(text.key, "notices") >= self._notices(helper):
            return
        self.counts["helpers_noticed"] += 1
        u = self._chance(text.key, "relays")
        wait = lognormal(h.notice_median_s, h.notice_sigma, self._chance(text.key, "notice_wait"))
        wait += lognormal(h.helper_relay_median_s, 0.5, self._chance(text.key, "relay_wait"))
        when = self._agenda.clock.now() + wait
        digit = "4" if u < h.helper_relays * 0.9 else "2" if u < h.helper_relays else "5"
        if link and self._chance(text.key, "by_link") < h.helper_by_link:
            with_her = helper.near and digit == "4" and self._chance(text.key, "with") < h.helper_with_person
            choice = {"4": "moving_with" if with_her else "spoke", "2": "help", "5": "cannot_reach"}[digit]
            self._agenda.at(when, f"link:{text.key}", lambda: self._press(link, choice))
            return
        if self._line is not None:
            line = self._line
            self.counts[f"helper_{digit}"] += 1

            async def answer() -> None:
                await line.inbound(sender=text.to, to=text.sender, body=f"{digit} {ref}", key=f"{text.key}:helper")

            self._agenda.at(when, f"helper:{text.key}", answer)

    async def _press(self, link: str, choice: str) -> None:
        page = await self._browser.open(link)
        form = None if page is None else form_of(page, "answer", link)
        if form is None or choice not in form.values:
            self.counts["link_without_button"] += 1
            return
        self.counts[f"link_{choice}"] += 1
        await self._browser.press(form, choice)

    # calls

    def ring(self, ring: Ring) -> CallFate:
        h = self._habits
        people = self._around.behind(ring.to)
        who = people[0]
        rings = between(5, 22, self._chance(ring.key, "rings"))
        if who.role == "duty":
            return CallFate("human" if self._chance(ring.key, "duty") < h.duty_answers else "no-answer", rings / 2)
        if self._never(ring.to):
            return CallFate("no-answer", ring.timeout_s)
        u = self._chance(ring.key, "call")
        if u < h.busy:
            return CallFate("busy", 1.0)
        hearing = [p for p in people if not p.deaf]
        at_home = [p for p in hearing if not (p.landline and self._around.gone(p, ring.at))]
        never = self._chance(ring.to, "never") < h.never_answers
        share = mix(h.answers_day, h.answers_night, self._night()) / (1 - h.never_answers)
        share += h.answers_older_more if who.older else 0.0
        if at_home and not never and self._chance(ring.key, "takes") < share:
            return CallFate("human", rings)
        if self._chance(ring.to, "machine") * (1 - h.answers_day) < h.machine:
            return CallFate("machine", 25.0)
        return CallFate("no-answer", ring.timeout_s)

    def hears(self, ring: Ring, said: str, seconds: float, turn: int, keys: bool) -> CalleeReaction:
        h, key = self._habits, f"{ring.key}:{turn}"
        people = [p for p in self._around.behind(ring.to) if not p.deaf] or self._around.behind(ring.to)
        who = self._one_of(people, ring.key)
        if who.role == "duty":
            return CalleeReaction("1" if keys else "", max(seconds * 0.8, 5.0))
        stays = CalleeReaction("", seconds + 1)
        if not keys:
            return stays  # our thanks: heard to the end
        if turn == 0 and self._chance(key, "hangs_up") < h.hangs_up_early:
            return CalleeReaction("", min(seconds, between(3, 15, self._chance(key, "hangs_up_after"))))
        if ref := _REFERENCE.search(said):
            self._after_call(ring, who, ref.group(1))
            return stays
        hard = who.any_of("hard_of_hearing") and not who.relayed
        if hard and self._chance(ring.key, "follows") >= h.hears_through_hardness:
            return stays
        if turn < 2 and self._chance(key, "again") < h.asks_again:
            return CalleeReaction("9", seconds)
        digit = self._answer(who, ring.key, frozenset("123"), h.key_resident, h.key_subscriber)
        if not digit:
            return stays
        # some know the keys by now and press after the first reading
        after = seconds * (0.55 if self._chance(key, "early") < 0.3 else 1.0)
        after += between(1, 4, self._chance(key, "press"))
        self._acts(who, digit, self._agenda.clock.now() + after)
        return CalleeReaction(digit, after)

    def _after_call(self, ring: Ring, helper: Someone, ref: str) -> None:
        """A helper who was called phones the person and then texts what came of it."""
        self._help(Text(f"{ring.key}:after", ring.sid, ring.to, ring.sender, "", ring.at), helper, ref, "")

    # e-mail

    def mail(self, address: str, key: str, link: str) -> None:
        """An e-mail is in the box: it is read late, if at all, and answered by its link."""
        h = self._habits
        who = self._around.behind(address)[0]
        if self._chance(key, "notices") >= mix(h.mail_read_day, h.mail_read_night, self._night()):
            return
        self.counts["mails_read"] += 1
        digit = self._answer(who, key, frozenset("123"), h.mail_answers, h.mail_answers)
        if not digit or not link:
            return
        when = self._agenda.clock.now() + lognormal(h.mail_median_s, 0.8, self._chance(key, "mail_wait"))
        self._acts(who, digit, when)
        self._agenda.at(when, f"mail:{key}", lambda: self._press(link, DIGIT_TO_ANSWER[digit]))
