"""Keeps the links to lists of doors: which one is the team's now, the devices it opens on, and which were taken back.

A team's first link needs no row: the text brings it. A row is written when it is first opened, taken back or made anew.
The fire service has no phone of ours: its link is always made by a person, for a reason.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import NamedTuple

import sqlalchemy as sa

from services.shared.crypto.signing import Signer
from services.shared.database.batches import insert_new
from services.shared.database.engine import Connection
from services.shared.database.rows import columns, row_of, rows_of
from services.shared.errors import Conflict, NotAllowed
from services.shared.ledger.opened_lists import list_link
from services.shared.ledger.warnings import warning_state

RESCUE = "fireservice"  # the slot of the fire service's list
OPENED_WITHIN_S = 3600.0  # of a link that a person made
AFTERWARDS_S = 86400.0  # how long after the warning's time doors under way go on
MOST_CODES = 5  # wrong codes for another device, then a new link is needed
MOST_DEVICES = 4


class ListLink(NamedTuple):
    """A link to a list, by the warning, the team and its number among theirs."""

    warning_id: str
    slot: str
    n: int
    made_at: float
    devices: list[str]
    opened_at: float | None
    wrong_codes: int
    recalled_at: float | None

    def opens_on(self, device: str) -> bool:
        """Whether it was opened on the device of that cookie."""
        return bool(device) and _hashed(device) in self.devices


def _hashed(device: str) -> str:
    return hashlib.sha256(device.encode()).hexdigest()


def new_device() -> str:
    """A cookie's value for a device that has none."""
    return secrets.token_urlsafe(16)


def subject_of(warning_id: str, slot: str, n: int) -> str:
    """What the token of a link vouches for."""
    return f"{warning_id}-{slot}-{n}" if n else f"{warning_id}-{slot}"


def path_of(signer: Signer, warning_id: str, slot: str, n: int) -> str:
    """Where a link leads, without the host."""
    return f"/l/{signer.token('list', subject_of(warning_id, slot, n))}"


def code_of(signer: Signer, one: ListLink) -> str:
    """Six digits that open the same list on another device; they stand on the list itself."""
    return _digits(signer.code("list code", subject_of(one.warning_id, one.slot, one.n)))


def _is_code(signer: Signer, one: ListLink, given: str) -> bool:
    """Also one that stood on the list before the key was replaced."""
    known = signer.codes("list code", subject_of(one.warning_id, one.slot, one.n))
    return any(secrets.compare_digest(given.encode(), _digits(code).encode()) for code in known)


def _digits(code: str) -> str:
    return f"{int(hashlib.sha256(code.encode()).hexdigest()[:12], 16) % 1_000_000:06d}"


async def newest_of(db: Connection, warning_id: str, slot: str) -> int:
    """The number of the team's newest link."""
    mine = sa.select(sa.func.max(list_link.c.n)).where(list_link.c.warning_id == warning_id, list_link.c.slot == slot)
    return int(await db.scalar(mine) or 0)


async def links_of(db: Connection, warning_id: str) -> list[ListLink]:
    """Every link under a warning that was opened, made or taken back, the newest of a team first."""
    found = sa.select(*columns(ListLink, list_link)).where(list_link.c.warning_id == warning_id)
    return await rows_of(db, ListLink, found.order_by(list_link.c.slot, list_link.c.n.desc()))


async def find_link(db: Connection, signer: Signer, token: str, now: float) -> ListLink | None:
    """The link a token is; `now` is warning time. None where it was taken back, NotAllowed where it was altered."""
    warning_id, slot, n = _parts(signer.subject("list", token))
    mine = sa.and_(list_link.c.warning_id == warning_id, list_link.c.slot == slot, list_link.c.n == n)
    one = await row_of(db, ListLink, sa.select(*columns(ListLink, list_link)).where(mine))
    if one is None and n == 0 and slot != RESCUE:
        return ListLink(warning_id, slot, 0, now, [], None, 0, None)
    return one if one is not None and one.recalled_at is None else None


async def valid_link(db: Connection, signer: Signer, token: str, now: float) -> ListLink:
    """The link a token is. NotAllowed where it was altered, taken back, or not opened in time."""
    one = await find_link(db, signer, token, now)
    if one is None:
        raise NotAllowed(
            "this link was taken back: ask your command post for a new one", field="link", rule="link.recalled"
        )
    if one.n and one.opened_at is None and now > one.made_at + OPENED_WITHIN_S:
        raise NotAllowed(
            "this link was not opened within an hour: ask your command post for a new one",
            field="link",
            rule="link.late",
        )
    return one


def _parts(subject: str) -> tuple[str, str, int]:
    warning_id, _, rest = subject.partition("-")
    slot, _, n = rest.partition("-")
    return warning_id, slot, int(n or 0)


async def bind(tx: Connection, signer: Signer, one: ListLink, device: str, code: str, now: float) -> bool:
    """From now on it opens on this device, on a second one only by the code; False counts a wrong code. Conflict where
    there were too many."""
    mine = sa.and_(list_link.c.warning_id == one.warning_id, list_link.c.slot == one.slot, list_link.c.n == one.n)
    row = {
        "warning_id": one.warning_id, "slot": one.slot, "n": one.n, "made_at": now, "made_by": one.slot, "devices": [],
    }  # fmt: skip
    await insert_new(tx, list_link, [row])
    found = (await tx.execute(sa.select(list_link).where(mine).with_for_update())).one()
    if _hashed(device) in found.devices:
        return True
    if found.devices:
        if found.wrong_codes >= MOST_CODES or len(found.devices) >= MOST_DEVICES:
            raise Conflict(
                "this link opens on no further device: ask your command post for a new one",
                field="code",
                rule="link.devices",
            )
        if not _is_code(signer, one, code):
            await tx.execute(sa.update(list_link).where(mine).values(wrong_codes=found.wrong_codes + 1))
            return False
    await tx.execute(
        sa.update(list_link).where(mine).values(
            devices=[*found.devices, _hashed(device)], opened_at=found.opened_at if found.opened_at is not None else now
        )
    )  # fmt: skip
    return True


async def make(tx: Connection, warning_id: str, slot: str, by: str, now: float) -> int:
    """A new link for a team; its earlier ones are taken back. Its number."""
    await recall(tx, warning_id, slot, now)
    n = await newest_of(tx, warning_id, slot) + 1
    row = {"warning_id": warning_id, "slot": slot, "n": n, "made_at": now, "made_by": by[:80], "devices": []}
    await tx.execute(sa.insert(list_link).values(**row))
    return n


async def recall(tx: Connection, warning_id: str, slot: str, now: float) -> None:
    """Every link of a team under a warning opens nothing any more, also one nobody has opened yet; nor do those under what it
    replaced: whoever holds a lost phone would speak for the team."""
    state = warning_state.c
    chain = sa.select(state.chain_id).where(state.warning_id == warning_id).scalar_subquery()
    before = sa.select(state.warning_id).where(state.chain_id == chain, state.state.in_(("superseded", "cancelled")))
    under = {warning_id, *(await tx.scalars(before)).all()}
    first = [
        {"warning_id": one, "slot": slot, "n": 0, "made_at": now, "made_by": slot, "devices": []}
        for one in sorted(under)
    ]  # fmt: skip
    await insert_new(tx, list_link, first)
    mine = (list_link.c.warning_id.in_(under), list_link.c.slot == slot, list_link.c.recalled_at.is_(None))
    await tx.execute(sa.update(list_link).where(*mine).values(recalled_at=now))
