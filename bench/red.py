"""A red warning's way to the provider while a queue of blue messages is being sent, against the same without them.

The queue is put straight into the ledger: a true blue delivery is made by a blue warning to one person, and copied with
a person, a path, a phone and a sealed address of its own each. Blue is not held back: it is due and goes out all along.
"""

from __future__ import annotations

import hashlib
import sqlite3
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import sqlalchemy as sa

from bench import ours
from bench.campaign import Bench, say
from bench.ours import SOUTH, WEST, BenchFault, Home, Standin, Tocsin, number_of, wait_until
from services.registry.importing.write import person_id_of
from services.registry.model.given import ContactIn, PersonIn
from services.router.store.tables import path
from services.shared.crypto.sealing import Keys, Sealer, address_key, page_key
from services.shared.ledger.tables import delivery

PEOPLE = 500  # who get the red warning
FIRST_BLUE = 10_000_000  # phones of the queue
RED_PHONES = "+9990000"
ELSEWHERE = SOUTH + 2.0  # where the one person of the blue warning lives
PROVIDER_S = 0.05
PAGE = 500
PAGE_S = 0.05  # between two pages of a plan
FRESH: dict[str, Any] = {
    "send_state": "pending", "state_reason": "", "attempts": 0, "ambiguous": 0,
    "batch_id": "", "provider_ref": "", "evidence": 0, "evidence_at": None, "sent_at": None,
    "tallied": 0,
}  # fmt: skip


@dataclass(frozen=True)
class Overtaking:
    """Seconds from the release of a red warning until the provider had the message, over its people."""

    system: str
    queued: int
    round: int
    p50_s: float
    p99_s: float
    blue_meanwhile: int  # messages of the queue that went out before the last red one
    fault: str = ""


def measure(bench: Bench, systems: Sequence[str], queued: int, turns: int) -> list[Overtaking]:
    """Idle and under the queue in turn, each on a fresh copy and freshly started."""
    found: list[Overtaking] = []
    with Standin(PROVIDER_S) as provider:
        for system in systems:
            empty, full = _homes(bench, system, queued, provider)
            for turn in range(turns):
                for home, blue in ((empty, 0), (full, queued)):
                    try:
                        with bench.tocsin(home, provider) as server:
                            one = _red(server, provider, system, blue, turn)
                    except BenchFault as problem:
                        one = Overtaking(system, blue, turn, 0.0, 0.0, 0, str(problem))
                    found.append(one)
                    words = (
                        one.fault or f"p50 {one.p50_s:.2f} s, p99 {one.p99_s:.2f} s, {one.blue_meanwhile:,} blue sent"
                    )
                    say(f"red to {PEOPLE}, {blue:,} blue queued, {system}, round {turn + 1}: {words}")
    return found


