"""Judges what somebody shows to say who they are: a passkey, or a sign-in name, a password and a code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import sqlalchemy as sa

from services.gateway.accounts import attempts
from services.gateway.accounts.codes import Codes, row_of_way
from services.gateway.accounts.passkeys import Passkeys
from services.gateway.accounts.passwords import LONGEST, Passwords
from services.gateway.accounts.questions import Questions
from services.shared.accounts.people import login_of
from services.shared.accounts.tables import account, credential
from services.shared.audit import trail
from services.shared.database.engine import Connection, Database
from services.shared.errors import NotAllowed

NOBODY_KNOWN = "sign-in"  # who acts in the log where somebody has not shown who they are


class Proven(NamedTuple):
    """Who showed who they are, and what with."""

    person: str
    how: str


class Proofs:
    """The one place where signing in and showing again who one is are judged."""

    def __init__(self, database: Database, key: bytes, origin: str) -> None:
        self._database = database
        self.questions = Questions(key)
        self.passkeys = Passkeys(origin, self.questions)
        self.passwords = Passwords()
        self.codes = Codes(key)

    async def judge(self, form: Mapping[str, object], origin: str, person: str = "") -> Proven:
        """Who it is that sent this form, from `origin`; of `person`, where somebody is signed in already.

        NotAllowed says the same whatever was wrong, TooMany where too much was tried.
        """
        if answer := str(form.get("passkey", "")):
            self.passkeys.must_be_asked(answer, person)  # before anything is written: it may be a stranger's
            async with self._database.write() as tx:
                return Proven(await self.passkeys.show(tx, answer, person), "passkey")
        login, password = login_of(str(form.get("login", "")))[:80], str(form.get("password", ""))[: LONGEST + 1]
        if not login or not password:  # nothing was tried
            raise _refused()
        async with self._database.write() as tx:
            tried = await attempts.begin(tx, login, origin)
        async with self._database.read() as db:
            who, kept = await self._kept(db, login)
        right = await self.passwords.fits(kept, password) and person in ("", who)
        how = ""
        async with self._database.write() as tx:
            if right:  # else a wrong password would use the codes up
                how = await self.codes.spend(tx, who, str(form.get("code", ""))[:40])
            if how:
                await attempts.forgive(tx, tried, login, origin)
                return Proven(who, "password" if how == "totp" else how)
            if who:
                await trail.record(
                    tx, NOBODY_KNOWN, "sign_in_refused", who, "a password or its code was wrong", {"login": login}
                )
        raise _refused()

    async def _kept(self, db: Connection, login: str) -> tuple[str, str]:
        row = (
            await db.execute(
                sa.select(account.c.person, credential.c.secret)
                .join(credential, credential.c.person == account.c.person)
                .where(account.c.login == login, account.c.ended_at.is_(None), credential.c.kind == "password")
            )
        ).first()
        return (str(row.person), str(row.secret)) if row is not None else ("", "")

    async def keep_password(self, tx: Connection, person: str, hashed: str) -> None:
        """From now on this password is theirs, in the place of one before."""
        mine = (credential.c.person == person, credential.c.kind == "password")
        await tx.execute(sa.delete(credential).where(*mine))
        await tx.execute(sa.insert(credential).values(row_of_way(person, "password", hashed)))


def _refused() -> NotAllowed:
    return NotAllowed(
        "this name, password and code do not belong together: look at each; a code opens once, so wait for the next",
        field="password", rule="sign-in",
    )  # fmt: skip
