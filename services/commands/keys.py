"""`tocsin key` and `tocsin keys`: API keys; the key that opens sealed addresses and those that sign."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from services.commands.kit import checked, database_of, echo, fail, read_file, run, settings, tier_of, words_of
from services.shared.clock import iso, wall
from services.shared.crypto import house_keys
from services.shared.crypto.channels_keys import list_keys, rotate
from services.shared.crypto.sealing import USES, Keys, Use
from services.shared.database.engine import Database
from services.shared.errors import Refused
from services.shared.powers.who import ACTIONS, USUAL
from services.shared.settings import Settings
from services.shared.tiers import Tier
from services.shared.web.auth import GrantedKey, all_keys, create_key, name_superior, revoke_key

key_app = typer.Typer(no_args_is_help=True)
keys_app = typer.Typer(no_args_is_help=True)
YEAR_S = 365 * 86400.0


def surface(path: Path) -> str:
    """The file's areas as one GeoJSON MultiPolygon; Refused where it is none or has no surface."""
    import shapely

    from services.registry.geo.areas import Shape

    try:
        shape = Shape.judged(read_file(path).decode())
    except UnicodeDecodeError as problem:
        raise Refused(f"{path}: is no text in UTF-8; give a GeoJSON file", field="--area") from problem
    except Refused as wrong:
        raise Refused(f"{path}: {wrong.message}", field="--area", rule=wrong.rule, remedy=wrong.remedy) from wrong
    parts = shapely.get_parts(shapely.from_wkb(shape.wkb()))
    return str(shapely.to_geojson(shapely.MultiPolygon(list(parts))))


def end_of(given: str, now: float) -> float | None:
    """When a key ends, wall: a day (its end in UTC) or an instant, `never`; in a year where nothing is given."""
    if given == "never":
        return None
    if not given:
        return now + YEAR_S
    try:
        end = datetime.fromisoformat(given)
    except ValueError as problem:
        raise Refused(
            f"--expires {given}: give a day like 2027-03-31, or never", field="--expires", given=given
        ) from problem
    if len(given) <= len("2027-03-31"):
        end += timedelta(days=1)
    when = (end if end.tzinfo is not None else end.replace(tzinfo=UTC)).timestamp()
    if when <= now:
        raise Refused(
            f"--expires {given}: lies in the past; give a later day, or never", field="--expires", given=given
        )
    return when


@key_app.command("create")
def key_create(
    authority: Annotated[str, typer.Option(help="The authority, as residents know it.")],
    label: Annotated[str, typer.Option(help="Whose key this is.")],
    max_tier: Annotated[str, typer.Option(help="The highest tier it may send: blue, yellow, orange or red.")],
    area: Annotated[
        Path | None, typer.Option(help="GeoJSON file of where it may warn: polygons, or a collection of them.")
    ] = None,
    anywhere: Annotated[bool, typer.Option("--anywhere", help="It may warn the whole world.")] = False,
    alone: Annotated[
        str,
        typer.Option(help="The highest tier one person may draft and send; above it takes two. none, blue ... red."),
    ] = "yellow",
    actions: Annotated[str, typer.Option(help=f"Joined by commas: {', '.join(ACTIONS)}.")] = ",".join(USUAL),
    senders: Annotated[str, typer.Option(help="CAP senders it may speak for, joined by commas; empty for any.")] = "",
    events: Annotated[str, typer.Option(help="Hazards or event codes, joined by commas; empty for any.")] = "",
    names: Annotated[
        str,
        typer.Option(
            help="Whom its texts may name as their source, joined by commas: these names, and those that begin with one. "
            "Empty: the authority where an area binds the key, else anybody."
        ),
    ] = "",
    owner: Annotated[str, typer.Option(help="The person who answers for it.")] = "",
    expires: Annotated[
        str, typer.Option(help="The last day it opens anything (UTC), or never. Empty: in a year.")
    ] = "",
) -> None:
    """Make an API key; it is shown once. Works beside a running server."""
    chosen, tier = settings(), tier_of(max_tier)
    if tier is None:
        raise fail("--max-tier: give blue, yellow, orange or red")
    if (area is None) != anywhere:
        raise fail("say where it may warn: --area FILE (GeoJSON) or --anywhere, one of the two")
    by_one = tier_of("" if alone == "none" else alone)
    if by_one is None and alone != "none":
        raise fail("--alone: give none, blue, yellow, orange or red")

    async def work() -> str:
        bound = await asyncio.to_thread(surface, area) if area is not None else ""
        async with database_of(chosen) as database:
            return await create_key(
                database,
                name=authority,
                label=label,
                actions=words_of(actions),
                max_tier=tier,
                alone=by_one,
                area=bound,
                senders=words_of(senders),
                events=words_of(events),
                names=words_of(names),
                owner=owner,
                expires_at=end_of(expires, wall()),
            )

    typer.echo(run(work()))


@key_app.command("list")
def key_list() -> None:
    """Name the API keys: id, authority, label, who answers for it, from when to when, what it may do and what binds it."""

    async def work() -> list[GrantedKey]:
        async with database_of(settings()) as database, database.read() as db:
            return await all_keys(db)

    for row in run(work()):
        bounds = [f"senders {', '.join(row.senders)}"] if row.senders else []
        bounds += [f"events {', '.join(row.events)}"] if row.events else []
        bounds += ["an area"] if row.area else []
        bounds += [f"names {', '.join(row.names)}"] if row.names else []
        owner = f" ({row.owner})" if row.owner else ""
        echo(
            f"{row.key_id}  {row.name}, {row.label}{owner}  {_state_of(row)}  {', '.join(row.actions)} "
            f"up to {Tier(row.max_tier).word}, alone {f'up to {Tier(row.alone).word}' if row.alone else 'never'}"
            + (f"; bound to {'; '.join(bounds)}" if bounds else "")
        )


