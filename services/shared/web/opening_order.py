"""Carries an order to open one person's sealed values through the browser to channels.

The register cannot open, and channels cannot look people up: so what is to be opened travels, sealed, in a form, with a MAC that
binds it to one caller and 15 minutes.
"""

from __future__ import annotations

import itsdangerous
import msgspec

from services.shared.clock import wall
from services.shared.crypto.signing import Signer
from services.shared.errors import NotAllowed
from services.shared.ledger.opened_calls import Sealed

LASTS_S = 900.0
CALLS_OPENED = "calls.open"  # a look at one who asked for help, among all of a warning: no number of them is unusual
REASON_KEPT = "calls.reason"  # the act by which the audit log keeps why somebody looks at a warning's calls


class Order(msgspec.Struct, array_like=True, frozen=True):
    """Open these for that caller until then (wall)."""

    person_id: str
    caller_id: str
    until: float
    values: tuple[Sealed, ...]


def give(signer: Signer, person_id: str, caller_id: str, values: tuple[Sealed, ...]) -> str:
    """The order as a form carries it."""
    order = Order(person_id, caller_id, wall() + LASTS_S, values)
    return signer.sealed("open", itsdangerous.base64_encode(msgspec.msgpack.encode(order)).decode())


def read_order(signer: Signer, text: str, caller_id: str) -> Order:
    """What is to be opened; NotAllowed where it was altered, is another's or too old."""
    body = signer.opened("open", text)
    if body is None:
        raise NotAllowed(
            "this order was altered: go back to the person's page and open it from there",
            field="order",
            rule="order.mac",
        )
    order = msgspec.msgpack.decode(itsdangerous.base64_decode(body), type=Order)
    if order.caller_id != caller_id or wall() > order.until:
        raise NotAllowed(
            "this order is another's or too old: look the person up again", field="order", rule="order.caller"
        )
    return order