def _red(server: Tocsin, provider: Standin, system: str, queued: int, turn: int) -> Overtaking:
    """The second red warning of a server's life: the first has warmed up what is compiled and connected once."""
    provider.reset(RED_PHONES)
    if queued:
        flowing = lambda: provider.watched()["accepts"]  # noqa: E731
        wait_until(lambda: flowing() >= 100, flowing, server)
    watched = lambda: provider.watched()["watched"]  # noqa: E731
    blue, released = 0, 0.0
    for identifier in ("bench-red-warm", "bench-red"):
        seen = provider.watched()
        blue += seen["accepts"] - seen["watched"]
        provider.reset(RED_PHONES)
        released = time.time()
        server.release(ours.warning(identifier, tier="red"))
        wait_until(lambda: watched() >= PEOPLE, watched, server)
    meanwhile = provider.watched()["accepts"] - PEOPLE
    if queued and blue + meanwhile > queued * 0.95:
        raise BenchFault(f"the queue of {queued} was over before the red warning was: give a longer one")
    waits = sorted(at - released for at in provider.times().values())
    if waits[0] < 0:
        raise BenchFault("a message of the warning before came after this one's release")
    return Overtaking(system, queued, turn, statistics.median(waits), waits[-1 - len(waits) // 100], max(meanwhile, 0))


def table(runs: Sequence[Overtaking]) -> str:
    """Medians of the runs, and how often longer it takes under the queue."""
    lines = [
        f"**Red to {PEOPLE} people, from release to the provider's having it, provider answers in {PROVIDER_S:.2f} s**",
        "",
        "| Tocsin | blue queued | runs | p50 s | p99 s | blue sent meanwhile | p50 x idle | p99 x idle (must 3) |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for system in dict.fromkeys(run.system for run in runs):
        idle: list[Overtaking] = []
        for queued in sorted({run.queued for run in runs}):
            some = [r for r in runs if (r.system, r.queued) == (system, queued)]
            if bad := next((r.fault for r in some if r.fault), ""):
                lines.append(f"| {system} | {queued:,} | failed: {bad.splitlines()[0][:120]} |")
                continue
            p50, p99 = (statistics.median(getattr(r, name) for r in some) for name in ("p50_s", "p99_s"))
            meanwhile = statistics.median(r.blue_meanwhile for r in some)
            idle = idle if queued else some
            line = f"| {system} | {queued:,} | {len(some)} | {p50:.2f} | {p99:.2f} | {meanwhile:,.0f} |"
            if not queued or not idle:
                line += " - | - |"
            else:
                line += f" {p50 / statistics.median(r.p50_s for r in idle):.1f} |"
                line += f" {p99 / statistics.median(r.p99_s for r in idle):.1f} |"
            lines.append(line)
    return "\n".join(lines)


# ---- the queue


def _homes(bench: Bench, system: str, queued: int, provider: Standin) -> tuple[Home, Home]:
    """An installation whose blue warning is over, and the same with so many of its messages still due."""
    somebody = PersonIn(
        person_id=person_id_of("bench", "blue"), call_name="Somebody", birth_year=1980, languages=("en",),
        opt_in=("blue",), lat=ELSEWHERE + 0.1, lon=WEST + 0.1,
        contacts=(ContactIn(kind="sms", address=number_of(FIRST_BLUE - 1), verified=True),),
    )  # fmt: skip
    server = bench.postgres if system == "distributed" else None
    home = ours.make_home(bench.folder / f"red-{system}", PEOPLE, server, more=[somebody])
    provider.reset()
    with bench.tocsin(home, provider) as tocsin:
        look = ours.Look(tocsin.home)
        warning_id = tocsin.release(ours.warning("bench-blue", tier="blue", south=ELSEWHERE))
        accepted = lambda: look.accepted(warning_id)  # noqa: E731
        wait_until(lambda: accepted() == 1 and look.counted(warning_id) == 1, accepted, tocsin)
        look.close()
    empty = bench.kept(tocsin.home, f"red_{system}_empty")
    full = bench.kept(tocsin.home, f"red_{system}_full")
    begun = time.monotonic()
    _pour(full, warning_id, queued)
    say(f"{queued:,} blue messages queued in {time.monotonic() - begun:.0f} s, {system}")
    return empty, full


def _pour(home: Home, warning_id: str, count: int) -> None:
    keys = Keys(home.folder / "keys")
    if home.database_url:
        with psycopg.connect(home.database_url.replace("+asyncpg", ""), autocommit=True) as pg:
            pattern = {
                table.name: _one(pg.execute(_find(table).encode(), (warning_id,)), table) for table in (delivery, path)
            }
            for name, rows in _pages(keys, pattern, count):
                words = f"COPY {name} ({', '.join(rows[0])}) FROM STDIN"
                with pg.cursor() as cursor, cursor.copy(words.encode()) as copy:
                    for row in rows:
                        copy.write_row(list(row.values()))
            pg.execute("VACUUM ANALYZE")  # as a queue that has stood there for a while
        return
    lite = sqlite3.connect(home.folder / "tocsin.db")
    lite.execute("PRAGMA synchronous=OFF")
    pattern = {
        table.name: _one(lite.execute(_find(table).replace("%s", "?"), (warning_id,)), table)
        for table in (delivery, path)
    }
    for name, rows in _pages(keys, pattern, count):
        marks = ", ".join("?" * len(rows[0]))
        words = f"INSERT INTO {name} ({', '.join(rows[0])}) VALUES ({marks})"  # noqa: S608
        lite.executemany(words, [list(row.values()) for row in rows])
    lite.commit()
    lite.close()


def _find(table: sa.Table) -> str:
    return f"SELECT {', '.join(c.name for c in table.c)} FROM {table.name} WHERE warning_id = %s"  # noqa: S608


def _one(rows: Any, table: sa.Table) -> dict[str, Any]:
    (row,) = rows.fetchall()
    return {column.name: value for column, value in zip(table.c, row, strict=True) if value is not None}


def _pages(keys: Keys, pattern: Mapping[str, dict[str, Any]], count: int) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Rows a page at a time, as a plan writes them: under one page key, in the order of their ids."""
    message, walk = pattern[delivery.name], pattern[path.name]
    message |= {name: value for name, value in FRESH.items() if name in message}
    for name in ("evidence_at", "sent_at"):
        message.pop(name, None)
    walk["evidence"] = walk["milestones"] = 0
    for page in range(0, count, PAGE):
        sealer = Sealer(keys.public)
        yield page_key.name, [sealer.row()]
        messages, walks = [], []
        for n in range(page, min(page + PAGE, count)):
            person, contact = _id("person", n), _id("contact", n)
            phone = number_of(FIRST_BLUE + n)
            messages.append(
                message
                | {
                    "delivery_id": _id("delivery", n),
                    "person_id": person,
                    "addressee_id": person,
                    "contact_id": contact,
                    "address_key": address_key(keys.index, "sms", phone),
                    "sealed": sealer.seal(phone.encode(), contact),
                    "key_id": sealer.key_id,
                    "due_at": message["due_at"] - (count - page) / PAGE * PAGE_S,
                }
            )
            walks.append(walk | {"person_id": person, "household_id": person})
        yield path.name, sorted(walks, key=lambda row: str(row["person_id"]))
        yield delivery.name, sorted(messages, key=lambda row: str(row["delivery_id"]))


def _id(what: str, n: int) -> str:
    return hashlib.blake2s(f"{what} {n}".encode(), digest_size=16).hexdigest()
