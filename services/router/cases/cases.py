"""Opens cases from what people say, escalates them by the clock until somebody owns them, closes what is met.

Help has to be somebody's within two minutes, a question within ten: the duty officer is told, then whoever stands above
too, by call as well, again and again; each telling is written in the case. The fire service's list is no owner: a name
on it is nobody's word. A team is, once the door is on its list and until it is taken off again.

Locks: its own comes after those of paths and deliveries (`locks.Rank`), before router_watch and the figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa
import structlog
from msgspec.structs import replace

from services.router.planning.notices import OnDuty, in_the_field, on_duty
from services.router.planning.plan import TAKEN_BACK, WarningContext
from services.router.policy.vocabulary import FIRE_SERVICE
from services.router.store import tables
from services.router.store.cases import HELP, OPEN, CaseRow, case, event
from services.shared import alarms
from services.shared.bus.outbox import id_of, publish
from services.shared.database import locks
from services.shared.database.batches import Each, insert_new, one_of
from services.shared.database.engine import Connection, Id
from services.shared.database.rows import row_of, rows_of
from services.shared.ledger.answers import answer_log
from services.shared.ledger.deliveries import Planned
from services.shared.ledger.evidence import Answer
from services.shared.ledger.kinds import DeliveryKind
from services.shared.ledger.tables import DOOR_DRIVER, Delivery, delivery
from services.shared.ledger.warnings import warning_state
from services.shared.messages import NoticeRequested
from services.shared.powers.power import Power

log = structlog.get_logger("router")
HELP_S, HELP_AGAIN_S = 120.0, 180.0
QUESTION_S = 600.0  # and again after as long, then twice that
LONGEST_S = 1800.0
WATCH = "cases"  # the look at those that are nobody's
UNTOLD = "unheard"  # the alarm where nobody could be told
_GIVE = Each(
    lambda v: (
        sa.update(case)
        .where(case.c.warning_id == v("w"), case.c.person_id == v("p"), HELP, OPEN)
        .values(owner=v("s"), due_at=None)
    ),
    w=Id, p=Id, s=Id,
)  # fmt: skip


class _NewCase(NamedTuple):
    case_id: str
    warning_id: str
    person_id: str
    kind: str
    delivery_id: str
    opened_at: float
    owner: str
    due_at: float | None


# ---- opening


async def call_for_help(
    tx: Connection, warning_id: str, person_id: str, help_at: float, deliveries: Sequence[Planned], owner: str
) -> None:
    """One case a call: asked again while it is open it stays the one; closed by a person, the same call opens none.

    A path knows the first call that is open (`help_at`); what they said after their case
    was closed is a new call.
    """
    await locks.cases(tx, warning_id)
    if await _standing(tx, warning_id, person_id, "help") is not None:
        return
    mine = (case.c.warning_id == warning_id, case.c.person_id == person_id, HELP, case.c.closed_by != "")
    closed_at = await tx.scalar(sa.select(sa.func.max(case.c.closed_at)).where(*mine))
    if closed_at is not None and help_at <= closed_at:
        newest = await _last_call(tx, person_id, deliveries)
        if newest <= closed_at:
            return
        help_at = newest
    said = sorted((d for d in deliveries if d.answer == Answer.HELP), key=lambda d: d.answer_at or 0.0)
    with_phone = [d for d in said if d.address_key and d.driver != DOOR_DRIVER] or said
    if owner not in ("", FIRE_SERVICE) and not any(_goes(d, owner, help_at) for d in deliveries):
        owner = ""
    due = None if owner not in ("", FIRE_SERVICE) else help_at + HELP_S
    delivery_id = with_phone[-1].delivery_id if with_phone else ""
    one = id_of(warning_id, person_id, "help", help_at)
    await _open(tx, _NewCase(one, warning_id, person_id, "help", delivery_id, help_at, owner, due))


async def _last_call(tx: Connection, person_id: str, deliveries: Sequence[Planned]) -> float:
    """When help was last asked for on these; on a phone they share with its owner, only by a word for all."""
    about = {d.delivery_id: d for d in deliveries}
    said = (one_of(answer_log.c.delivery_id, sorted(about)), answer_log.c.answer == "help")
    asked = [
        float(a.at)
        for a in await tx.execute(sa.select(answer_log).where(*said))
        if about[a.delivery_id].person_id == person_id or a.covers >= about[a.delivery_id].covers
    ]
    return max(asked, default=0.0)


def _goes(visit: Planned, team: str, help_at: float) -> bool:
    """Whether that team has this visit before it, or made it after the call."""
    if visit.kind != DeliveryKind.VISIT or visit.slot != team:
        return False
    if visit.answer:
        return visit.answer_at is None or visit.answer_at >= help_at
    return visit.send_state not in TAKEN_BACK


_ASKED = (
    sa.select(answer_log)
    .where(one_of(answer_log.c.delivery_id, "ids"), answer_log.c.asks != "")
    .order_by(answer_log.c.at, answer_log.c.event_key)
)


async def questions(tx: Connection, warning_id: str, ids: Sequence[str], about: Mapping[str, Delivery]) -> None:
    """Texts that a person has to read, of these deliveries (`about`: delivery by id); told twice they are one.

    Whoever writes again while their case is open writes in the same case; an urgent text makes its clock shorter.
    """
    asked = (await tx.execute(_ASKED, {"ids": ids})).all()
    if not asked:
        return
    await locks.cases(tx, warning_id)
    known = set(
        await tx.scalars(sa.select(event.c.event_key).where(one_of(event.c.event_key, [a.event_key for a in asked])))
    )
    for one in asked:
        if one.event_key in known or one.delivery_id not in about:
            continue
        row = about[one.delivery_id]
        due = one.at + (HELP_S if one.asks == "urgent" else QUESTION_S)
        found = await _standing(tx, warning_id, row.person_id, "question", "" if row.person_id else row.addressee_id)
        if found is None:
            case_id = id_of(warning_id, one.event_key)
            new = _NewCase(case_id, warning_id, row.person_id, "question", one.delivery_id, one.at, "", due)
            await _open(tx, new)
        else:
            case_id = found.case_id
            if not found.taken_by and found.due_at is not None and due < found.due_at:
                await tx.execute(sa.update(case).where(case.c.case_id == case_id).values(due_at=due))
                await set_clock(tx, warning_id, due)
        await write(tx, case_id, "text", one.at, key=one.event_key)


async def _standing(
    tx: Connection, warning_id: str, person_id: str, kind: str, addressee_id: str = ""
) -> CaseRow | None:
    """The open case of that kind of this person; of an official, where nobody is spoken of, the one who wrote."""
    about = [case.c.warning_id == warning_id, case.c.person_id == person_id, case.c.kind == kind, OPEN]
    if addressee_id:
        theirs = sa.select(delivery.c.delivery_id).where(
            delivery.c.warning_id == warning_id, delivery.c.addressee_id == addressee_id
        )
        about.append(case.c.delivery_id.in_(theirs))
    return await row_of(tx, CaseRow, sa.select(case).where(*about).order_by(case.c.opened_at).limit(1))


async def _open(tx: Connection, row: _NewCase) -> None:
    if await insert_new(tx, case, [row._asdict()]):
        await write(tx, row.case_id, "opened", row.opened_at)
        if row.due_at is not None:
            await set_clock(tx, row.warning_id, row.due_at)


async def write(
    tx: Connection, case_id: str, what: str, at: float, *, by: str = "", note: str = "", key: str = ""
) -> None:
    """One line of a case's history; the same line twice is one."""
    row = {
        "event_key": key or id_of(case_id, what, by, note, at), "case_id": case_id, "at": at, "what": what,
        "by": by[:80], "note": note[:400],
    }  # fmt: skip
    await insert_new(tx, event, [row])


