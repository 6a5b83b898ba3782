"""Opens an account by its link of invitation: with a passkey, a password and its codes, or an office's own sign-in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import sqlalchemy as sa

from services.gateway.accounts.codes import row_of_way
from services.gateway.accounts.passwords import check_password
from services.gateway.accounts.proofs import Proofs, Proven
from services.shared.accounts.people import Invited, invited, use
from services.shared.accounts.tables import credential
from services.shared.database.engine import Connection, Database
from services.shared.errors import NotFound, Refused
from services.shared.web import sessions


class Joined(NamedTuple):
    """Who joined, and their codes on paper where they chose those: they are shown this once."""

    shown: Proven
    papers: tuple[str, ...] = ()


async def whom(db: Connection, secret: str) -> Invited:
    """Whom a link invites. NotFound where it is over."""
    one = await invited(db, secret)
    if one is None:
        raise NotFound(
            "this link was used, or its three days are over: ask whoever invited you for another one (tocsin user "
            "invite-again)",
            field="link", rule="once",
        )  # fmt: skip
    return one


async def _opened(tx: Connection, secret: str) -> Invited:
    one = await whom(tx, secret)
    await use(tx, one)
    await sessions.end_of_person(tx, one.person)
    return one


async def by_passkey(database: Database, proofs: Proofs, secret: str, answer: str, label: str) -> Proven:
    """With the passkey their browser made."""
    async with database.write() as tx:
        one = await _opened(tx, secret)
        await proofs.passkeys.make(tx, one.person, answer, label)
        return Proven(one.person, "passkey")


async def by_office(database: Database, secret: str, handle: str) -> Proven:
    """With their account at the office's own sign-in."""
    async with database.write() as tx:
        one = await _opened(tx, secret)
        if await tx.scalar(sa.select(credential.c.person).where(credential.c.handle == handle)) is not None:
            raise Refused(
                "this account of your office belongs to somebody here already: sign in there as yourself", field="oidc",
                rule="unique",
            )  # fmt: skip
        await tx.execute(sa.insert(credential).values(row_of_way(one.person, "oidc", "", handle=handle)))
        return Proven(one.person, "oidc")


async def by_password(database: Database, proofs: Proofs, secret: str, form: Mapping[str, str]) -> Joined:
    """With a password, and beside it an app whose first code they typed, or codes on paper."""
    async with database.read() as db:
        one = await whom(db, secret)
    kept = await judged(proofs, one.person, (one.name, one.login), form)
    async with database.write() as tx:
        one = await _opened(tx, secret)
        papers = await kept.put(tx)
        return Joined(Proven(one.person, "password" if not papers else "paper"), papers)


class NewPassword(NamedTuple):
    """A password and what stands beside it, judged and not yet written down."""

    proofs: Proofs
    person: str
    hashed: str
    app: str
    step: int

    async def put(self, tx: Connection) -> tuple[str, ...]:
        """Writes both down; codes on paper, where no app was chosen."""
        await self.proofs.keep_password(tx, self.person, self.hashed)
        if self.app:
            await self.proofs.codes.keep_app(tx, self.person, self.app, self.step)
            return ()
        return tuple(await self.proofs.codes.keep_papers(tx, self.person))


async def judged(proofs: Proofs, person: str, names: tuple[str, ...], form: Mapping[str, str]) -> NewPassword:
    """What a form says of a new password. Refused names the field and what to do."""
    password, beside = form.get("password", ""), form.get("beside", "")
    check_password(password, *names)
    if beside not in ("app", "paper"):
        raise Refused("beside: choose an app or codes on paper", field="beside", rule="closed_list", given=beside[:20])
    app, step = "", 0
    if beside == "app":
        app = proofs.questions.kept(f"app {person}", form.get("app", ""))
        typed = "".join(form.get("first", "").split())
        found = proofs.codes.step(app, typed) if app else None
        if found is None:
            raise Refused(
                "first: this is not the app's code of now: scan the picture again, and type the six digits it shows; if they "
                "still do not fit, set your phone's clock by the network",
                field="first", rule="totp",
            )  # fmt: skip
        step = found
    return NewPassword(proofs, person, await proofs.passwords.hashed(password), app, step)
