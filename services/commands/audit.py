"""`tocsin audit`: the public key, exports, and whether one stands as it was written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.commands.kit import checked, database_of, echo, fail, on_sqlite, read_file, run, settings
from services.shared.audit.audit_export import Verified, export, verify_export
from services.shared.audit.audit_head import Head, HeadFile, accept, read_head
from services.shared.audit.checkpoints import Signing
from services.shared.clock import iso
from services.shared.crypto.sealing import Keys
from services.shared.errors import Broken, Refused
from services.shared.settings import Settings

app = typer.Typer(no_args_is_help=True)


@app.command("key")
def audit_key() -> None:
    """Print the public key that audit exports are verified with; give it to auditors before they need it."""
    chosen = settings()
    typer.echo(checked(lambda: Signing(Keys(chosen.keys_dir, make=on_sqlite(chosen)).audit).public))


@app.command("export")
def audit_export(file: Annotated[Path, typer.Argument(help="A new file.")]) -> None:
    """Write the whole audit log with its signed checkpoints into a file. Works beside running servers."""

    async def work(chosen: Settings) -> Verified:
        async with database_of(chosen) as database:
            key = Signing(Keys(chosen.keys_dir, make=on_sqlite(chosen)).audit)
            heads = HeadFile(chosen.audit_head, key)
            return await export(database, key, file, chosen.plane, "command line", heads)

    made = run(work(settings()))
    if made.broken:
        echo(f"{file} DOES NOT HOLD: {made.broken}", err=True)
        raise typer.Exit(1)
    echo(f"{file}: entries 1 to {made.n}, {made.checkpoints} checkpoints, signed {iso(made.at)}")


@app.command("accept")
def audit_accept(
    reason: Annotated[str, typer.Option(help="Why it stands otherwise, e.g. which backup was put back.")],
) -> None:
    """Go on from the audit log as it stands, after a backup was put back. Run it on each machine that has a gateway."""

    async def work(chosen: Settings) -> Head:
        async with database_of(chosen) as database:
            key = Signing(Keys(chosen.keys_dir, make=on_sqlite(chosen)).audit)
            return await accept(database, key, HeadFile(chosen.audit_head, key), "command line", reason)

    if len(reason.strip()) < 2:
        raise fail("--reason: say in a few words why; it is kept in the log")
    head = run(work(settings()))
    echo(f"the audit log goes on from entry {head.n}, which says that you accepted it")


@app.command("verify")
def audit_verify(
    file: Annotated[Path, typer.Argument(help="An export.")],
    public_key: Annotated[str, typer.Option(help="64 hex digits from `tocsin audit key`, or a file with them.")],
    earlier: Annotated[
        Path | None, typer.Option(help="An older export of the same log, which this must continue.")
    ] = None,
    head: Annotated[
        Path | None, typer.Option(help="A gateway's audit/head.json, of the same day or older, which this must hold.")
    ] = None,
) -> None:
    """Does an export stand as it was written? Needs the file and the public key alone; exit 1 where it does not."""
    given = Path(public_key)
    key = read_file(given).decode(errors="replace") if len(public_key) != 64 or given.is_file() else public_key

    def walk(one: Path, before: Verified | None) -> Verified:
        try:
            with one.open("rb") as opened:
                return verify_export(opened, key, before)
        except OSError as problem:
            raise Refused(f"{one}: {problem.strerror}; give a file that can be read", field="FILE") from problem
        except Broken as fault:
            echo(f"{one} DOES NOT HOLD: {fault.message}", err=True)
            raise typer.Exit(1) from fault

    def seen(one: Path) -> Verified:
        kept = read_head(read_file(one), key, str(one))
        return Verified(kept.n, kept.hash, kept.at, 0)

    def whole() -> Verified:
        found = walk(file, walk(earlier, None) if earlier else None)
        return walk(file, seen(head)) if head else found

    found = checked(whole)
    echo(f"{file} holds: entries 1 to {found.n} stood so on {iso(found.at)}, {found.checkpoints} checkpoints")
    echo("what was recorded after that no export can show: ask for a new one, and keep this one to compare it with")
