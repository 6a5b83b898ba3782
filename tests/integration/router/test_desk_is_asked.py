"""What only the desk decides is asked of duty officers, else by its pagers; a call for help and an alarm of somebody always."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from services.shared import alarms
from services.shared.bus.outbox import outbox
from services.shared.database.batches import insert_all
from services.shared.ledger.warnings import warning_scope
from services.shared.messages import NoticeRequested, decode
from services.shared.powers.pagers import pager
from services.shared.powers.who import ACTIONS
from services.shared.tiers import Tier
from services.shared.web.auth import api_key, create_key
from tests.integration.router.test_cases import said
from tests.kit.router_alone import RouterTown, one, router_town, worker

FIELD = [worker(name, "g") for name in ("a", "b", "c", "d")]


async def desk(there: RouterTown, *labels: str, actions: tuple[str, ...] = ACTIONS) -> dict[str, str]:
    """People of the authority with keys and pagers: the actor of each, by label."""
    found = {}
    for n, label in enumerate(labels):
        await create_key(
            there.platform.database, name="A", label=label, actions=actions, max_tier=Tier.RED, alone=Tier.RED
        )
        async with there.platform.database.write() as tx:
            actor = str(await tx.scalar(sa.select(api_key.c.key_id).where(api_key.c.label == label)))
            row = {"actor": actor, "place": n, "language": "en", "mask": "...99", "contact_id": f"pager-{label}",
                   "address_key": f"pager-{label}", "sealed": b"x", "key_id": "k", "spoken": True, "given_at": 0.0}  # fmt: skip
            await insert_all(tx, pager, [row])
        found[label] = actor
    return found


async def issued(there: RouterTown, *, workers: list[Any]) -> str:
    """A red warning of authority A to somebody, with these on shift."""
    w = await there.issue(doors="allowed")
    scope = {"warning_id": w, "sender": "s", "events": [], "area": "", "geocodes": [], "km2": 0.0, "braked": False,
             "brought_by": "x", "holds": []}  # fmt: skip
    async with there.platform.database.write() as tx:
        await insert_all(tx, warning_scope, [scope])
    await there.page(w, [one(1, "sms", "voice_mobile")], workers)
    return w


async def asked(there: RouterTown, kind: str) -> list[NoticeRequested]:
    """Requests of a kind, in the order in which they were said."""
    async with there.platform.database.read() as db:
        rows = (await db.execute(sa.select(outbox.c.body).where(outbox.c.topic == "NoticeRequested"))).all()
    found = [decode(row.body) for row in rows]
    return [one for one in found if isinstance(one, NoticeRequested) and one.kind == kind]


async def test_an_update_that_is_due_is_asked_of_the_desk_where_nobody_on_shift_has_the_skill(tmp_path: Path) -> None:
    """By text and by call, with the number; not of four pairs who are at doors, nor of who may not send."""
    async with router_town(tmp_path) as there:
        actors = await desk(there, "Chen")
        await desk(there, "watcher", actions=("read",))
        await issued(there, workers=FIELD)
        await there.at(31)
        found = await asked(there, "update_due")
        assert [actors["Chen"]] * 2 == [one.addressee_id for one in found]
        assert ["officer_sms", "officer_voice"] == sorted(one.params["channel"] for one in found)
        assert {"4721"} == {one.params["number"] for one in found}


async def test_a_duty_officer_on_shift_is_asked_and_the_desk_is_not_paged(tmp_path: Path) -> None:
    async with router_town(tmp_path) as there:
        await desk(there, "Chen")
        await issued(there, workers=[*FIELD, worker("duty", skills=["duty_officer"])])
        await there.at(31)
        assert ["duty"] == [one.addressee_id.rstrip("0") for one in await asked(there, "update_due")]


async def test_nobody_in_the_field_is_asked_for_an_update(tmp_path: Path) -> None:
    """There is nothing a pair could do about it."""
    async with router_town(tmp_path) as there:
        await issued(there, workers=FIELD)
        await there.at(31)
        assert [] == await asked(there, "update_due")


async def test_a_call_for_help_is_told_to_the_desk_and_in_the_field_only_where_no_desk_can_be(tmp_path: Path) -> None:
    """A pair that stops to read is better than a call nobody hears of."""
    for manned in (True, False):
        folder = tmp_path / str(manned)
        folder.mkdir()
        async with router_town(folder) as there:
            actors = await desk(there, "Chen") if manned else {}
            w = await issued(there, workers=FIELD)
            await there.word(w, "ask")
            await there.at(1)
            await said(there, 1, "help")
            await there.at(4)
            told = {one.addressee_id for one in await asked(there, "case_help")}
            assert (set(actors.values()) if manned else {pair.worker_id for pair in FIELD[:3]}) == told


async def test_an_alarm_is_told_to_the_desk_and_in_the_field_only_where_no_desk_can_be(tmp_path: Path) -> None:
    """A provider that takes nothing, and nobody at a desk: somebody hears of it all the same."""
    for manned in (True, False):
        folder = tmp_path / str(manned)
        folder.mkdir()
        async with router_town(folder) as there:
            actors = await desk(there, "Chen") if manned else {}
            await issued(there, workers=FIELD)
            async with there.platform.database.write() as tx:
                await alarms.sound(tx, "provider:sms", "sms takes nothing")
            await there.at(1)
            told = {one.addressee_id for one in await asked(there, "alarm_provider")}
            assert (set(actors.values()) if manned else {pair.worker_id for pair in FIELD[:3]}) == told
