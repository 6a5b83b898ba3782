"""`tocsin dead`: messages no service could handle."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import sqlalchemy as sa
import typer

from services.commands.kit import database_of, echo, run, settings
from services.shared.bus.outbox import dead_letter
from services.shared.bus.outbox import replay as show_again
from services.shared.clock import iso
from services.shared.database.rows import columns, rows_of

app = typer.Typer(no_args_is_help=True)


class Letter(NamedTuple):
    """A message that was put aside."""

    at: float
    tier: int
    topic: str
    consumer: str
    msg_id: str
    reason: str


@app.command("list")
def dead_list() -> None:
    """Name the messages that were put aside: when, tier, what, for whom, why. Works beside running servers."""

    async def work() -> list[Letter]:
        async with database_of(settings()) as database, database.read() as db:
            letters = sa.select(*columns(Letter, dead_letter)).order_by(dead_letter.c.tier.desc(), dead_letter.c.at)
            return await rows_of(db, Letter, letters)

    found = run(work())
    if not found:
        echo("no message was put aside", err=True)
    for row in found:
        echo(f"{iso(row.at)}  tier {row.tier}  {row.topic} for {row.consumer}  {row.msg_id}  {row.reason}")


@app.command("replay")
def dead_replay(
    message: Annotated[str, typer.Argument(metavar="MESSAGE", help="Its id, from: tocsin dead list")],
    consumer: Annotated[str, typer.Argument(metavar="SERVICE", help="Who could not handle it.")],
    reason: Annotated[str, typer.Option(help="Why it will do now; for the audit log.")],
) -> None:
    """Show a message that was put aside to its service again. What is committed decides; nothing is sent twice by it."""

    async def work() -> None:
        async with database_of(settings()) as database:
            await show_again(database, message, consumer, actor="command line", reason=reason)

    run(work())
    echo(f"{consumer} is shown {message} again")
