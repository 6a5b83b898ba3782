"""Stands in for whoever is on duty: gets a case by text, opens the list and takes cases nobody has.

What follows for a person is done at the door, so a case taken stays open here until their path closes it.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TypedDict
from urllib.parse import urlsplit

import aiohttp

from services.sim.agenda import Agenda
from services.sim.chance import chance, lognormal
from services.sim.habits import Habits
from services.sim.neighbourhood import Someone
from services.sim.postman import Postman


class DeskCase(TypedDict):
    """A case as its list names it."""

    case_id: str
    state: str


class Desk(TypedDict, total=False):
    """What the list of cases answers; nothing where it could not be had."""

    cases: list[DeskCase]


class DutyDesk:
    """Signs in by an API key of the authority; without one a text is only counted."""

    def __init__(self, agenda: Agenda, seed: int, habits: Habits, postman: Postman) -> None:
        self._agenda = agenda
        self._seed = seed
        self._habits = habits
        self._postman = postman
        self._key = ""
        self._in_flight = 0
        self.outcomes: Counter[str] = Counter()

    def sign_in(self, key: str) -> None:
        """From now on cases can be taken."""
        self._key = key

    @property
    def busy(self) -> bool:
        return self._in_flight > 0

    def told(self, worker: Someone, link: str, key: str) -> None:
        """A text says that a case has no owner; `key` names the text."""
        self.outcomes["told"] += 1
        if not self._key:
            return
        wait = lognormal(self._habits.officer_notice_median_s, 0.7, chance(self._seed, worker.id, "case_wait", key))
        self._agenda.at(self._agenda.clock.now() + wait, f"duty:{worker.id}:{key}", lambda: self._take(link))

    async def _take(self, link: str) -> None:
        parts = urlsplit(link)
        warning_id = parts.path.split("/")[2]
        url = f"{parts.scheme}://{parts.netloc}/report/{warning_id}/cases"
        for one in (await self._ask("GET", url)).get("cases", []):
            if one["state"] == "open":
                await self._ask("POST", f"{url}/{one['case_id']}", {"act": "take"})

    async def _ask(self, method: str, url: str, body: dict[str, str] | None = None) -> Desk:
        """The answer, or nothing where it cannot be had now: the desk is told again by the next text."""
        self._in_flight += 1
        headers = {"Authorization": f"Bearer {self._key}"}
        try:
            async with self._postman.session.request(method, url, json=body, headers=headers) as response:
                answer = await response.read()
        except (aiohttp.ClientError, TimeoutError):
            return {}
        finally:
            self._in_flight -= 1
        found: Desk = json.loads(answer) if response.status == 200 else {}
        return found
