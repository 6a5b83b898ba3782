"""`tocsin webhook`: departments that are told what is released, updated and ended."""

from __future__ import annotations

from typing import Annotated

import typer

from services.commands.kit import checked, database_of, echo, run, settings, words_of
from services.shared.crypto.sealing import Keys

app = typer.Typer(no_args_is_help=True)
BY = "command line"
Name = Annotated[str, typer.Argument(metavar="NAME", help="What the department is called here.")]


@app.command("add")
def webhook_add(
    name: Name,
    url: Annotated[str, typer.Argument(metavar="URL", help="Where it is told, by POST over https.")],
    events: Annotated[str, typer.Option(help="Joined by commas: released, updated, ended; empty for all.")] = "",
    private: Annotated[bool, typer.Option("--private", help="It lies in our own network, and may speak http.")] = False,
) -> None:
    """Tell a department from now on what is released, updated or ended. Give it the key of `tocsin webhook key`."""
    from services.gateway.webhooks.webhook_store import add

    async def work() -> None:
        async with database_of(settings()) as database:
            await add(database, name, url, words_of(events), private=private, actor=BY)

    run(work())
    echo(f"{name} is told from now on; give it the public key: tocsin webhook key")


@app.command("list")
def webhook_list() -> None:
    """Name who is told, the last time, what waits and what went wrong. Works beside running servers."""
    from services.gateway.webhooks.webhook_store import webhook_lines

    async def work() -> list[str]:
        async with database_of(settings()) as database:
            return await webhook_lines(database)

    found = run(work())
    if not found:
        echo("no department is told by webhook", err=True)
    for line in found:
        echo(line)


@app.command("remove")
def webhook_remove(
    name: Name,
    reason: Annotated[str, typer.Option(help="Kept in the audit log.")],
) -> None:
    """Tell a department nothing any more, also not what waits for it."""
    from services.gateway.webhooks.webhook_store import remove

    async def work() -> None:
        async with database_of(settings()) as database:
            await remove(database, name, actor=BY, reason=reason)

    run(work())
    echo(f"{name} is told nothing any more")


@app.command("key")
def webhook_key() -> None:
    """Print the public key that departments check our signatures by, as PEM; its id is the signature's keyid."""
    from services.gateway.webhooks.signing import WebhookSigner

    signer = checked(lambda: WebhookSigner(Keys(settings().keys_dir, make=False).audit))
    typer.echo(signer.public_pem, nl=False)
    echo(f"keyid {signer.key_id}", err=True)
