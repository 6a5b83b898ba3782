"""Link tests: each road tried end to end on schedule, against an address that answers for nothing else.

A test is a notice like any other, sent by the provider it tries; it has passed when the proof asked for has come back in
time. A road whose providers have all failed twice running is left out of paths, with the reason, until a test passes.
Where every personal road fails, none is left out: then it is likelier the test, and trying reaches more people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
import structlog
import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_settings import SettingsConfigDict

from services.channels.driver import Driver
from services.channels.limits import Limits
from services.channels.provider_store import TWICE, link_test
from services.channels.roads import road_rows
from services.shared.batches import insert_all
from services.shared.clock import Clock
from services.shared.db import Connection, Database, hold
from services.shared.errors import Refused
from services.shared.ledger import Evidence, SendState, delivery, road
from services.shared.outbox import id_of
from services.shared.sealing import address_key
from services.shared.settings import Environment
from services.shared.tier import Tier

log = structlog.get_logger("link_tests")
LOOK_S, AGAIN_S = 2.0, 60.0  # one failure is confirmed soon, not at the next round
TESTED = "link test: "
PROOFS = {"accepted": Evidence.ACCEPTED, "delivered": Evidence.DELIVERED, "answered": Evidence.ANSWERED}
OVER = (SendState.FAILED, SendState.EXPIRED, SendState.CANCELLED, SendState.SUPPRESSED)


class LinkTest(BaseModel):
    """One road's test. Seconds are of warning time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    road: str
    to: str = Field(min_length=3, max_length=400, description="an address nobody else has: a modem, the operator's own")
    every: float = Field(900.0, ge=60, le=86400)
    within: float = Field(120.0, ge=5, le=3600)
    proof: Literal["", "accepted", "delivered", "answered"] = Field("", description="empty: the most the road can give")


class LinkTestSettings(Environment):
    """TOCSIN_LINK_TESTS: a YAML file, a list of tests; empty tries nothing."""

    model_config = SettingsConfigDict(env_prefix="TOCSIN_", extra="ignore")

    link_tests: Path | None = None


_FILE = TypeAdapter(list[LinkTest])
NAME = "TOCSIN_LINK_TESTS"


def load_link_tests(roads: Mapping[str, str]) -> list[LinkTest]:
    """The tests asked for; Refused by entry and field. `roads`: those that lead to somebody > the most each can prove."""
    path = LinkTestSettings().link_tests
    if path is None:
        return []
    try:
        found = _FILE.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")) or [])
    except (OSError, UnicodeDecodeError) as problem:
        raise Refused(f"{NAME}={path} cannot be read ({problem})", field=NAME, given=str(path)) from problem
    except yaml.YAMLError as wrong:
        raise Refused(f"{path}: {wrong}", field=NAME, rule="yaml") from wrong
    except ValidationError as wrong:
        first = wrong.errors(include_url=False)[0]
        where = ".".join(str(int(p) + 1) if isinstance(p, int) else str(p) for p in first["loc"]) or "the file"
        raise Refused(
            f"{path}: entry {where}: {first['msg']}", field=NAME, rule=first["type"],
            remedy=f"a list of tests with {', '.join(LinkTest.model_fields)}",
        ) from wrong  # fmt: skip
    seen: set[str] = set()
    for n, one in enumerate(found, 1):
        if one.road not in roads:
            known = ", ".join(sorted(roads))
            raise Refused(
                f"{path}: entry {n}: road {one.road!r} cannot be tried: use {known}", field=NAME, given=one.road
            )
        if one.road in seen:
            raise Refused(f"{path}: entry {n}: {one.road} has a test already", field=NAME, given=one.road)
        most = roads[one.road]
        if one.proof and PROOFS[one.proof] > PROOFS[most]:
            raise Refused(
                f"{path}: entry {n}: {one.road} never says {one.proof}: use {most} or leave proof out", field=NAME,
                rule="proof", given=one.proof,
            )  # fmt: skip
        seen.add(one.road)
    return [one.model_copy(update={"proof": one.proof or roads[one.road]}) for one in found]


