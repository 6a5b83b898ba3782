"""The `tocsin` command: serve, demo, and what an operator does to an installation; the rest is in `commands`."""

from __future__ import annotations

import json
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from typer.main import get_command

from services.commands import warnings
from services.commands.kit import (
    DEFAULT_URL,
    USAGE,
    checked,
    echo,
    fail,
    held,
    on_sqlite,
    reachable,
    read_file,
    run,
    settings,
    stand_ins,
    tier_of,
    words_of,
)
from services.commands.lazy_group import lazy_group
from services.commands.typer_words import in_own_words, wrong_call
from services.commands.variables import unknown_variables
from services.shared import i18n
from services.shared.crypto.private_files import write_privately
from services.shared.crypto.sealing import Keys
from services.shared.errors import Fault
from services.shared.i18n import mark, t
from services.shared.telemetry import configure

app = typer.Typer(
    help="Warnings that reach everyone: takes a CAP alert in and gives each resident a path that ends, if nothing else "
    "worked, at the door.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="Exit codes: 0 done; 1 the answer was no, or something is not sound; 2 the words or settings are wrong; 3 nobody "
    "answers (server or database).",
)
GROUPS = {
    "cap": ("cap:app", mark("Read CAP alerts.")),
    "registry": ("registry:app", mark("The register of people.")),
    "policy": ("policy:app", mark("The rules that give each person a path.")),
    "texts": ("texts:app", mark("The sentences messages are made of.")),
    "key": ("keys:key_app", mark("API keys and what they may do.")),
    "user": ("users:app", mark("People of the authorities: whom there is, and what each may do.")),
    "keys": ("keys:keys_app", mark("The key that opens sealed addresses, and those that sign.")),
    "webhook": ("webhooks:app", mark("Departments that are told what is released.")),
    "audit": ("audit:app", mark("Who did what, and proof that it stands as it was written.")),
    "clock": ("clock:app", mark("The time Tocsin goes by, where a machine's clock was set.")),
    "deploy": ("deploy:app", mark("What each service may do with the database and the broker.")),
    "dead": ("dead:app", mark("Messages no service could handle.")),
}
app.add_typer(warnings.app)
for name, (place, words) in GROUPS.items():
    app.add_typer(lazy_group(f"services.commands.{place}", words), name=name)
USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]  # typer keeps its name for it to itself
Upstreams = Annotated[str, typer.Option(metavar="HOST:PORT,...", help="Where its processes listen.")]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tocsin {version('tocsin')}")
        raise typer.Exit


@app.callback()
def every(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Which release this is.")
    ] = False,
) -> None:
    """What every command shares: what it writes is its owner's alone."""
    write_privately()


@app.command()
def serve(
    service: Annotated[
        list[str] | None,
        typer.Argument(help="gateway, registry, router or channels; several, or none for all four in one process."),
    ] = None,
) -> None:
    """Serve: all four services in one process on SQLite, or those named on PostgreSQL and RabbitMQ.

    TOCSIN_DATABASE_URL and TOCSIN_AMQP_URL choose; any number of processes of each service may run.
    """
    from services.roles import check_roles
    from services.run import serve as run_server

    chosen = settings()
    roles = checked(lambda: check_roles(service or (), chosen))
    configure(chosen.log_level)
    for sentence in unknown_variables().values():
        echo(f"tocsin: {sentence}", err=True)
    run(run_server(chosen, roles))


@app.command()
def routes() -> None:
    """Print every address: what it asks of who calls, and what binds the object it is about."""
    from services.commands.routes import print_routes

    print_routes()


@app.command()
def demo(
    alert: Annotated[Path | None, typer.Option(help="A CAP file; ours for a fictional county if left out.")] = None,
    people: Annotated[int, typer.Option(min=1, max=100_000, help="How many people live there.")] = 2000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same figures.")] = 1,
    tier: Annotated[str, typer.Option(help="Decides the tier: blue, yellow, orange or red.")] = "",
    lead: Annotated[
        float | None,
        typer.Option(min=1, max=1440, help="Minutes from the release to the impact; the alert's if left out."),
    ] = None,
    at: Annotated[str, typer.Option(help="Local time of the release, like 02:30; the alert's if left out.")] = "",
    registered: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Share of households in the register: 0.3, unless another is given."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object, nothing else; discrete-event time.")
    ] = False,
    rate: Annotated[
        float, typer.Option(min=0, help="Warning seconds a second while watching; 0 for no pacing.")
    ] = 900.0,
) -> None:
    """Warn a fictional community around an alert, with simulated phones and officers, and show who was reached."""
    with stand_ins():
        from services.demo import run_demo
        from services.sim.habits import Habits
        from services.sim.timing import moved
    from services.demo_view import View, example_alert

    configure("ERROR")
    data = moved(read_file(alert) if alert else example_alert(), at, lead)
    chosen = tier_of(tier)
    share = Habits().registered if registered is None else registered
    if as_json:
        result = run(run_demo(data, people=people, seed=seed, tier=chosen, registered=share))
        sys.stdout.write(json.dumps(result.figures, ensure_ascii=False) + "\n")
        return
    with View(str(alert or t("a flash flood in the fictional county of Qingshui")), people) as view:
        result = run(
            run_demo(data, people=people, seed=seed, tier=chosen, registered=share, rate=rate, watch=view.show)
        )
    view.summary(result)


