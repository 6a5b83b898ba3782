"""The judge: reads a ledger and the provider's own log after everything is quiet, and names each broken promise.

He trusts nothing the services say of themselves: people come from the community that was minted, accepts from the
stand-in's log, moves from triggers on the table. An empty list of findings is a clean bill.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.shared.audit import trail
from services.shared.bus.outbox import digest_of
from services.shared.database.engine import Database
from services.shared.errors import Broken
from services.shared.ledger.evidence import ENDINGS
from services.shared.ledger.states import TRANSITIONS, SendState
from tests.faults.ground import Ground

S = SendState
TO_PROVIDER = ("sms_twilio", "voice_twilio", "email")
QUIET = frozenset(S) - {S.SENDING, S.UNKNOWN}


def reachable(without: Collection[SendState] = ()) -> frozenset[SendState]:
    """States that can be reached from PENDING along the table, never passing through `without`."""
    found, edge = {S.PENDING}, [S.PENDING]
    while edge:
        here = edge.pop()
        for before, after in TRANSITIONS:
            if before is here and after not in found and after not in without:
                found.add(after)
                edge.append(after)
    return frozenset(found)


# a late receipt may move what waits for its next try to ACCEPTED: also that is no way for what was never tried
NEVER_SENT = reachable(without=(S.SENDING, S.ACCEPTED, S.DELIVERED))


@dataclass
class Case:
    """What is judged. `targets` are the addressees of each warning; `ambiguous_allowed` None asks nothing of it."""

    ground: Ground
    accepts: Counter[str]
    targets: Mapping[str, set[str]]
    promised: Sequence[str] = ()
    ambiguous_allowed: frozenset[str] | None = None
    secrets: Sequence[str] = ()
    logs: bytes = b""
    closing_accepts: frozenset[str] = frozenset()
    poison: Collection[str] = ()  # topics a test itself has put what nobody can read into


@dataclass
class Verdict:
    """Findings in words, and the figures for the table."""

    findings: list[str] = field(default_factory=list)
    deliveries: int = 0
    lost: int = 0
    doubled: int = 0
    ambiguous: int = 0
    ambiguous_to_people: int = 0  # the broadcast to the area goes out before the first page is there


async def judge(case: Case) -> Verdict:
    """All checks; the server is stopped or at least quiet."""
    verdict = Verdict()
    db = case.ground
    deliveries = db.rows("SELECT * FROM delivery")
    verdict.deliveries = len(deliveries)
    verdict.ambiguous = sum(d["ambiguous"] for d in deliveries)
    verdict.ambiguous_to_people = sum(d["ambiguous"] for d in deliveries if d["addressee_kind"] != "area")
    _lost(db, case, verdict)
    _explained(db, case, verdict)
    _states(db, deliveries, case, verdict)
    _moves(db, verdict)
    _doubled(deliveries, case, verdict)
    _ambiguous(deliveries, case, verdict)
    _promised(db, case, verdict)
    dead = db.rows("SELECT topic, reason FROM dead_letter")
    verdict.findings += [f"put aside: {d['topic']}: {d['reason']}" for d in dead if d["topic"] not in case.poison]
    _secrets(case, verdict)
    database = Database(db.url)
    try:
        async with database.read() as tx:
            await trail.verify(tx)
    except Broken as broken:
        verdict.findings.append(str(broken))
    finally:
        await database.close()
    return verdict


def _lost(db: Ground, case: Case, verdict: Verdict) -> None:
    for warning_id, people in case.targets.items():
        there = {
            r[0] for r in db.rows("SELECT person_id FROM router_path WHERE warning_id = ? AND NOT outside", warning_id)
        }
        lost = people - there
        verdict.lost += len(lost)
        if lost:
            verdict.findings.append(f"{warning_id[:8]}: {len(lost)} of {len(people)} have no path: {sorted(lost)[:3]}")
        if there - people:
            verdict.findings.append(f"{warning_id[:8]}: {len(there - people)} have a path whom it does not concern")
        known = db.rows("SELECT * FROM router_warning WHERE warning_id = ?", warning_id)
        jobs = db.rows("SELECT * FROM registry_job WHERE warning_id = ?", warning_id)
        if not known or not jobs:
            verdict.findings.append(f"{warning_id[:8]}: router or registry does not know it")
            continue
        row, job = known[0], jobs[0]
        if not row["complete"] or (row["total"], row["digest"]) != (job["total"], job["digest"]):
            verdict.findings.append(f"{warning_id[:8]}: the audience is not complete")
        if row["digest"] != digest_of(people) or row["total"] != len(people):
            verdict.findings.append(f"{warning_id[:8]}: total or digest are not of the people concerned")
        counted = db.rows(
            "SELECT coalesce(sum(n), 0) FROM tally WHERE warning_id = ? AND channel = '' AND milestone = 'targeted'",
            warning_id,
        )[0][0]
        if counted != len(people):
            verdict.findings.append(f"{warning_id[:8]}: {counted} counted as targeted, not {len(people)}")


def _explained(db: Ground, case: Case, verdict: Verdict) -> None:
    """Each path ended in one known way, or is open with something that will still move it."""
    for path in db.rows("SELECT * FROM router_path"):
        who = f"{path['warning_id'][:8]}/{path['person_id'][:8]}"
        if path["state"] == "ended":
            if path["ending"] not in ENDINGS or not path["end_reason"]:
                verdict.findings.append(f"{who}: ended without saying how and why")
            continue
        if path["next_at"] is not None or path["react_at"] is not None:
            continue
        waits = db.rows(
            "SELECT count(*) FROM delivery WHERE warning_id = ? AND person_id = ? AND driver = 'door'"
            " AND send_state IN ('pending', 'retry', 'accepted', 'delivered') AND answer IN ('', 'help')",
            path["warning_id"],
            path["person_id"],
        )[0][0]
        if not waits:
            verdict.findings.append(f"{who}: unexplained: open, and nothing can move it")


def _states(db: Ground, deliveries: Sequence[Any], case: Case, verdict: Verdict) -> None:
    """A state must be one the row can have got to, with what the way there leaves behind."""
    in_the_air = db.standing("sending")
    attempts = Counter(r[0] for r in db.rows("SELECT delivery_id FROM attempt"))
    for d in deliveries:
        state, who = S(d["send_state"]), f"delivery {d['delivery_id'][:8]} ({d['channel']})"
        if state not in QUIET or d["delivery_id"] in in_the_air:
            verdict.findings.append(f"{who}: {state} though everything is quiet")
        if state not in NEVER_SENT and d["attempts"] == 0:
            verdict.findings.append(f"{who}: illegal state: {state} without ever an attempt")
        if attempts[d["delivery_id"]] != d["attempts"]:
            verdict.findings.append(
                f"{who}: {attempts[d['delivery_id']]} attempts written down, {d['attempts']} counted"
            )
        if d["ambiguous"] > d["attempts"]:
            verdict.findings.append(f"{who}: more ambiguous than attempts")
        if state is S.DELIVERED and d["driver"] in TO_PROVIDER and not case.accepts[d["delivery_id"]]:
            verdict.findings.append(f"{who}: delivered, and the provider never had it")


def _moves(db: Ground, verdict: Verdict) -> None:
    if not db.noted():
        return
    for move in db.rows("SELECT * FROM judge_move ORDER BY n"):
        before, after = move["before"], S(move["after"])
        if before == "" and after is not S.PENDING:
            verdict.findings.append(f"delivery {move['delivery_id'][:8]} began as {after}")
        elif before not in ("", after) and (S(before), after) not in TRANSITIONS:
            verdict.findings.append(f"delivery {move['delivery_id'][:8]}: illegal move {before} > {after}")
        elif before == after == S.SENDING:
            verdict.findings.append(f"delivery {move['delivery_id'][:8]} is in two flights at once")


def _doubled(deliveries: Sequence[Any], case: Case, verdict: Verdict) -> None:
    known = {d["delivery_id"]: d for d in deliveries}
    for delivery_id, n in case.accepts.items():
        d = known.get(delivery_id)
        if d is None:
            verdict.findings.append(f"the provider has {delivery_id[:8]}, which is no delivery of ours")
        elif n > 1 + d["ambiguous"]:
            verdict.doubled += 1
            verdict.findings.append(
                f"delivery {delivery_id[:8]} ({d['channel']}): {n} accepts, {d['ambiguous']} ambiguous"
            )


def _ambiguous(deliveries: Sequence[Any], case: Case, verdict: Verdict) -> None:
    if case.ambiguous_allowed is None:
        return
    for d in deliveries:
        if d["ambiguous"] and d["delivery_id"] not in case.ambiguous_allowed:
            verdict.findings.append(
                f"delivery {d['delivery_id'][:8]} ({d['channel']}): ambiguous, and was never in hand"
            )


def _promised(db: Ground, case: Case, verdict: Verdict) -> None:
    there = {r[0] for r in db.rows("SELECT warning_id FROM gateway_message")}
    there &= {r[0] for r in db.rows("SELECT warning_id FROM warning_state")}
    verdict.findings += [f"{w[:8]} was answered with 2xx and is not on disk" for w in case.promised if w not in there]


def _secrets(case: Case, verdict: Verdict) -> None:
    places = {"logs": case.logs, **case.ground.at_rest()}
    for secret in case.secrets:
        for place, content in places.items():
            if secret.encode() in content:
                verdict.findings.append(f"the number {secret[:4]}...{secret[-2:]} stands open in {place}")
