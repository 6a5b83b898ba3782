"""Takes what help somebody wants who has called for it: what, for how many, where to call back. All of it may be left open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from aiohttp import web
from multidict import MultiDictProxy

from services.channels.pages.store import WithWarning
from services.shared.crypto.kept_sealer import KeptSealer
from services.shared.crypto.sealing import page_key
from services.shared.database.batches import insert_new, upsert
from services.shared.database.engine import Connection
from services.shared.database.rows import columns, row_of
from services.shared.i18n import mark, t
from services.shared.labels import HELP_WANTED, say
from services.shared.ledger.help_wanted import WHAT, HelpWanted, help_number, help_wanted, number_owner
from services.shared.people import phone_numbers
from services.shared.service import Platform

MOST = 500  # people
Form = MultiDictProxy[str | bytes | bytearray | web.FileField]
PEOPLE_WRONG = mark("Type how many people need help, 1 to {most}, or leave it open.")
NUMBER_WRONG = mark("That is no phone number. Type it with + and the country code, or leave it open.")


@dataclass(frozen=True)
class HelpAsked:
    """What stands in the form: what was said, the number as it was typed, and what is wrong with it by input."""

    what: Sequence[str] = ()
    people: str = ""
    number: str = ""
    numbered: bool = False  # a number is kept; it is sealed and not shown again
    said: bool = False
    problem: str = ""
    wrong: str = ""

    @property
    def choices(self) -> list[tuple[str, str]]:
        """(value, words) of what may be ticked."""
        return [(one, say(HELP_WANTED, one)) for one in WHAT]


class HelpForms:
    """Reads and keeps it; one per process."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._sealer = KeptSealer(platform.keys)

    @staticmethod
    async def kept(db: Connection, row: WithWarning) -> HelpAsked:
        """What was said on this message before."""
        mine = sa.select(*columns(HelpWanted, help_wanted)).where(help_wanted.c.delivery_id == row.delivery_id)
        found = await row_of(db, HelpWanted, mine)
        if found is None:
            return HelpAsked()
        return HelpAsked(found.words, str(found.people or ""), numbered=bool(found.sealed), said=True)

    @staticmethod
    def number(row: WithWarning) -> str:
        """The number the call is known by."""
        return help_number(row.chain_id, row.person_id)

    async def keep(self, row: WithWarning, form: Form) -> HelpAsked | None:
        """Keeps what a form says; else the form again, with what is wrong. An empty number leaves the one there is."""
        ticked = {str(one) for one in form.getall("what", [])}
        what = [one for one in WHAT if one in ticked]
        people, typed = str(form.get("people", "")).strip()[:8], str(form.get("number", "")).strip()[:40]
        given = HelpAsked(what, people, typed)
        if people and not (people.isdecimal() and 1 <= int(people) <= MOST):
            return HelpAsked(what, people, typed, problem=t(PEOPLE_WRONG, most=MOST), wrong="people")
        number = phone_numbers.normal(typed, self._platform.settings.country)
        if typed and (not number or phone_numbers.never(number)):
            return HelpAsked(what, people, typed, problem=t(NUMBER_WRONG), wrong="number")
        values: dict[str, object] = {
            "delivery_id": row.delivery_id, "warning_id": row.warning_id, "person_id": row.person_id,
            "what": ",".join(given.what), "people": int(people) if people else 0, "said_at": self._platform.clock.now(),
            "sealed": b"", "key_id": "",
        }  # fmt: skip
        replaced = ["what", "people", "said_at"]
        async with self._platform.database.write() as tx:
            if number:
                sealer = self._sealer.sealer()
                await insert_new(tx, page_key, [sealer.row()])
                values |= {
                    "sealed": sealer.seal(number.encode(), number_owner(row.delivery_id)),
                    "key_id": sealer.key_id,
                }
                replaced += ["sealed", "key_id"]
            await upsert(tx, help_wanted, [values], ["delivery_id"], replace=replaced)
        return None
