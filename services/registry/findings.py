"""What in the register is to be put right before the next warning: listed with what to do, by id, without names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from services.registry.importing.bounds import POLAR, learn
from services.registry.importing.language_names import TAG
from services.registry.model.facts import MONTHS, MONTHS_SHORT, months_after
from services.registry.model.given import WARNED
from services.registry.people.update import today
from services.registry.store import register
from services.shared.database.engine import Connection
from services.shared.errors import Refused

SHOWN, MOST = 100, 1000
Query = sa.Select[tuple[str, Any]]


@dataclass(frozen=True)
class Kind:
    """One kind of finding: what it is and what to do in English and Chinese, and who it concerns."""

    name: str
    of: str  # person, facility, worker, supporter, list
    en: tuple[str, str]
    zh: tuple[str, str]
    query: Callable[[str, tuple[Any, ...]], Query]


def _people(*where: sa.ColumnElement[bool], detail: Any = None) -> Query:
    """Ids of people who are warned, with a detail to show."""
    shown = sa.literal("") if detail is None else detail
    return sa.select(register.person.c.person_id.label("id"), shown.label("detail")).where(
        register.person.c.status.in_(WARNED), *where
    )


def _facts(*where: sa.ColumnElement[bool], detail: Any) -> Query:
    joined = sa.join(register.facts, register.person, register.facts.c.person_id == register.person.c.person_id)
    return (
        sa.select(register.facts.c.person_id.label("id"), detail.label("detail"))
        .select_from(joined)
        .where(register.person.c.status.in_(WARNED), *where)
    )


def _stale(today_: str, _: tuple[str, ...]) -> Query:
    """People who have contacts, and the newest of them was given or tried more than a year ago."""
    newest = sa.func.max(
        sa.case(
            (register.contact.c.verified_on > register.contact.c.given_on, register.contact.c.verified_on),
            else_=register.contact.c.given_on,
        )
    )
    return (
        sa.select(register.contact.c.owner_id.label("id"), newest.label("detail"))
        .join(register.person, register.person.c.person_id == register.contact.c.owner_id)
        .where(register.person.c.status.in_(WARNED))
        .group_by(register.contact.c.owner_id)
        .having(newest < _before(today_, MONTHS))
    )


def _no_duty_phone(_: str, __: tuple[str, ...]) -> Query:
    """Facilities with fewer than two duty phones."""
    lines = (
        sa.select(sa.func.count())
        .where(register.contact.c.owner_id == register.person.c.person_id, register.contact.c.kind.like("duty_phone%"))
        .scalar_subquery()
    )
    return _people(register.person.c.kind == "facility", lines < 2, detail=sa.cast(lines, sa.String))


def _no_plan(today_: str, _: tuple[str, ...]) -> Query:
    return (
        sa.select(register.facility.c.facility_id.label("id"), register.facility.c.plan_on.label("detail"))
        .join(register.person, register.person.c.person_id == register.facility.c.facility_id)
        .where(register.person.c.status.in_(WARNED))
        .where(
            sa.or_(
                register.facility.c.plan_on < _before(today_, MONTHS),
                register.facility.c.evac_min_day.is_(None),
                register.facility.c.evac_min_night.is_(None),
            )
        )
    )


def _outside(_: str, bounds: tuple[Any, ...]) -> Query:
    """Positions outside the imported areas, beyond where anybody lives, or no nearer than a whole degree."""
    lat, lon = register.person.c.lat, register.person.c.lon
    wrong = [sa.and_(lat == sa.func.round(lat), lon == sa.func.round(lon)), lat > POLAR, lat < -POLAR]
    if bounds:
        south, west, north, east = bounds
        wrong += [~lat.between(south, north), ~lon.between(west, east)]
    return _people(sa.or_(*wrong), detail=sa.cast(lat, sa.String) + ", " + sa.cast(lon, sa.String))


def _born_ahead(today_: str, dialect: tuple[Any, ...]) -> Query:
    """Years of birth to come: facts are packed (msgpack), where a year is a mark and two bytes behind its name."""
    body, name = register.facts.c.body, b"birth_year"
    at: Any = (
        sa.func.position(sa.literal(name).op("IN")(body)) if dialect == ("postgresql",) else sa.func.instr(body, name)
    )
    year = sa.func.substr(body, at + len(name), 3)
    joined = sa.join(register.facts, register.person, register.facts.c.person_id == register.person.c.person_id)
    ahead = sa.and_(at > 0, year > b"\xcd" + int(today_[:4]).to_bytes(2), year < b"\xce")
    return (
        sa.select(register.facts.c.person_id.label("id"), sa.literal("birth_year").label("detail"))
        .select_from(joined)
        .where(register.person.c.status.in_(WARNED), ahead)
    )


def _missing(_: str, __: tuple[str, ...]) -> Query:
    return (
        sa.select(register.listing.c.person_id.label("id"), register.source.c.name.label("detail"))
        .join(register.source, register.source.c.source_id == register.listing.c.source_id)
        .join(register.person, register.person.c.person_id == register.listing.c.person_id)
        .where(register.listing.c.seen < register.source.c.imports, register.person.c.status.in_(WARNED))
    )


def _workers(*where: sa.ColumnElement[bool]) -> Query:
    return sa.select(register.worker.c.worker_id.label("id"), sa.literal("").label("detail")).where(
        register.worker.c.status == "active", *where
    )


def _before(day: str, months: int) -> str:
    return months_after(day, -months)


KINDS = (
    Kind(
        "no_channel", "person",
        ("Nobody can be called or written to", "Visit: ask for a number, a supporter, or what would wake them"),
        ("没有任何可用的联系方式", "上门：问电话、帮手，或者怎样叫醒"),
        lambda _, keys: _people(register.person.c.profile_key.in_(keys), register.person.c.facility_id.is_(None)),
    ),
    Kind(
        "one_channel", "person",
        ("Only one usable channel", "Ask for a second one: another number, an e-mail address, or a supporter"),
        ("只有一种可用的联系方式", "请再要一种：另一个电话、邮箱或一位帮手"),
        lambda _, keys: _people(register.person.c.profile_key.in_(keys), register.person.c.kind != "facility"),
    ),
    Kind(
        "stale_contact", "person",
        ("No contact was tried or given within a year", "Send a test, or ask whether the number is still right"),
        ("一年内没有核对过联系方式", "发一次测试，或问号码是否还对"), _stale,
    ),
    Kind(
        "review_overdue", "person",
        ("A review is overdue", "Ask the answers again; they are used until then"),
        ("到了复核时间", "请重新询问；在此之前仍按原答案使用"),
        lambda today_, _: _facts(register.facts.c.review_due < today_, detail=register.facts.c.review_due),
    ),
    Kind(
        "old", "person",
        ("A review is overdue by half a year", "Ask first of all: what officers read of them is marked old"),
        ("复核已逾期半年", "优先询问：工作人员看到的内容已标为旧"),
        lambda today_, _: _facts(
            register.facts.c.review_due < _before(today_, MONTHS_SHORT), detail=register.facts.c.review_due
        ),
    ),
    Kind(
        "expired", "person",
        ("Something no longer holds by its own date", "Ask whether it is still so; it is used until then"),
        ("有一项已过有效期", "请问是否仍然如此；在此之前仍然使用"),
        lambda today_, _: _facts(
            register.facts.c.valid_until != "", register.facts.c.valid_until < today_, detail=register.facts.c.valid_until
        ),
    ),
    Kind(
        "outside", "person",
        ("Lives outside the areas of this register, or at no exact place", "Look the place up: nobody there is warned"),
        ("住址在本名册各区域之外，或位置不准确", "请核对位置：那里的人收不到预警"), _outside,
    ),
    Kind(
        "born_ahead", "person",
        ("The year of birth is still to come", "Ask for it: she is taken for a child"),
        ("出生年份在将来", "请核对：现在被当作儿童"), _born_ahead,
    ),
    Kind(
        "no_language", "person",
        ("A language is no tag, so that texts come in English", "Write it as a tag, like zh, ug or en"),
        ("语言写法不能识别，收到的是英文", "请写成代码，如 zh、ug、en"),
        lambda _, keys: _people(register.person.c.profile_key.in_(keys)),
    ),
    Kind(
        "facility_plan", "facility",
        ("No evacuation plan of the last year with minutes by day and night", "Ask the house for its plan"),
        ("没有一年内的撤离预案（含白天和夜间用时）", "请该机构提供预案"), _no_plan,
    ),
    Kind(
        "facility_duty_phone", "facility",
        ("Fewer than two duty phones", "Ask the house for two numbers that are answered day and night"),
        ("值班电话少于两个", "请该机构提供两个昼夜有人接的电话"), _no_duty_phone,
    ),
    Kind(
        "conflict", "person",
        ("Two sources differ", "Ask the person which is right, and settle it"),
        ("两个来源说法不同", "问本人哪个对，并处理"),
        lambda _, __: sa.select(
            register.conflict.c.person_id.label("id"), register.conflict.c.field.label("detail")
        ).where(register.conflict.c.state == "open"),
    ),
    Kind(
        "missing", "person",
        ("No longer in a list that once named them", "Ask that office whether they moved or died; nobody is deleted"),
        ("不在该名单的最新一版中", "问该单位是否迁走或去世；不会自动删除"), _missing,
    ),
    Kind(
        "old_list", "list",
        ("A list is older than a year", "Ask its holder for a new one"),
        ("名单已超过一年", "请名单单位提供新的"),
        lambda today_, _: sa.select(register.source.c.name.label("id"), register.source.c.last_import.label("detail")).where(
            register.source.c.expires_on < today_
        ),
    ),
    Kind(
        "worker_backup", "worker",
        ("A pair has no backup", "Name who takes over their grids"),
        ("没有后备人员（B角）", "请指定由谁接替"), lambda _, __: _workers(register.worker.c.backup_id == ""),
    ),
    Kind(
        "worker_vetting", "worker",
        ("Nobody noted when this pair was vetted", "Vet them, and enter the day"),
        ("没有审查日期", "请审查并登记日期"), lambda _, __: _workers(register.worker.c.vetted_on == ""),
    ),
    Kind(
        "supporter_not_accepted", "supporter",
        ("A supporter has not said yes", "Ask them, or find another"),
        ("帮手还没有答应", "请询问，或另找一位"),
        lambda _, __: sa.select(
            register.supporter.c.supporter_id.label("id"), register.supporter.c.person_id.label("detail")
        ).where(register.supporter.c.accepted_on == ""),
    ),
)  # fmt: skip
PAGE_WORDS = {
    "en": {
        "title": "What to put right in the register",
        "lead": "On {day}. No names here: open a person by her id, and say why.",
        "caption": "By kind, the most urgent first",
        "caption_ids": "Whom it concerns",
        "count": "How many",
        "what": "What",
        "do": "What to do",
        "nothing": "Nothing is to be put right today.",
        "id": "Id",
        "detail": "About",
        "more": "Show more",
        "back": "All kinds",
    },
    "zh": {
        "title": "登记册中需要处理的事项",
        "lead": "{day}。这里没有姓名：请按编号打开，并说明理由。",
        "caption": "按类别，急的在前",
        "caption_ids": "涉及谁",
        "count": "数量",
        "what": "问题",
        "do": "怎么办",
        "nothing": "今天没有需要处理的事项。",
        "id": "编号",
        "detail": "关于",
        "more": "显示更多",
        "back": "所有类别",
    },
}
_BY_NAME = {kind.name: kind for kind in KINDS}


async def find(
    db: Connection, *, kind: str = "", after: str = "", limit: str = "", day: str = "", lang: str = "en"
) -> dict[str, Any]:
    """All kinds with counts, and of each the first ids; of one `kind` up to `limit` ids after the id `after`.

    A finding is {id, detail}: the date, list, field or person it is about. Refused where the kind is none.
    """
    if kind and kind not in _BY_NAME:
        raise Refused(
            f"{kind[:40]!r} is no kind of finding",
            field="kind",
            rule="known word",
            given=kind[:40],
            remedy=f"write one of {', '.join(_BY_NAME)}",
        )
    most = min(MOST, int(limit)) if limit.isdigit() and int(limit) else (SHOWN if kind else 10)
    day = day or today()
    asked_by = await _asked_by(db)
    found = []
    for one in [_BY_NAME[kind]] if kind else KINDS:
        asked = one.query(day, asked_by.get(one.name, ())).subquery()
        count = int(await db.scalar(sa.select(sa.func.count()).select_from(asked)) or 0)
        rows = await db.execute(
            sa.select(asked).where(asked.c.id > after).order_by(asked.c.id, asked.c.detail).limit(most)
        )
        found.append(
            {
                "kind": one.name,
                "of": one.of,
                "count": count,
                "what": (one.zh if lang == "zh" else one.en)[0],
                "do": (one.zh if lang == "zh" else one.en)[1],
                "found": [{"id": row.id, "detail": row.detail} for row in rows],
            }
        )
    return {"day": day, "findings": found}


async def _asked_by(db: Connection) -> dict[str, tuple[Any, ...]]:
    """By kind, what its query asks for: profile keys of those without a usable channel, of those with one (a supporter who
    accepted is a channel), of those whose language is none; and where the register's areas lie."""
    counts = await register.counts_by_profile(db)
    none: list[str] = []
    one: list[str] = []
    unread: list[str] = []
    for key, facts in (await register.profiles_of(db, counts)).items():
        n = len(facts.channels) + len(facts.supporters)
        (none if n == 0 else one if n == 1 else []).append(key)
        if not all(TAG.fullmatch(tag) for tag in facts.language.split(";")):
            unread.append(key)
    bounds = await learn(db, ())
    within = (bounds.south, bounds.west, bounds.north, bounds.east) if bounds is not None else ()
    return {
        "no_channel": tuple(sorted(none)),
        "one_channel": tuple(sorted(one)),
        "no_language": tuple(sorted(unread)),
        "outside": within,
        "born_ahead": (db.dialect.name,),
    }
