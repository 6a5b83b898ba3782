"""`tocsin clock`: how far the machine's clock is from the time Tocsin goes by, and a person's word that it is right."""

from __future__ import annotations

from typing import Annotated

import typer

from services.commands.kit import database_of, echo, run, settings
from services.shared import alarms
from services.shared.operations.clock_watch import accept

app = typer.Typer(no_args_is_help=True)


@app.command("show")
def show() -> None:
    """What is said of the clocks now."""

    async def work() -> list[alarms.Alarm]:
        async with database_of(settings()) as database, database.read() as db:
            return await alarms.standing(db, "clock")

    found = run(work())
    for row in found:
        echo(row.said)
    if not found:
        echo("no clock is off by more than five seconds, as far as running processes have said")


@app.command("accept")
def accepted(reason: Annotated[str, typer.Option(help="Kept in the audit log.")]) -> None:
    """Say that the clock is right now: deadlines go by it from the next second on. Works beside a running server.

    What falls due or expires by it does so at once: look at the live page first.
    """

    async def work() -> None:
        async with database_of(settings()) as database:
            await accept(database, "command line", reason)

    run(work())
    echo("taken: every running process goes by its clock from now on")
