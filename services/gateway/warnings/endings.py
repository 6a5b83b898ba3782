"""Ends a warning, or says that it is being checked or that a part of its place may be returned to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import sqlalchemy as sa

from services.gateway import store
from services.gateway.approvals.paging import Paging, settled
from services.gateway.cap import Reference
from services.gateway.intake.chains import remember_references
from services.gateway.warnings.part_return import PartIn, hold_to_names, hold_to_place
from services.gateway.warnings.releases import Releases
from services.gateway.warnings.taken import Taken, as_it_is
from services.shared.audit import trail
from services.shared.bus.outbox import id_of
from services.shared.database.engine import Connection
from services.shared.endings import ALL_CLEAR, ENDING_KINDS, GOES_ON, PART_RETURNS
from services.shared.errors import Conflict, Refused
from services.shared.i18n import english
from services.shared.ledger.warnings import warning_scope, warning_state
from services.shared.powers.ground import neighbours
from services.shared.powers.may import must
from services.shared.powers.power import Power
from services.shared.powers.warnings import warning_thing
from services.shared.powers.who import Who
from services.shared.service import Platform
from services.shared.tiers import Tier

MISTAKE_S = 900.0  # how long one person may say that a warning was a mistake
Check = Callable[[Connection, Who, store.StoredWarning, Tier, str], Awaitable[object]]  # whether they may let it out


class EndingActs:
    """`end` in the transaction of the act."""

    def __init__(self, platform: Platform, releases: Releases, paging: Paging, check: Check) -> None:
        self._platform = platform
        self._releases = releases
        self._paging = paging
        self._check = check

    async def end(
        self, tx: Connection, who: Who, warning_id: str, kind: str, reason: str, part: PartIn | None = None
    ) -> Taken:
        """Stops what was not sent and tells everybody who may have got it; GOES_ON tell and do not stop.

        Refused where `part` is missing or too much, or is no part of the warning's place.
        """
        if kind not in ENDING_KINDS:
            raise Refused(
                f"ending: use one of {', '.join(ENDING_KINDS)}", field="ending", rule="closed_list", given=kind
            )
        if (part is None) == (kind == PART_RETURNS):
            raise Refused(
                "part: may_return_part needs the part of the place that people may return to, and no other ending has one",
                field="part", rule="required" if part is None else "not here", given=kind,
            )  # fmt: skip
        row = await store.stored(tx, warning_id)
        tier = Tier(row.state_tier) if row.state_tier else Tier.BLUE
        act = Power.RETURN if kind in ALL_CLEAR else Power.CHECK if kind == "checking" else Power.END
        must(who, act, await warning_thing(tx, who, warning_id))
        ending_id = id_of("ending", warning_id, kind, *([part.shape, part.geocodes] if part is not None else []))
        if row.state_state in ("draft", "held") and part is None:
            await tx.execute(
                sa.update(warning_state)
                .where(warning_state.c.warning_id == warning_id)
                .values(state="withdrawn", ended_at=self._platform.clock.now())
            )
            await settled(tx, warning_id)
            await trail.record(tx, who.label, "withdraw", warning_id, reason)
            return Taken(warning_id, "withdrawn", None)
        there = await store.find_stored(tx, ending_id)
        while there is not None and there.state_state == "withdrawn":  # given up, and said again
            ending_id = id_of("ending", ending_id, kind)
            there = await store.find_stored(tx, ending_id)
        if there is not None and there.state_state == "held" and part is not None:
            hold_to_names(there.texts, self._named(row, part))
        if there is not None and there.state_state == "held" and there.brought_by != who.actor:
            await self._check(tx, who, there, tier, "")
            await settled(tx, ending_id)
            state = await self._releases.release(tx, who, ending_id, tier)
            return Taken(ending_id, state, tier)
        if there is not None:
            return await as_it_is(tx, ending_id, self._platform.clock.now())
        if row.state_state != "active" or row.state_kind == "ending":
            raise Conflict(
                f"this warning is {row.state_state}: only an active one can be ended", field="warning_id", rule="state",
                given=row.state_state,
            )  # fmt: skip
        waits = await self._takes_two(tx, row, kind)
        shape = await hold_to_place(tx, row, part) if part is not None else ""
        await self._store_ending(tx, who, row, ending_id, kind, tier, reason, waits, part, shape)
        state = "held" if waits else await self._releases.release(tx, who, ending_id, tier)
        if waits:
            await self._paging.ask(tx, who, await self._releases.describe(tx, ending_id))
        return Taken(ending_id, state, tier, waits)

    def _named(self, row: store.StoredWarning, part: PartIn) -> store.Texts:
        return part.named(row.texts, self._platform.settings.links(self._platform.public_url))

    async def _takes_two(self, tx: Connection, row: store.StoredWarning, kind: str) -> tuple[str, ...]:
        """Why a second person confirms an ending before anybody hears it; empty where one may end it.

        That people may go home, and a mistake found late or while another warning holds there, sends people back into
        danger where it is wrong; so does late word that a warning was not ours. That we are checking, and stopping, never waits.
        """
        if kind in ALL_CLEAR:
            return (english("it tells people that they may go home: a second person confirms it"),)
        if kind not in ("sent_by_mistake", "not_ours"):
            return ()
        now = self._platform.clock.now()
        if row.state_released_at is not None and now - row.state_released_at > MISTAKE_S:
            if kind == "not_ours":
                return (english("it went out more than 15 minutes ago: a second person confirms that it was not ours"),)
            return (english("it went out more than 15 minutes ago: a second person confirms that it was a mistake"),)
        if kind == "sent_by_mistake" and await neighbours(tx, row.state_chain_id, row.area, row.geocodes, now):
            return (
                english("another warning holds in the same place: a second person confirms that this was a mistake"),
            )
        return ()

    async def _store_ending(
        self,
        tx: Connection,
        who: Who,
        row: store.StoredWarning,
        ending_id: str,
        kind: str,
        tier: Tier,
        reason: str,
        holds: tuple[str, ...],
        part: PartIn | None,
        shape: str,
    ) -> None:
        """The ending as a message of its own; one for a part has that part's place (`shape`: GeoJSON, empty where codes alone say
        it), and its name in the texts."""
        area, geocodes, texts = row.area, row.geocodes, row.texts
        if part is not None:
            area, geocodes, texts = shape, [list(one) for one in part.geocodes], self._named(row, part)
        now = self._platform.clock.now()
        sent = max(now, row.sent)  # a sender's clock may be fast: an ending is never older than what it ends
        await tx.execute(
            sa.insert(store.message).values(
                warning_id=ending_id, identifier=f"tocsin-{ending_id}", sender=row.sender, sent=sent,
                msg_type="Update" if kind in GOES_ON else "Cancel", status=row.status, sha256=ending_id.ljust(64, "0"),
                fingerprint=ending_id, incident="", raw=b"", via="ending", by=who.label,
                received_at=now, texts=texts, replaces=[row.warning_id],
                sense={**row.sense, "tier_reason": f"ends {row.warning_id[:8]}: {reason}", "notes": list(holds), "findings": [],
                       "references": [[row.sender, row.identifier, row.sent]]},
            )
        )  # fmt: skip
        await tx.execute(
            sa.insert(warning_scope).values(
                warning_id=ending_id, sender=row.sender, events=row.events, area=area, geocodes=geocodes,
                km2=0.0, brought_by=who.actor, holds=list(holds),
            )
        )  # fmt: skip
        await tx.execute(
            sa.insert(warning_state).values(
                warning_id=ending_id, chain_id=row.state_chain_id, tier=int(tier), state="held", kind="ending",
                purpose="live", ending=kind, sent=sent, expires_at=max(row.state_expires_at, now + 86400),
                authority=row.state_authority, number=row.state_number, doors="allowed",
            )
        )  # fmt: skip
        ended = Reference(row.sender, row.identifier, datetime.fromtimestamp(row.sent, UTC))
        await remember_references(tx, ending_id, [ended])
        await trail.record(tx, who.label, "cancel", row.warning_id, reason, {"ending": kind} | _of_part(part))


def _of_part(part: PartIn | None) -> dict[str, object]:
    return {} if part is None else {"part": next(iter(part.place.values())), "geocodes": part.geocodes}