async def set_clock(tx: Connection, warning_id: str, due: float, what: str = WATCH) -> None:
    """The warning's cases (or another look of its clock) are looked at no later than then."""
    w = tables.watch.c
    if not await insert_new(tx, tables.watch, [{"warning_id": warning_id, "what": what, "due_at": due}]):
        mine = (w.warning_id == warning_id, w.what == what, sa.or_(w.due_at.is_(None), w.due_at > due))
        await tx.execute(sa.update(tables.watch).where(*mine).values(due_at=due))


# ---- moving


async def give(tx: Connection, warning_id: str, given: Mapping[str, str], now: float) -> None:
    """A call for help is owned by the team that has its door, whoever had it before: person > team."""
    await locks.cases(tx, warning_id)
    about = (case.c.warning_id == warning_id, one_of(case.c.person_id, sorted(given)), HELP, OPEN)
    standing = await rows_of(tx, CaseRow, sa.select(case).where(*about).order_by(case.c.case_id))
    standing = [c for c in standing if c.owner != given[c.person_id]]
    await _GIVE.run(tx, [{"w": warning_id, "p": c.person_id, "s": given[c.person_id]} for c in standing])
    for c in standing:
        await write(tx, c.case_id, "given", now, by=given[c.person_id])


async def taken_back(
    tx: Connection, warning_id: str, people: Sequence[str], now: float, reason: str, owner: str = ""
) -> None:
    """The team goes to these doors no more: a call for help that no person took is nobody's again, and its clock runs.

    `owner` is the fire service's list where it has the names instead.
    """
    if not people:
        return
    await locks.cases(tx, warning_id)
    mine = (case.c.warning_id == warning_id, one_of(case.c.person_id, people), HELP, OPEN, case.c.taken_by == "")
    standing = await rows_of(tx, CaseRow, sa.select(case).where(*mine).order_by(case.c.case_id))
    teams = [c for c in standing if c.owner not in ("", FIRE_SERVICE)]
    if owner:
        ids = [c.case_id for c in standing]
        await tx.execute(sa.update(case).where(one_of(case.c.case_id, ids)).values(owner=owner))
    if teams:
        values = {"owner": owner, "due_at": now + HELP_S}
        await tx.execute(sa.update(case).where(one_of(case.c.case_id, [c.case_id for c in teams])).values(**values))
        for c in teams:
            await write(tx, c.case_id, "given", now, note=reason)
        await set_clock(tx, warning_id, now + HELP_S)