class LinkTests:
    """All tests of an installation; whichever process comes first sends and judges them."""

    def __init__(
        self, database: Database, clock: Clock, drivers: Sequence[Driver], limits: Limits, index_key: bytes
    ) -> None:
        self._database = database
        self._clock = clock
        self._drivers = drivers
        self._limits = limits
        self._index_key = index_key
        self._next = 0.0
        # an area cannot be tried without sounding it, nor a door without sending somebody
        able = [r for d in drivers for r in d.roads if r.contact_kinds or r.name.partition("_")[2] in ("sms", "voice")]
        weakest = sorted(able, key=lambda r: PROOFS[r.proof], reverse=True)  # of two that carry it
        self.tests = {one.road: one for one in load_link_tests({r.name: r.proof for r in weakest})}

    @property
    def addresses(self) -> Mapping[str, str]:
        """Road > the address its test goes to."""
        return {name: one.to for name, one in self.tests.items()}

    def providers(self, name: str) -> list[str]:
        """Who serves a road here and works."""
        return sorted(
            d.name
            for d in self._drivers
            if not self._limits.why_not(d) and name in {r.name for r in self._limits.roads(d)}
        )

    async def step(self) -> bool:
        """Judges what is out, sends what is due, says which roads are out; whether anything was sent or judged."""
        now = self._clock.now()
        if now < self._next or (not self.tests and self._next):
            return False
        self._next = now + LOOK_S
        async with self._database.write() as tx:
            await hold(tx, "link-tests")
            rows = {(r.road, r.provider): r for r in await tx.execute(sa.select(link_test))}
            wanted = [(name, p) for name in sorted(self.tests) for p in self.providers(name)]
            for gone in sorted(rows.keys() - set(wanted)):
                await tx.execute(sa.delete(link_test).where(_is(*gone)))
            moved = False
            for name, provider in wanted:
                row = rows.get((name, provider))
                if row is None:
                    await insert_all(
                        tx, link_test, [{"road": name, "provider": provider, "due_at": now, "failures": 0}]
                    )
                    moved |= await self._send(tx, self.tests[name], provider, now)
                elif row.delivery_id:
                    moved |= await self._judge(tx, self.tests[name], row, now)
                elif row.due_at <= now:
                    moved |= await self._send(tx, self.tests[name], provider, now)
            if moved or rows.keys() - set(wanted):
                await self.say(tx)
        return moved

    async def _send(self, tx: Connection, test: LinkTest, provider: str, now: float) -> bool:
        one = id_of("link test", test.road, provider, int(now * 1000))
        row = {
            "delivery_id": one, "warning_id": "", "purpose": "notice", "tier": int(Tier.BLUE), "person_id": "",
            "addressee_id": id_of("link test", test.road), "addressee_kind": "test", "step": "link_test",
            "road": test.road, "channel": provider, "form": f"notice:{one[:12]}", "language": "en",
            "address_key": address_key(self._index_key, "email" if "@" in test.to else "sms", test.to),
            "params": {"notice": "road_test", "provider": provider}, "reason": "link test",
            "send_state": SendState.PENDING, "due_at": now, "expires_at": now + test.within, "state_at": now,
        }  # fmt: skip
        await insert_all(tx, delivery, [row])
        await tx.execute(sa.update(link_test).where(_is(test.road, provider)).values(delivery_id=one, sent_at=now))
        return True

    async def _judge(self, tx: Connection, test: LinkTest, row: Any, now: float) -> bool:
        which = sa.select(delivery).where(delivery.c.delivery_id == row.delivery_id)
        found = (await tx.execute(which)).first()
        if found is not None and found.evidence >= PROOFS[test.proof]:
            took = (found.evidence_at or now) - row.sent_at
            values = {
                "ok_at": now, "failures": 0, "said": f"{test.proof} after {took:.0f} s", "due_at": row.sent_at + test.every,
            }  # fmt: skip
        elif found is None or found.send_state in OVER or now >= row.sent_at + test.within:
            failures = row.failures + 1
            values = {
                "failures": failures, "said": _why(found, test)[:80],
                "due_at": now + (AGAIN_S if failures < TWICE else test.every),
            }  # fmt: skip
            log.warning(
                "link_test_failed", road=test.road, provider=row.provider, failures=failures, said=values["said"]
            )
        else:
            return False
        await tx.execute(sa.update(link_test).where(_is(row.road, row.provider)).values(delivery_id="", **values))
        return True

    async def say(self, tx: Connection) -> None:
        """Which roads paths leave out, in the road table."""
        results: dict[str, list[Any]] = {}
        for row in await tx.execute(sa.select(link_test).order_by(link_test.c.provider)):
            results.setdefault(row.road, []).append(row)
        base = {r["road"]: r for r in road_rows(self._drivers, self._limits)}
        out = failing(
            {name: {row.provider: row.failures for row in rows} for name, rows in results.items()},
            {name: self.providers(name) for name in base},
            {name for name, r in base.items() if r["working"] and r["contact_kinds"]},
        )
        for name, r in base.items():
            said = "; ".join(f"{row.provider}: {row.said}" for row in results.get(name, ()) if row.said)
            why = f"{TESTED}{said}" if name in out else r["why"]
            values = {"working": r["working"] and name not in out, "why": why[:80], "test_said": said[:160]}
            if name in results:
                values["tested_at"] = max(row.sent_at or 0.0 for row in results[name]) or None
            await tx.execute(sa.update(road).where(road.c.road == name).values(**values))


def failing(
    failures: Mapping[str, Mapping[str, int]], providers: Mapping[str, Sequence[str]], personal: set[str]
) -> set[str]:
    """Roads to leave out: never all that lead to people, or to supporters, and none to officers.

    `failures`: road > provider > how often running; a provider that is not tried may well work.
    """
    bad = {
        name
        for name, serving in providers.items()
        if serving and all(failures.get(name, {}).get(p, 0) >= TWICE for p in serving)
    }
    bad = {
        name for name in bad if not name.startswith("officer_")
    }  # nothing stands in for them: told in vain is no loss
    for family in (
        personal,
        {name for name, serving in providers.items() if serving and name.startswith("supporter_")},
    ):
        if family and family <= bad:
            bad -= family
    return bad


def _why(found: Any, test: LinkTest) -> str:
    if found is None:
        return "the test was lost"
    if found.send_state == SendState.FAILED:
        return f"refused ({found.state_reason or 'no reason given'})"
    if found.evidence < Evidence.ACCEPTED:
        return f"not taken within {test.within:.0f} s ({found.state_reason or found.send_state})"
    return f"taken, not {test.proof} within {test.within:.0f} s"


def _is(name: str, provider: str) -> sa.ColumnElement[bool]:
    return sa.and_(link_test.c.road == name, link_test.c.provider == provider)