def _state_of(row: GrantedKey) -> str:
    if row.revoked_at is not None:
        return f"REVOKED {iso(row.revoked_at)}"
    if row.expires_at is not None and row.expires_at <= wall():
        return f"EXPIRED {iso(row.expires_at)}"
    until = iso(row.expires_at) if row.expires_at is not None else "revoked"
    return f"since {iso(row.created_at)} until {until}"


@key_app.command("superior")
def key_superior(
    authority: Annotated[str, typer.Argument(metavar="AUTHORITY", help="Whose warnings and sources.")],
    superior: Annotated[
        str, typer.Argument(metavar="SUPERIOR", help="Who may act on them, as far as their keys reach.")
    ],
    reason: Annotated[str, typer.Option(help="Kept in the audit log.")],
) -> None:
    """Name an authority's superior. Both have a key already; it holds at once, beside a running server."""

    async def work() -> None:
        async with database_of(settings()) as database:
            await name_superior(database, authority, superior, actor="command line", reason=reason)

    run(work())
    echo(f"{superior} may act on what is {authority}'s, as far as the keys of {superior} reach")


@key_app.command("revoke")
def key_revoke(
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="Its id, from: tocsin key list")],
    reason: Annotated[str, typer.Option(help="Kept in the audit log.")],
) -> None:
    """Take an API key back: it opens nothing from now on, nor do consoles signed in with it. Works beside a running server."""

    async def work() -> str:
        async with database_of(settings()) as database:
            return await revoke_key(database, key_id, actor="command line", reason=reason)

    echo(f"the key {run(work())!r} opens nothing any more")


CHANNELS = "channels"  # the use of the key that opens what is sealed


def _use(given: str) -> Use:
    """Refused where there is no such key."""
    for use in USES:
        if use == given:
            return use
    raise Refused(f"there is no key {given!r}: use {', '.join((CHANNELS, *USES))}", field="USE", given=given)


async def _keys(database: Database, chosen: Settings, *uses: Use) -> Keys:
    """The keys of this machine, of those that sign only these, with the versions that are accepted now."""
    keys = Keys(chosen.keys_dir, make=False, uses=uses)
    await house_keys.begin(database, keys, uses)
    return keys


@keys_app.command("rotate")
def keys_rotate(
    use: Annotated[str, typer.Argument(metavar="USE", help=f"Which one: {', '.join((CHANNELS, *USES))}.")],
    reason: Annotated[str, typer.Option(help="Kept in the audit log.")],
) -> None:
    """Replace a key while everything runs. The running processes do the rest; what the old one signed goes on."""

    async def channels(chosen: Settings) -> str:
        async with database_of(chosen) as database:
            keys = await _keys(database, chosen, "orders")
            old, new = await rotate(database, keys, actor="command line", reason=reason)
        return f"channels key {old} is being replaced by {new}; see how far it is with: tocsin keys list"

    async def signing(chosen: Settings, chosen_use: Use) -> str:
        async with database_of(chosen) as database:
            keys = await _keys(database, chosen, chosen_use)
            new = await house_keys.rotate(database, keys, chosen_use, actor="command line", reason=reason)
        return f"version {new} of {use} signs as soon as every process holds it; see: tocsin keys list"

    if use == CHANNELS:
        echo(run(channels(settings())))
    else:
        echo(run(signing(settings(), checked(lambda: _use(use)))))


@keys_app.command("end")
def keys_end(
    use: Annotated[str, typer.Argument(metavar="USE", help=f"Which one: {', '.join(USES)}.")],
    version: Annotated[int, typer.Argument(metavar="VERSION", help="Its number, from: tocsin keys list")],
    reason: Annotated[str, typer.Option(help="Kept in the audit log.")],
) -> None:
    """Take back all that a version signed: every link, callback address, cookie, code or order made with it."""

    async def work(chosen: Settings, chosen_use: Use) -> None:
        async with database_of(chosen) as database:
            keys = await _keys(database, chosen, chosen_use)
            await house_keys.end(database, keys, chosen_use, version, actor="command line", reason=reason)

    run(work(settings(), checked(lambda: _use(use))))
    echo(
        f"what version {version} of {use} signed is not accepted any more; delete {use}/{version}.key from every machine"
    )


@keys_app.command("list")
def keys_list() -> None:
    """The keys there were: of channels with how many page keys are wrapped for each; of those that sign, by use."""

    async def work(chosen: Settings) -> tuple[Sequence[tuple[str, str, float, int]], list[house_keys.KeyStanding]]:
        async with database_of(chosen) as database:
            keys = await _keys(database, chosen, "orders")
            return await list_keys(database, keys), await house_keys.standing(database, *USES)

    opening, signing = run(work(settings()))
    for key_id, state, since, pages in opening:
        echo(f"{key_id}  {state:<8} {'since ' + iso(since) if since else 'from the start'}  {pages} page keys")
    for row, lacking in signing:
        waits = f"  not yet held by {', '.join(lacking)}" if lacking else ""
        echo(f"{row.use:<10} {row.version:>3}  {row.state:<8} since {iso(row.since)}{waits}")
