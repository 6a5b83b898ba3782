"""The codes beside a password: six digits of an app (TOTP), each taken once, or one of a sealed list on paper."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets

import pyotp
import segno
import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.gateway.accounts.questions import derived
from services.shared.accounts.tables import credential
from services.shared.bus.outbox import new_id
from services.shared.clock import wall
from services.shared.database.engine import Connection
from services.shared.errors import Broken

STEP_S = 30
EITHER_SIDE = 1  # steps a phone's clock may be off
PAPERS = 10
_SIGNS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is taken for another
_GROUPS, _GROUP = 4, 4


class Codes:
    """Makes and takes codes; secrets of apps are sealed by a key outside the database."""

    def __init__(self, key: bytes) -> None:
        self._seal = AESGCM(derived(key, "secrets of code apps"))

    @staticmethod
    def new_secret() -> str:
        """A secret for an app, as it is typed."""
        return pyotp.random_base32()

    @staticmethod
    def picture(secret: str, login: str) -> str:
        """The secret as a QR code an app reads: a data address of an SVG."""
        address = pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name="Tocsin")
        return str(segno.make(address, error="m").svg_data_uri(scale=5, border=4))

    def step(self, secret: str, code: str, after: int = -1) -> int | None:
        """The step of time whose code this is, later than `after`; None where there is none about now."""
        now = int(wall() // STEP_S)
        made = pyotp.TOTP(secret)
        for step in range(max(now - EITHER_SIDE, after + 1), now + EITHER_SIDE + 1):
            if hmac.compare_digest(made.generate_otp(step).encode(), code.encode()):
                return step
        return None

    async def keep_app(self, tx: Connection, person: str, secret: str, step: int) -> None:
        """From now on this app is theirs, in the place of one before; its code of `step` is used."""
        await tx.execute(sa.delete(credential).where(credential.c.person == person, credential.c.kind == "totp"))
        await tx.execute(
            sa.insert(credential).values(row_of_way(person, "totp", self._sealed(person, secret), counter=step))
        )

    async def keep_papers(self, tx: Connection, person: str) -> list[str]:
        """New codes on paper in the place of those before; they are shown once, and hashed here."""
        codes = [
            "-".join("".join(secrets.choice(_SIGNS) for _ in range(_GROUP)) for _ in range(_GROUPS))
            for _ in range(PAPERS)
        ]
        await tx.execute(sa.delete(credential).where(credential.c.person == person, credential.c.kind == "paper"))
        rows = [row_of_way(person, "paper", "", handle=_paper(person, code)) for code in codes]
        await tx.execute(sa.insert(credential), rows)
        return codes

    async def spend(self, tx: Connection, person: str, typed: str) -> str:
        """Takes one code of somebody: `totp` or `paper`, empty where it is none of theirs, or was taken before."""
        code = "".join(typed.split()).replace("-", "").casefold()
        c = credential.c
        if code.isascii() and code.isdigit() and len(code) == 6:
            for row in (await tx.execute(sa.select(credential).where(c.person == person, c.kind == "totp"))).all():
                step = self.step(self._opened(person, row.secret), code, row.counter)
                if step is None:
                    continue
                values = {"counter": step, "used_at": wall()}
                newer = sa.update(credential).where(c.credential_id == row.credential_id, c.counter < step)
                if (await tx.execute(newer.values(values))).rowcount == 1:
                    return "totp"
            return ""
        unused = (c.person == person, c.kind == "paper", c.used_at.is_(None), c.handle == _paper(person, code))
        taken = await tx.execute(sa.update(credential).where(*unused).values(used_at=wall()))
        return "paper" if taken.rowcount == 1 else ""

    def _sealed(self, person: str, secret: str) -> str:
        nonce = os.urandom(12)
        return base64.b64encode(nonce + self._seal.encrypt(nonce, secret.encode(), person.encode())).decode()

    def _opened(self, person: str, sealed: str) -> str:
        raw = base64.b64decode(sealed)
        try:
            return self._seal.decrypt(raw[:12], raw[12:], person.encode()).decode()
        except InvalidTag as wrong:
            raise Broken(
                "the secret of a code app was sealed by another audit.key: give this process the key of before, or invite "
                "its owner again (tocsin user invite-again)"
            ) from wrong


def _paper(person: str, code: str) -> str:
    """By which a paper code is found: 79 random bits need no slow hash."""
    return "paper:" + hashlib.sha256(f"{person}:{code.replace('-', '')}".encode()).hexdigest()


def row_of_way(person: str, kind: str, secret: str, *, handle: str = "", counter: int = 0) -> dict[str, object]:
    """A way to sign in, as its table has it."""
    found = new_id()
    return {
        "credential_id": found, "person": person, "kind": kind, "handle": handle or f"{kind}:{found}", "secret": secret,
        "counter": counter, "label": "", "created_at": wall(), "used_at": None,
    }  # fmt: skip