async def met(tx: Connection, warning_id: str, people: Sequence[str], now: float, why: str = "the path closed") -> None:
    """Whose path closed needs no help any more; a question is answered by a person all the same."""
    if not people:
        return
    await locks.cases(tx, warning_id)
    mine = (case.c.warning_id == warning_id, one_of(case.c.person_id, people), HELP, OPEN)
    ids = (await tx.scalars(sa.select(case.c.case_id).where(*mine).order_by(case.c.case_id))).all()
    if ids:
        values = {"closed_at": now, "close_reason": why, "due_at": None}
        await tx.execute(sa.update(case).where(one_of(case.c.case_id, list(ids)), OPEN).values(**values))
        for case_id in ids:
            await write(tx, case_id, "closed", now, note=why)


async def review(tx: Connection, ctx: WarningContext, now: float, plane: str, *, active: bool) -> None:
    """Tells those that are nobody's and whose time is over; when the next is due. Questions end with their warning."""
    warning_id = ctx.issued.warning_id
    await locks.cases(tx, warning_id)
    mine = (case.c.warning_id == warning_id, OPEN, case.c.due_at.is_not(None))
    waiting = await rows_of(tx, CaseRow, sa.select(case).where(*mine).order_by(case.c.opened_at, case.c.case_id))
    clocks = [(c, c.due_at) for c in waiting if c.due_at is not None]
    late = [c for c, due_at in clocks if due_at <= now]
    if late:  # what was told before and is due soon goes along: one message for many cases
        late = [c for c, due_at in clocks if due_at <= now or (c.told and due_at <= now + HELP_AGAIN_S / 2)]
    following = [due_at for c, due_at in clocks if c not in late]
    for c in late:
        due = now + _wait(c) if active or c.kind == "help" else None
        await tx.execute(sa.update(case).where(case.c.case_id == c.case_id).values(told=c.told + 1, due_at=due))
        following += [due] if due is not None else []
    for kind in ("help", "question"):
        if theirs := [c for c in late if c.kind == kind]:
            await _tell(tx, ctx, kind, theirs, now, plane)
    if following:
        await set_clock(tx, warning_id, min(following))


def _wait(c: CaseRow) -> float:
    """Until it is told again: ever longer, at most half an hour. Who is told every three minutes reads no more."""
    first = HELP_AGAIN_S if c.kind == "help" else QUESTION_S
    return float(min(first * 2**c.told, max(LONGEST_S, first)))


async def _tell(
    tx: Connection, ctx: WarningContext, kind: str, late: Sequence[CaseRow], now: float, plane: str
) -> None:
    """The duty officer first; from the second time on whoever stands above too, and by call as well.

    Where nobody on shift has the skill, the desk is paged. Only where nobody there can be, some officers in the field are told.
    """
    asked = await on_duty(tx, ctx, Power.HANDLE)
    workers = list(asked.officers)
    again = max(c.told for c in late) > 0
    if again:
        above = [w for w in ctx.workers if "superior" in w.skills]
        workers += [w for w in above if w.worker_id not in {w.worker_id for w in workers}]
    if not workers and not asked.paged:
        workers = in_the_field(ctx)
    made: list[NoticeRequested] = []
    for voice in (False, True) if again else (False,):
        of = OnDuty(workers, [] if voice else asked.paged)
        made += of.notices(ctx, f"case_{kind}", plane, f"{now}", voice=voice, expires=now + 3600.0)
    # of no warning: it must be told also when the warning is over
    made = [replace(one, warning_id="", expires=now + 3600.0) for one in made]
    made = [replace(m, params={**m.params, "about": ctx.issued.warning_id}) for m in made]
    await publish(tx, made)
    told = sorted({m.addressee_id for m in made})
    if not told:  # nobody is on shift, or none has a number: whoever looks must see it
        mine = warning_state.c.warning_id == ctx.issued.warning_id
        number = await tx.scalar(sa.select(warning_state.c.number).where(mine))
        what = "calls for help" if kind == "help" else "questions"
        said = f"No. {number}: nobody on shift has a number, so nobody was told of {len(late)} {what}. Take them now."
        await alarms.sound(tx, f"{UNTOLD}:{ctx.issued.warning_id}", said)
    log.warning("case_without_owner", warning_id=ctx.issued.warning_id, kind=kind, cases=len(late), told=len(told))
    note = (
        f"nobody has it: told {', '.join(t[:8] for t in told)}"
        if told
        else "nobody has it, and nobody on shift has a number"
    )
    for c in late:
        await write(tx, c.case_id, "told", now, note=note)