@app.command("try")
def try_it(
    people: Annotated[int, typer.Option(min=1, max=20_000, help="How many people live there.")] = 500,
    seed: Annotated[int, typer.Option(help="The same seed, the same people.")] = 1,
) -> None:
    """Try it: a console with fictional people, phones to look at and an alert of today that waits to be sent.

    A drill on this machine alone; Ctrl-C ends it and throws everything away.
    """
    with stand_ins():
        from services.trial import Trial, run_trial

    def ready(here: Trial) -> None:
        echo(
            f"""Tocsin is running, with a fictional county of {here.people} people. It is a drill: nothing leaves this machine.

  console   {here.console}
  key       {here.key}
  phones    {here.phones}     every text, call and mail as it arrives; answer as any phone

1. Open the console, paste the key, sign in.   2. Open the flash flood that waits, look whom it reaches, press Send RED.
3. Watch the live page; open a phone and text 2 back: somebody needs help.   Ctrl-C ends it and throws everything away."""
        )
        sys.stdout.flush()

    configure("ERROR")
    run(run_trial(people, seed, ready))


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8090,
    target: Annotated[str, typer.Option(help="The Tocsin server whose callbacks it calls.")] = DEFAULT_URL,
    limit_per_second: Annotated[float, typer.Option(min=0, help="Answers at most so many requests a second.")] = 0,
    fault: Annotated[list[str] | None, typer.Option(help="MODE=SHARE, e.g. 5xx=0.1; may be repeated.")] = None,
    account_sid: str = "AC00000000000000000000000000000000",
    auth_token: str = "sandbox",  # noqa: S107  the stand-in's own, printed below
    smtp_port: int = 0,
) -> None:
    """A stand-in for the SMS and voice provider, with phones that answer; prints the settings Tocsin needs for it."""
    with stand_ins():
        from services.sim.world import World, serve_sandbox

    def ready(world: World) -> None:
        for variable, value in world.environment.items():
            typer.echo(f"export {variable}={value}")
        sys.stdout.flush()

    configure("WARNING")
    rates = {}
    for one in fault or []:
        mode, _, share = one.partition("=")
        try:
            rates[mode] = float(share)
        except ValueError as wrong:
            raise fail(f"--fault {one}: give MODE=SHARE, like 5xx=0.1") from wrong
    run(
        serve_sandbox(
            "127.0.0.1", port, target, limit_per_second=limit_per_second, faults=rates, account_sid=account_sid,
            auth_token=auth_token, smtp_port=smtp_port, ready=ready,
        )
    )  # fmt: skip


@app.command()
def migrate(
    roles: Annotated[
        Path | None,
        typer.Option(
            help="PostgreSQL: also give the role of each service what it needs and no more; the folder of their "
            "passwords, postgres_gateway, postgres_registry, postgres_router, postgres_channels."
        ),
    ] = None,
) -> None:
    """Bring the database to the newest schema (on SQLite the server is stopped)."""
    from services import migrations
    from services.commands.deploy import give_roles

    chosen = settings()

    def work() -> None:
        with held(chosen):
            migrations.upgrade(chosen.resolved_database_url)
        if roles is not None:
            give_roles(chosen, roles)

    checked(work)
    echo("the schema is the newest")


@app.command()
def check() -> None:
    """Is this installation sound? Settings, database, plane, keys, policy, channels, audit chain."""
    from services.check import check_installation

    chosen = settings()
    if not on_sqlite(chosen):  # looked for first: no key that other processes hold is made by looking
        keys = Keys(chosen.keys_dir, make=False)
        checked(lambda: (*map(keys.ring, keys.uses), keys.index, keys.public, keys.private, keys.audit))
    lines, sound = run(check_installation(chosen))
    for told in unknown_variables().values():
        misspelt = told.endswith("?")
        sound = sound and not misspelt
        lines.append(f"{'NOT SOUND: ' if misspelt else ''}{told}")
    for line in lines:
        echo(line)
    raise typer.Exit(0 if sound else 1)


@app.command()
def ready(url: Annotated[str, typer.Option(help="The process; the one of these settings if left out.")] = "") -> None:
    """Is the running process ready to be sent requests? Exit 0 if it is; else 1, and what is wrong."""
    from services.shared.operations.health import ask

    chosen = settings()
    wrong = run(ask(url or f"http://{reachable(chosen.host)}:{chosen.port}"))
    for line in wrong:
        echo(line, err=True)
    raise typer.Exit(1 if wrong else 0)


@app.command()
def proxy(
    gateway: Upstreams = "127.0.0.1:8080",
    registry: Upstreams = "127.0.0.1:8080",
    router: Upstreams = "127.0.0.1:8080",
    channels: Upstreams = "127.0.0.1:8080",
    site: Annotated[str, typer.Option(help="Where people reach us, e.g. https://warn.example.org.")] = ":8081",
) -> None:
    """Print the Caddyfile that puts the services behind one address."""
    from services.shared.web.proxy_file import caddyfile

    upstreams = {"gateway": gateway, "registry": registry, "router": router, "channels": channels}
    given = {service: words_of(text) for service, text in upstreams.items()}
    typer.echo(checked(lambda: caddyfile(given, site)), nl=False)


def main() -> None:
    """Entry of the console script; the event loop is uvloop where there is one."""
    if os.environ.get("TOCSIN_UVLOOP", "1") == "1":
        import uvloop

        uvloop.install()
    i18n.speak(i18n.of_process(os.environ.items()))
    if len(sys.argv) == 1:
        sys.argv.append("--help")
    try:
        command = get_command(app)
        in_own_words(command)
        code = command(standalone_mode=False, prog_name="tocsin")
    except USAGE_ERROR as wrong:  # an option or argument that is not known or missing: one sentence, like every fault
        typer.echo(f"tocsin: {wrong_call(wrong)}", err=True)
        sys.exit(USAGE)
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(130)
    except Fault as fault:
        typer.echo(f"tocsin: {i18n.told(fault.message)}", err=True)
        sys.exit(USAGE)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
