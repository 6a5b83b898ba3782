"""`tocsin user`: invites people of the authorities, says what they may do, and ends it; the first administrator too."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from services.commands.keys import end_of, surface
from services.commands.kit import database_of, echo, fail, run, settings, tier_of, words_of
from services.shared.accounts import people
from services.shared.accounts.hours import zone_text
from services.shared.accounts.people import Account, Granted
from services.shared.accounts.tables import person_id
from services.shared.audit import trail
from services.shared.clock import iso, wall
from services.shared.database.engine import Connection, Database
from services.shared.errors import NotFound
from services.shared.powers.roles import ROLES
from services.shared.settings import Settings
from services.shared.tiers import Tier
from services.shared.web import sessions
from services.shared.web.auth import all_keys
from services.shared.web.console_origin import console_origin

app = typer.Typer(no_args_is_help=True)
BY = "command line"
Login = Annotated[str, typer.Argument(metavar="LOGIN", help="The sign-in name, from: tocsin user list")]
Reason = Annotated[str, typer.Option(help="Kept in the audit log.")]
Roles = Annotated[str, typer.Option(help=f"Joined by commas: {', '.join(ROLES)}.")]
MaxTier = Annotated[str, typer.Option(help="The highest tier they may send: blue, yellow, orange or red.")]
Area = Annotated[Path | None, typer.Option(help="GeoJSON file of where they may warn.")]
Anywhere = Annotated[bool, typer.Option("--anywhere", help="They may warn the whole world.")]
Alone = Annotated[
    str, typer.Option(help="The highest tier they draft and send without a second person. none, blue ... red.")
]
Senders = Annotated[str, typer.Option(help="CAP senders they may speak for, joined by commas; empty for any.")]
Events = Annotated[str, typer.Option(help="Hazards or event codes, joined by commas; empty for any.")]
Names = Annotated[
    str,
    typer.Option(
        help="Whom their texts may name as source, joined by commas. Empty: the authority where an area binds."
    ),
]
Hours = Annotated[str, typer.Option(help="When they are on duty, like Mo-Fr 08:00-18:00; empty for always.")]
Expires = Annotated[str, typer.Option(help="The last day they may do it (UTC), or never. Empty: never.")]


async def _granted(
    chosen: Settings, authority: str, roles: str, max_tier: str, alone: str, area: Path | None, anywhere: bool,
    senders: str, events: str, names: str, hours: str, expires: str,
) -> Granted:  # fmt: skip
    tier, by_one = tier_of(max_tier), tier_of("" if alone == "none" else alone)
    if tier is None:
        raise fail("--max-tier: give blue, yellow, orange or red")
    if by_one is None and alone != "none":
        raise fail("--alone: give none, blue, yellow, orange or red")
    if (area is None) != anywhere:
        raise fail("say where they may warn: --area FILE (GeoJSON) or --anywhere, one of the two")
    bound = await asyncio.to_thread(surface, area) if area is not None else ""
    return Granted(
        words_of(roles), int(tier), int(by_one or 0), bound, words_of(senders), words_of(events),
        words_of(names) or ([authority] if bound else []), hours,
        zone_text(chosen.timezone, chosen.utc_offset_min), end_of(expires or "never", wall()),
    )  # fmt: skip


def _link(chosen: Settings, secret: str) -> str:
    public_url = chosen.public_url or f"http://{chosen.host}:{chosen.port}"
    return f"{console_origin(public_url, chosen.console_origin)}/console/invited/{secret}"


async def _of(db: Connection, login: str) -> Account:
    one = await people.find(db, login=login)
    if one is None:
        raise NotFound(
            f"there is nobody with the sign-in name {login}: see tocsin user list", field="login", given=login
        )
    return one


async def _known(database: Database, login: str) -> Account:
    async with database.read() as db:
        return await _of(db, login)


@app.command("invite")
def user_invite(
    name: Annotated[str, typer.Option(help="Their name, as colleagues know them; nobody else here has it.")],
    login: Annotated[str, typer.Option(help="Their sign-in name: small letters and digits.")],
    authority: Annotated[str, typer.Option(help="The authority they act for, as residents know it.")],
    roles: Roles,
    max_tier: MaxTier,
    area: Area = None,
    anywhere: Anywhere = False,
    alone: Alone = "yellow",
    senders: Senders = "",
    events: Events = "",
    names: Names = "",
    hours: Hours = "",
    expires: Expires = "",
) -> None:
    """Invite somebody; prints a link that opens once, within three days. Works beside a running server."""
    chosen = settings()

    async def work() -> str:
        grant = await _granted(
            chosen, authority, roles, max_tier, alone, area, anywhere, senders, events, names, hours, expires
        )
        async with database_of(chosen) as database:
            return await people.invite(database, name=name, login=login, of=authority, grant=grant, by=BY)

    typer.echo(_link(chosen, run(work())))


@app.command("invite-again")
def user_invite_again(login: Login, reason: Reason) -> None:
    """Make a new link for somebody who cannot sign in any more; once it is used, what they had opens nothing."""
    chosen = settings()

    async def work() -> str:
        async with database_of(chosen) as database:
            one = await _known(database, login)
            return await people.invite_again(database, one.person, by=BY, reason=reason)

    typer.echo(_link(chosen, run(work())))


@app.command("grant")
def user_grant(
    login: Login,
    reason: Reason,
    roles: Roles,
    max_tier: MaxTier,
    area: Area = None,
    anywhere: Anywhere = False,
    alone: Alone = "yellow",
    senders: Senders = "",
    events: Events = "",
    names: Names = "",
    hours: Hours = "",
    expires: Expires = "",
) -> None:
    """Say anew what somebody may do, all of it; it holds at once."""
    chosen = settings()

    async def work() -> str:
        async with database_of(chosen) as database:
            one = await _known(database, login)
            grant = await _granted(
                chosen, one.authority, roles, max_tier, alone, area, anywhere, senders, events, names, hours, expires
            )
            await people.change_grant(database, one.person, grant, by=BY, reason=reason)
            return one.name

    echo(f"{run(work())} may do this from now on: tocsin user list shows it")


@app.command("list")
def user_list() -> None:
    """Name the people: sign-in name, name, authority, roles, how far, within which hours, and how they sign in."""

    async def work() -> list[Account]:
        async with database_of(settings()) as database, database.read() as db:
            return await people.listed(db)

    for one in run(work()):
        bounds = [f"senders {', '.join(one.senders)}"] if one.senders else []
        bounds += [f"events {', '.join(one.events)}"] if one.events else []
        bounds += ["an area"] if one.area else []
        bounds += [f"names {', '.join(one.names)}"] if one.names else []
        bounds += [f"hours {one.hours}"] if one.hours else []
        alone = f"up to {Tier(one.alone).word}" if one.alone else "never"
        echo(
            f"{one.login}  {one.name} of {one.authority}  {_state_of(one)}  {', '.join(one.roles)} "
            f"up to {Tier(one.max_tier).word}, alone {alone}" + (f"; bound to {'; '.join(bounds)}" if bounds else "")
        )


def _state_of(one: Account) -> str:
    if one.ended_at is not None:
        return f"ENDED {iso(one.ended_at)}"
    if one.expires_at is not None and one.expires_at <= wall():
        return f"EXPIRED {iso(one.expires_at)}"
    until = f" until {iso(one.expires_at)}" if one.expires_at is not None else ""
    return f"since {iso(one.created_at)}{until}" if one.ways else f"INVITED {iso(one.created_at)}{until}"


@app.command("sign-out")
def user_sign_out(login: Login, reason: Reason) -> None:
    """Sign somebody out everywhere, at once; they may sign in again."""

    async def work() -> int:
        async with database_of(settings()) as database:
            one = await _known(database, login)
            async with database.write() as tx:
                done = await sessions.end_of_person(tx, one.person)
                await trail.record(tx, BY, "end_sign_ins", one.person, reason, {"sign_ins": done})
                return done

    echo(f"sign-ins ended: {run(work())}")


@app.command("end")
def user_end(login: Login, reason: Reason) -> None:
    """End somebody's account: from now on nothing of theirs opens anything, keys they own included."""

    async def work() -> tuple[str, list[str]]:
        async with database_of(settings()) as database:
            one = await _known(database, login)
            await people.end(database, one.person, by=BY, reason=reason)
            async with database.read() as db:
                keys = [key for key in await all_keys(db) if key.revoked_at is None]
            return one.name, [key.label for key in keys if person_id(key.owner) == one.person]

    name, keys = run(work())
    echo(f"nothing of {name} opens anything any more")
    if keys:
        echo(f"keys they owned open nothing either: {', '.join(keys)}; feeds that come in under them are read on")
