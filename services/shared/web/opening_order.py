"""Carries an order to open sealed values through the browser to channels: one person's, or those of whoever calls for help.

Register and router cannot open, and channels cannot look people up: so what is to be opened travels, sealed, in a form, with
a MAC that binds it to one caller and 15 minutes.
"""

from __future__ import annotations

from typing import TypeVar

import itsdangerous
import msgspec

from services.shared.clock import wall
from services.shared.crypto.signing import Signer
from services.shared.errors import NotAllowed

LASTS_S = 900.0
CALLS_OPENED = "calls.open"  # a look at one who asked for help, among all of a warning: no number of them is unusual
REASON_KEPT = "calls.reason"  # the act by which the audit log keeps why somebody looks at a warning's calls


class Sealed(msgspec.Struct, array_like=True, frozen=True):
    """One value: what it is called, whom it is bound to, its page key, the blob."""

    label: str
    owner: str
    key_id: str
    blob: bytes


class Order(msgspec.Struct, array_like=True, frozen=True):
    """Open these for that caller until then (wall)."""

    person_id: str
    caller_id: str
    until: float
    values: tuple[Sealed, ...]


class HelpCall(msgspec.Struct, array_like=True, frozen=True):
    """Somebody who calls for help or asks: their case, the packed dossier, and numbers, the one they called from first.

    A number's label says whose it is: person, supporter, facility. `since` is warning time.
    """

    case_id: str
    warning_id: str
    person_id: str
    kind: str
    since: float
    owner: str
    team: str
    zone_id: str
    needs: tuple[str, ...]
    at_risk: bool
    dossier: bytes
    phones: tuple[Sealed, ...]


class HelpCalls(msgspec.Struct, array_like=True, frozen=True):
    """Open these calls of a chain for that caller until then (wall); `reason` is what they said before in this sign-in."""

    chain_id: str
    caller_id: str
    until: float
    sign_in: str
    reason: str
    calls: tuple[HelpCall, ...]


Made = TypeVar("Made", Order, HelpCalls)


def give(signer: Signer, person_id: str, caller_id: str, values: tuple[Sealed, ...]) -> str:
    """The order as a form carries it."""
    return _given(signer, "open", Order(person_id, caller_id, wall() + LASTS_S, values))


def read_order(signer: Signer, text: str, caller_id: str) -> Order:
    """What is to be opened; NotAllowed where it was altered, is another's or too old."""
    return _read(signer, "open", text, caller_id, Order)


def give_calls(signer: Signer, calls: HelpCalls) -> str:
    """The order as a form carries it; it ends LASTS_S from now, whatever `calls` says."""
    return _given(signer, "open calls", msgspec.structs.replace(calls, until=wall() + LASTS_S))


def read_calls(signer: Signer, text: str, caller_id: str) -> HelpCalls:
    """Whose calls are to be opened; NotAllowed where it was altered, is another's or too old."""
    return _read(signer, "open calls", text, caller_id, HelpCalls)


def _given(signer: Signer, use: str, order: Order | HelpCalls) -> str:
    return signer.sealed(use, itsdangerous.base64_encode(msgspec.msgpack.encode(order)).decode())


def _read(signer: Signer, use: str, text: str, caller_id: str, kind: type[Made]) -> Made:
    body = signer.opened(use, text)
    if body is None:
        raise NotAllowed(
            "this order was altered: go back to the person's page and open it from there",
            field="order",
            rule="order.mac",
        )
    order = msgspec.msgpack.decode(itsdangerous.base64_decode(body), type=kind)
    if order.caller_id != caller_id or wall() > order.until:
        raise NotAllowed(
            "this order is another's or too old: look the person up again", field="order", rule="order.caller"
        )
    return order
