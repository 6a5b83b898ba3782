"""`tocsin key` and `tocsin keys`: API keys, and the key that opens sealed addresses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from services.commands.kit import database_of, echo, fail, read_file, run, settings, tier_of, words_of
from services.shared.clock import iso
from services.shared.crypto.channels_keys import list_keys, rotate
from services.shared.crypto.sealing import Keys
from services.shared.powers.who import ACTIONS, USUAL
from services.shared.settings import Settings
from services.shared.tiers import Tier
from services.shared.web.auth import GrantedKey, all_keys, create_key, revoke_key

key_app = typer.Typer(no_args_is_help=True)
keys_app = typer.Typer(no_args_is_help=True)


@key_app.command("create")
def key_create(
    authority: Annotated[str, typer.Option(help="The authority, as residents know it.")],
    label: Annotated[str, typer.Option(help="Whose key this is.")],
    max_tier: Annotated[str, typer.Option(help="The highest tier it may send.")] = "red",
    alone: Annotated[
        str,
        typer.Option(help="The highest tier one person may draft and send; above it takes two. none, blue ... red."),
    ] = "yellow",
    actions: Annotated[str, typer.Option(help=f"Joined by commas: {', '.join(ACTIONS)}.")] = ",".join(USUAL),
    area: Annotated[Path | None, typer.Option(help="GeoJSON geometry it is bound to.")] = None,
    senders: Annotated[str, typer.Option(help="CAP senders it may speak for, joined by commas; empty for any.")] = "",
    events: Annotated[str, typer.Option(help="Hazards or event codes, joined by commas; empty for any.")] = "",
) -> None:
    """Make an API key; it is shown once. Works beside a running server."""
    chosen, tier = settings(), tier_of(max_tier)
    if tier is None:
        raise fail("--max-tier: give blue, yellow, orange or red")
    by_one = tier_of("" if alone == "none" else alone)
    if by_one is None and alone != "none":
        raise fail("--alone: give none, blue, yellow, orange or red")
    bound = read_file(area).decode() if area else ""

    async def work() -> str:
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
            )

    typer.echo(run(work()))


@key_app.command("list")
def key_list() -> None:
    """Name the API keys: id, authority, label, since when, what it may do and up to which tier, and what binds it."""

    async def work() -> list[GrantedKey]:
        async with database_of(settings()) as database, database.read() as db:
            return await all_keys(db)

    for row in run(work()):
        bounds = [f"senders {', '.join(row.senders)}"] if row.senders else []
        bounds += [f"events {', '.join(row.events)}"] if row.events else []
        bounds += ["an area"] if row.area else []
        state = f"REVOKED {iso(row.revoked_at)}" if row.revoked_at else f"since {iso(row.created_at)}"
        echo(
            f"{row.key_id}  {row.name}, {row.label}  {state}  {', '.join(row.actions)} up to {Tier(row.max_tier).word}, "
            f"alone {f'up to {Tier(row.alone).word}' if row.alone else 'never'}"
            + (f"; bound to {'; '.join(bounds)}" if bounds else "")
        )


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


@keys_app.command("rotate")
def keys_rotate(
    reason: Annotated[str, typer.Option(help="Kept in the audit log.")],
) -> None:
    """Replace the key that opens sealed addresses, while everything runs; the channels processes do the rest."""

    async def work(chosen: Settings) -> tuple[str, str]:
        async with database_of(chosen) as database:
            return await rotate(database, Keys(chosen.keys_dir, make=False), actor="command line", reason=reason)

    old, new = run(work(settings()))
    echo(f"channels key {old} is being replaced by {new}; see how far it is with: tocsin keys list")


@keys_app.command("list")
def keys_list() -> None:
    """The channels keys there were: id, state, since when, and how many page keys are wrapped for each."""

    async def work(chosen: Settings) -> Sequence[tuple[str, str, float, int]]:
        async with database_of(chosen) as database:
            return await list_keys(database, Keys(chosen.keys_dir, make=False))

    for key_id, state, since, pages in run(work(settings())):
        echo(f"{key_id}  {state:<8} {'since ' + iso(since) if since else 'from the start'}  {pages} page keys")
