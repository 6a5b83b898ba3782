"""Bounds sign-in codes, to one phone by who asks and in all. The loop counts them, so that no caller sees it."""

from __future__ import annotations

import sqlalchemy as sa
import structlog

from services.registry.store.resident_tables import challenge
from services.shared.clock import wall
from services.shared.database.engine import Connection

PER_NUMBER = 3  # an hour, from one network address
STRANGERS = 9  # an hour to one phone, for addresses it never signed in from; beyond PER_NUMBER one for each of them
OWN_S = 30 * 86_400.0  # so long an address from which a phone signed in has a share that nobody else can use up
log = structlog.get_logger("me")


async def may_get(
    tx: Connection, address_key: str, origin: str, codes_per_hour: int, *, registers: bool = False
) -> bool:
    """Whether one more code may go to this phone for this address, and to anybody at all, within this hour.

    Three codes go to an address from which the phone has signed in, whatever others asked for. All others share three;
    beyond, up to STRANGERS, each address that has had none gets one: whoever asks again and again from a few places
    does not keep the phone's owner out. Of all codes half may go to who registers: those phones may be anybody's.
    """
    since = challenge.c.asked_at > wall() - 3600
    all_sent = sa.select(sa.func.count()).select_from(challenge).where(since, challenge.c.sent == 1)
    if int(await tx.scalar(all_sent) or 0) >= codes_per_hour:
        log.warning("codes_used_up", do="more are asked for than TOCSIN_CODES_PER_HOUR: look who asks, or raise it")
        return False
    if registers:
        to_register = all_sent.where(challenge.c.kind != "")
        if int(await tx.scalar(to_register) or 0) >= max(1, codes_per_hour // 2):
            log.warning("codes_to_register_used_up", do="look who registers, or raise TOCSIN_CODES_PER_HOUR")
            return False
    phone = challenge.c.address_key == address_key
    used = sa.select(challenge.c.origin).where(phone, challenge.c.state == "used", challenge.c.origin != "")
    own = set(await tx.scalars(used))
    sent = list(await tx.scalars(sa.select(challenge.c.origin).where(phone, since, challenge.c.sent == 1)))
    if origin in own:
        return sent.count(origin) < PER_NUMBER
    others = [other for other in sent if other not in own]
    return len(others) < (PER_NUMBER if origin in others else STRANGERS)
