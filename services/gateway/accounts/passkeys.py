"""Passkeys (WebAuthn): made when somebody joins, asked for at sign-in and before what is dangerous."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

import msgspec
import sqlalchemy as sa
from webauthn import (
    base64url_to_bytes,
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from services.gateway.accounts.questions import Questions
from services.shared.accounts.tables import account, credential
from services.shared.bus.outbox import new_id
from services.shared.clock import wall
from services.shared.database.engine import Connection
from services.shared.errors import NotAllowed, Refused

LARGEST = 20_000  # signs of an answer
REMEMBERED = 1_000  # bytes of a credential's id, at most 1,023 by the standard


class _Client(msgspec.Struct):
    challenge: str


class _Response(msgspec.Struct):
    clientDataJSON: str


class _Answer(msgspec.Struct):
    response: _Response
    id: str = ""


class Passkeys:
    """Asks for passkeys and judges the answers. `origin`: of the console; None of `usable` where it is an IP address."""

    def __init__(self, origin: str, questions: Questions) -> None:
        self.origin = origin
        self._rp_id = urlsplit(origin).hostname or ""
        self._questions = questions

    @property
    def usable(self) -> bool:
        """Whether browsers make passkeys for this address: by https or on this machine, and by a name."""
        try:
            ipaddress.ip_address(self._rp_id)
        except ValueError:
            return self.origin.startswith("https://") or self._rp_id == "localhost"
        return False

    async def to_make(self, db: Connection, person: str, name: str, login: str) -> str:
        """What a browser is asked to make a passkey by, as JSON; those they have are not made twice."""
        options = generate_registration_options(
            rp_id=self._rp_id,
            rp_name="Tocsin",
            user_id=bytes.fromhex(person),
            user_name=login,
            user_display_name=name,
            challenge=self._questions.ask("make", person).encode(),
            exclude_credentials=await self._of(db, person),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
            ),
        )
        return options_to_json(options)

    async def make(self, tx: Connection, person: str, answer: str, label: str) -> None:
        """Keeps the passkey that a browser made for somebody. NotAllowed where the answer is not one to our question."""
        _, question = self._read(answer)
        await self._questions.spend(tx, "make", person, question)
        try:
            made = verify_registration_response(
                credential=answer,
                expected_challenge=question.encode(),
                expected_rp_id=self._rp_id,
                expected_origin=self.origin,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError) as wrong:
            raise _not_ours() from wrong
        if len(made.credential_id) > REMEMBERED:
            raise Refused("this passkey has too long a name: use another one", field="passkey", rule="length")
        row = {
            "credential_id": new_id(), "person": person, "kind": "passkey", "handle": bytes_to_base64url(made.credential_id),
            "secret": bytes_to_base64url(made.credential_public_key), "counter": made.sign_count, "label": label[:80],
            "created_at": wall(), "used_at": None,
        }  # fmt: skip
        if await tx.scalar(sa.select(credential.c.person).where(credential.c.handle == row["handle"])) is not None:
            raise Refused("this passkey is known here already: use it to sign in", field="passkey", rule="unique")
        await tx.execute(sa.insert(credential).values(row))

    async def to_show(self, db: Connection, person: str = "") -> str:
        """What a browser is asked to show a passkey by, as JSON: one of that person, or of anybody."""
        options = generate_authentication_options(
            rp_id=self._rp_id,
            challenge=self._questions.ask("show", person).encode(),
            allow_credentials=await self._of(db, person) if person else [],
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return options_to_json(options)

    def must_be_asked(self, answer: str, person: str) -> None:
        """NotAllowed where it is no answer to a question of ours, or comes too late."""
        if not self._questions.holds("show", person, self._read(answer)[1]):
            raise _not_ours()

    async def show(self, tx: Connection, answer: str, person: str = "") -> str:
        """Whose passkey it was that a browser showed. NotAllowed where it is not known, or not of that `person`."""
        handle, question = self._read(answer)
        await self._questions.spend(tx, "show", person, question)
        row = (
            await tx.execute(
                sa.select(credential)
                .join(account, account.c.person == credential.c.person)
                .where(credential.c.kind == "passkey", credential.c.handle == handle, account.c.ended_at.is_(None))
                .with_for_update(of=credential)
            )
        ).first()
        if row is None or (person and row.person != person):
            raise NotAllowed(
                "this passkey is not known here: use another one, or ask an administrator for a new link",
                field="passkey", rule="known",
            )  # fmt: skip
        try:
            shown = verify_authentication_response(
                credential=answer,
                expected_challenge=question.encode(),
                expected_rp_id=self._rp_id,
                expected_origin=self.origin,
                credential_public_key=base64url_to_bytes(row.secret),
                credential_current_sign_count=row.counter,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError) as wrong:
            raise _not_ours() from wrong
        values = {"counter": shown.new_sign_count, "used_at": wall()}
        await tx.execute(sa.update(credential).where(credential.c.credential_id == row.credential_id).values(values))
        return str(row.person)

    async def _of(self, db: Connection, person: str) -> list[PublicKeyCredentialDescriptor]:
        handles = await db.scalars(
            sa.select(credential.c.handle).where(credential.c.person == person, credential.c.kind == "passkey")
        )
        return [PublicKeyCredentialDescriptor(id=base64url_to_bytes(one)) for one in handles]

    @staticmethod
    def _read(answer: str) -> tuple[str, str]:
        """(Id of the credential, the question that was answered); the answer itself is judged later."""
        if len(answer) > LARGEST:
            raise _not_ours()
        try:
            read = msgspec.json.decode(answer, type=_Answer)
            client = msgspec.json.decode(base64url_to_bytes(read.response.clientDataJSON), type=_Client)
            return read.id, base64url_to_bytes(client.challenge).decode()
        except (msgspec.DecodeError, ValueError) as wrong:
            raise _not_ours() from wrong


def _not_ours() -> NotAllowed:
    return NotAllowed(
        "the passkey's answer does not fit what was asked: open the page again and try once more",
        field="passkey", rule="webauthn",
    )  # fmt: skip
