"""Takes what teams at doors write from their phones: that they are all right, back in safety, or cannot go."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sqlalchemy as sa

from services.channels.messages.frames import lines_for
from services.channels.replies.meaning import team_said
from services.shared.bus.outbox import id_of
from services.shared.database.batches import one_of
from services.shared.ledger import team_signs
from services.shared.ledger.tables import delivery
from services.shared.ledger.team_signs import LATELY_S, SignKind, TeamStanding
from services.shared.service import Platform


class TeamTexts:
    """Knows a team by the phone that its list was sent to."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def heard(self, keys: Sequence[str], text: str, event_key: str) -> str:
        """Keeps the sign and returns our thanks; empty where the text is none, or the phone is of no team that is out."""
        kind = team_said(text)
        if kind is None:
            return ""
        now, kept = self._platform.clock.now(), list[TeamStanding]()
        lately = delivery.c.due_at > now - LATELY_S
        mine = (one_of(delivery.c.address_key, keys), delivery.c.addressee_kind == "worker", lately)
        theirs = sa.select(delivery.c.addressee_id, delivery.c.warning_id, delivery.c.language).where(*mine)
        async with self._platform.database.write() as tx:
            found = (await tx.execute(theirs.order_by(delivery.c.due_at.desc()))).all()
            latest = {row.addressee_id: row for row in reversed(found) if row.warning_id}
            known = await team_signs.of_slots(tx, list(latest), now)
            for slot in sorted(latest):
                team = known.get(slot, TeamStanding(slot))
                if team.since is None and team.in_at is None and kind is not SignKind.CANNOT:
                    continue
                sign_id = id_of(slot, "text", event_key)
                await team_signs.keep(tx, latest[slot].warning_id, slot, kind, now, "text", sign_id=sign_id)
                kept.append(team)
            after = await team_signs.of_slots(tx, [team.slot for team in kept], now)
        if not after:
            return ""
        self._platform.wake.router.set()
        due = min((team.due for team in after.values() if team.due is not None), default=None)
        said = SignKind.BACK if kind is SignKind.HERE and due is None else kind
        pattern = lines_for(next(iter(latest.values())).language).team[said]
        return pattern.format(time=_clock(due, self._platform.settings.offset_at) if due is not None else "")

    async def answered(self, slot: str, warning_id: str, event_key: str) -> None:
        """An officer's answer about somebody else is a sign of life of their team, where that is out."""
        now = self._platform.clock.now()
        async with self._platform.database.write() as tx:
            team = (await team_signs.of_slots(tx, [slot], now)).get(slot)
            if team is not None and team.since is not None:
                sign_id = id_of(slot, "answer", event_key)
                await team_signs.keep(tx, warning_id, slot, SignKind.HERE, now, "text", sign_id=sign_id)


def _clock(at: float, offset_at: Callable[[float], int]) -> str:
    """'13:05', as it is read on the spot."""
    minutes = int(at // 60) + offset_at(at)
    return f"{minutes // 60 % 24:02d}:{minutes % 60:02d}"
