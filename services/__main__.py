"""The `tocsin` command: serve, demo, and what an operator does beside them."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import rich
import rich.console
import rich.table
import sqlalchemy as sa
import typer

from services import migrations
from services.lazy_group import lazy_group
from services.registry_cli import Tools, add_commands
from services.shared.auth import ACTIONS, USUAL, create_key
from services.shared.clock import iso
from services.shared.db import Database, FileLock
from services.shared.errors import Broken, Fault, Refused
from services.shared.instance import check_plane
from services.shared.outbox import dead_letter, replay
from services.shared.sealing import Keys
from services.shared.settings import Settings
from services.shared.telemetry import configure
from services.shared.tier import TIER_WORDS, Tier

app = typer.Typer(
    help="Warnings that reach everyone: takes a CAP alert in and gives each resident a path that ends, if nothing else "
    "worked, at the door.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
)
cap_app = typer.Typer(help="Read CAP alerts.", no_args_is_help=True)
registry_app = typer.Typer(help="The register of people.", no_args_is_help=True)
key_app = typer.Typer(help="API keys and what they may do.", no_args_is_help=True)
keys_app = typer.Typer(help="The key that opens sealed addresses.", no_args_is_help=True)
audit_app = typer.Typer(help="Who did what, and proof that it stands as it was written.", no_args_is_help=True)
dead_app = typer.Typer(help="Messages no service could handle.", no_args_is_help=True)
policy_app = lazy_group("services.policy_cli", "The rules that give each person a path.")
texts_app = lazy_group("services.texts_cli", "The sentences messages are made of.")
for name, sub in (
    ("cap", cap_app),
    ("registry", registry_app),
    ("policy", policy_app),
    ("texts", texts_app),
    ("key", key_app),
    ("keys", keys_app),
    ("audit", audit_app),
    ("dead", dead_app),
):
    app.add_typer(sub, name=name)

Url = Annotated[str, typer.Option(envvar="TOCSIN_URL", help="The running server.")]
Key = Annotated[str, typer.Option(envvar="TOCSIN_KEY", help="An API key, from: tocsin key create.")]
USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]  # typer keeps its name for it to itself
Language = Annotated[str, typer.Option(envvar="TOCSIN_LANG", help="The language of findings: en or zh.")]
DEFAULT_URL = "http://127.0.0.1:8080"
Upstreams = Annotated[str, typer.Option(metavar="HOST:PORT,...", help="Where its processes listen.")]


def settings() -> Settings:
    """Settings from the environment; Refused names the variable that is wrong."""
    return Settings()


def read_file(path: Path) -> bytes:
    """A file's bytes; Refused where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as problem:
        raise Refused(f"{path}: {problem.strerror}; give a file that can be read", field="FILE") from problem


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
    from services.run import check_roles
    from services.run import serve as run_server

    chosen = settings()
    roles = _checked(lambda: check_roles(service or (), chosen))
    configure(chosen.log_level)
    _run(run_server(chosen, roles))


@app.command()
def demo(
    alert: Annotated[Path | None, typer.Option(help="A CAP file; ours for a fictional county if left out.")] = None,
    people: Annotated[int, typer.Option(min=1, max=100_000, help="How many people live there.")] = 2000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same figures.")] = 1,
    tier: Annotated[str, typer.Option(help="Decides the tier: blue, yellow, orange or red.")] = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object, nothing else; discrete-event time.")
    ] = False,
    rate: Annotated[
        float, typer.Option(min=0, help="Warning seconds a second while watching; 0 for no pacing.")
    ] = 900.0,
) -> None:
    """Warn a fictional community around an alert, with simulated phones and officers, and show who was reached."""
    from services.demo import run_demo
    from services.demo_view import View, example_alert

    configure("ERROR")
    data = read_file(alert) if alert else example_alert()
    chosen = _tier(tier)
    if as_json:
        result = _run(run_demo(data, people=people, seed=seed, tier=chosen))
        sys.stdout.write(json.dumps(result.figures, ensure_ascii=False) + "\n")
        return
    with View(str(alert or "a flash flood in the fictional county of Qingshui"), people) as view:
        result = _run(run_demo(data, people=people, seed=seed, tier=chosen, rate=rate, watch=view.show))
    view.summary(result)


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
            raise _fail(f"--fault {one}: give MODE=SHARE, like 5xx=0.1") from wrong
    _run(
        serve_sandbox(
            "127.0.0.1", port, target, limit_per_second=limit_per_second, faults=rates, account_sid=account_sid,
            auth_token=auth_token, smtp_port=smtp_port, ready=ready,
        )
    )  # fmt: skip


@app.command()
def warn(
    file: Annotated[Path, typer.Argument(help="A CAP file, or JSON (.json).")],
    tier: Annotated[str, typer.Option(help="Decides the tier of a held warning.")] = "",
    doors: Annotated[str, typer.Option(help="The commander's word: safe or unsafe; empty asks later.")] = "",
    draft: Annotated[bool, typer.Option("--draft", help="Keep it as a draft to look at in the console.")] = False,
    idempotency_key: Annotated[str, typer.Option(help="The same key sends once.")] = "",
    url: Url = DEFAULT_URL,
    key: Key = "",
) -> None:
    """Send a warning through the running server."""
    chosen = _tier(tier)
    if doors not in ("", "safe", "unsafe"):
        raise _fail(f"--doors {doors}: use safe or unsafe")
    body = read_file(file)
    content = "application/json" if file.suffix == ".json" else "application/cap+xml"
    headers = {"Content-Type": content} | ({"Idempotency-Key": idempotency_key} if idempotency_key else {})
    release = "false" if draft or chosen else "true"
    taken = _run(
        call("POST", url, key, f"/api/v1/warnings?strict=false&release={release}&doors={doors}", body, headers)
    )
    if chosen and not draft and taken["state"] in ("draft", "held"):
        decision = {"tier": chosen.word, "doors": doors or None, "reason": "decided on the command line"}
        taken |= _run(call("POST", url, key, f"/api/v1/warnings/{taken['warning_id']}/release", decision))
    typer.echo(f"{taken['warning_id']} is {taken['state']}" + (f", {taken['tier']}" if taken["tier"] else ""))
    for note in taken["notes"]:
        typer.echo(f"  note: {note}")
    if taken["state"] == "held":
        typer.echo(
            f"  held: decide its tier with  tocsin warn {file} --tier orange  or at {url}/live/{taken['warning_id']}/preview"
        )
    else:
        typer.echo(f"  watch it: {url}/live/{taken['warning_id']}")


@app.command()
def cancel(
    warning_id: str,
    ending: Annotated[
        str, typer.Option(help="danger_lower_stay_away, may_return, sent_by_mistake, checking, not_ours.")
    ],
    reason: Annotated[str, typer.Option(help="Kept in the audit log.")],
    url: Url = DEFAULT_URL,
    key: Key = "",
) -> None:
    """Stop what has not gone out and tell everybody who may have got it."""
    body = {"ending": ending, "reason": reason}
    taken = _run(call("POST", url, key, f"/api/v1/warnings/{warning_id}/cancel", body))
    typer.echo(f"stopped; the ending is {taken['warning_id']} ({taken['state']})")


@app.command()
def status(
    warning_id: Annotated[str, typer.Argument(help="The warning; none with --roads.")] = "",
    roads: Annotated[bool, typer.Option("--roads", help="How each road and its providers stand.")] = False,
    as_json: Annotated[bool, typer.Option("--json")] = False,
    url: Url = DEFAULT_URL,
    key: Key = "",
) -> None:
    """Who was reached, by group and road, and who is missing; or how the roads stand."""
    from services.demo_view import coverage_tables, road_table

    if roads is bool(warning_id):
        raise _fail("give a warning's id, or --roads")
    if roads:
        stand = _run(call("GET", url, key, "/roads/state"))
        if as_json:
            typer.echo(json.dumps(stand, ensure_ascii=False))
        else:
            rich.print(road_table(stand))
        return
    found = _run(call("GET", url, key, f"/report/{warning_id}/coverage"))
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    rich.print(f"{found['state']}, doors {found['doors']}: {found['open']} open of {found['targeted']} targeted")
    for table in coverage_tables(found):
        rich.print(table)


@app.command()
def path(
    warning_id: str,
    person_id: str,
    plain: Annotated[bool, typer.Option("--plain", help="As the person is told it.")] = False,
    lang: Language = "en",
    url: Url = DEFAULT_URL,
    key: Key = "",
) -> None:
    """One person's path in words: each try with what became of it and why, each road left out with its reason."""
    found = _run(call("GET", url, key, f"/report/{warning_id}/path/{person_id}?lang={_lang(lang)}"))
    for line in found["plain" if plain else "lines"]:
        typer.echo(line)


@app.command()
def cases(
    warning_id: str,
    as_json: Annotated[bool, typer.Option("--json")] = False,
    url: Url = DEFAULT_URL,
    key: Key = "",
) -> None:
    """Calls for help and questions that are open, worst first: since when, whose, and the seconds left on the clock."""
    found = _run(call("GET", url, key, f"/report/{warning_id}/cases"))
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    standing = [c for c in found["cases"] if c["state"] != "closed"]
    for c in standing:
        whose = c["owner"] or (f"pair {c['pair'][:8]}" if c["pair"] else "NO OWNER")
        left = "" if c["left"] is None else f", {c['left']} s left" if not c["late"] else f", told {c['told']} times"
        about = c["person_id"][:8] or "an officer"
        typer.echo(f"{c['kind']} {about}, {c['waiting_s'] // 60} min: {whose}{left}")
        for said in (h["words"] for h in c["history"] if h["what"] == "text" and h["words"]):
            typer.echo(f"  {said!r}")
    typer.echo(f"{found['totals']['open']} open; take, answer or close them at {url}/live/{warning_id}/cases")


@cap_app.command("check")
def cap_check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line a file.")] = False,
    lang: Language = "en",
) -> None:
    """A verdict on each file: accept, repair, quarantine or reject, with every finding; exit 1 if any is refused."""
    from services.gateway.cap_check import check, in_words

    refused = False
    for file in files:
        found = check(str(file), read_file(file), lang=_lang(lang))
        refused = refused or found["verdict"] in ("quarantine", "reject")
        typer.echo(json.dumps(found, ensure_ascii=False) if as_json else in_words(found))
    raise typer.Exit(1 if refused else 0)


@cap_app.command("show")
def cap_show(file: Path, lang: Language = "en") -> None:
    """An alert as a person reads it: what it means here, every block, and what is wrong with it."""
    from services.gateway.cap_show import show
    from services.gateway.trust import Pins

    console = rich.console.Console()
    for part in _checked(lambda: show(str(file), read_file(file), Pins(settings().cap_keys), lang=_lang(lang))):
        console.print(part)


@cap_app.command("feed")
def cap_feed(
    source: Annotated[str, typer.Argument(metavar="URL-or-FILE")],
    private: Annotated[bool, typer.Option("--private", help="The host may lie in a private network.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line an alert.")] = False,
    lang: Language = "en",
) -> None:
    """Read a feed once, as it would be polled, and say a verdict on each alert; takes nothing in."""
    from services.gateway.cap_check import in_words
    from services.gateway.feed_look import look_at

    data = None if source.startswith(("http://", "https://")) else read_file(Path(source))
    refused = False
    for found in _run(look_at(source, data, private=private, lang=_lang(lang))):
        refused = refused or found["verdict"] in ("quarantine", "reject")
        typer.echo(json.dumps(found, ensure_ascii=False) if as_json else in_words(found))
    raise typer.Exit(1 if refused else 0)


@registry_app.command("sample")
def registry_sample(
    around: Annotated[Path, typer.Option(help="A CAP file: the community lives in its area.")],
    people: Annotated[int, typer.Option(min=1, max=1_000_000)] = 2000,
    seed: int = 1,
) -> None:
    """Mint a fictional community around an alert into this installation's register (offline: the server is stopped)."""
    from services.gateway.incoming import from_cap
    from services.registry.sample import import_community, mint

    incoming = from_cap(read_file(around), strict=False)
    chosen = settings()

    async def work() -> int:
        with _held(chosen):
            community = mint(incoming.area, incoming.geocodes, people=people, seed=seed)
            async with _database(chosen) as database:
                await import_community(database, Keys(chosen.keys_dir, make=_on_sqlite(chosen)), community)
        return len(community.people)

    typer.echo(f"{_run(work())} fictional people live around {around.name} now")


@key_app.command("create")
def key_create(
    authority: Annotated[str, typer.Option(help="The authority, as residents know it.")],
    label: Annotated[str, typer.Option(help="Whose key this is.")],
    max_tier: Annotated[str, typer.Option(help="The highest tier it may send.")] = "red",
    actions: Annotated[str, typer.Option(help=f"Joined by commas: {', '.join(ACTIONS)}.")] = ",".join(USUAL),
    area: Annotated[Path | None, typer.Option(help="GeoJSON geometry it is bound to.")] = None,
    senders: Annotated[str, typer.Option(help="CAP senders it may speak for, joined by commas; empty for any.")] = "",
    events: Annotated[str, typer.Option(help="Hazards or event codes, joined by commas; empty for any.")] = "",
) -> None:
    """Make an API key; it is shown once. Works beside a running server."""
    chosen, tier = settings(), _tier(max_tier)
    if tier is None:
        raise _fail("--max-tier: give blue, yellow, orange or red")
    bound = read_file(area).decode() if area else ""

    async def work() -> str:
        async with _database(chosen) as database:
            return await create_key(
                database,
                name=authority,
                label=label,
                actions=_words(actions),
                max_tier=tier,
                area=bound,
                senders=_words(senders),
                events=_words(events),
            )

    typer.echo(_run(work()))


@keys_app.command("rotate")
def keys_rotate(
    reason: Annotated[str, typer.Option(help="Kept in the audit log.")],
) -> None:
    """Replace the key that opens sealed addresses, while everything runs; the channels processes do the rest."""
    from services.shared.sealing_keys import rotate

    async def work(chosen: Settings) -> tuple[str, str]:
        async with _database(chosen) as database:
            return await rotate(database, Keys(chosen.keys_dir, make=False), actor="command line", reason=reason)

    old, new = _run(work(settings()))
    typer.echo(f"channels key {old} is being replaced by {new}; see how far it is with: tocsin keys list")


@keys_app.command("list")
def keys_list() -> None:
    """The channels keys there were: id, state, since when, and how many page keys are wrapped for each."""
    from services.shared.sealing_keys import list_keys

    async def work(chosen: Settings) -> Any:
        async with _database(chosen) as database:
            return await list_keys(database, Keys(chosen.keys_dir, make=False))

    for key_id, state, since, pages in _run(work(settings())):
        typer.echo(f"{key_id}  {state:<8} {'since ' + iso(since) if since else 'from the start'}  {pages} page keys")


@audit_app.command("key")
def audit_key() -> None:
    """Print the public key that audit exports are verified with; give it to auditors before they need it."""
    from services.shared.audit_checkpoints import Signing

    chosen = settings()
    typer.echo(_checked(lambda: Signing(Keys(chosen.keys_dir, make=_on_sqlite(chosen)).audit).public))


@audit_app.command("export")
def audit_export(file: Annotated[Path, typer.Argument(help="A new file.")]) -> None:
    """Write the whole audit log with its signed checkpoints into a file. Works beside running servers."""
    from services.shared.audit_checkpoints import Signing
    from services.shared.audit_export import Verified, export

    async def work(chosen: Settings) -> Verified:
        async with _database(chosen) as database:
            key = Signing(Keys(chosen.keys_dir, make=_on_sqlite(chosen)).audit)
            return await export(database, key, file, chosen.plane, "command line")

    made = _run(work(settings()))
    typer.echo(f"{file}: entries 1 to {made.n}, {made.checkpoints} checkpoints, signed {iso(made.at)}")


@audit_app.command("verify")
def audit_verify(
    file: Annotated[Path, typer.Argument(help="An export.")],
    public_key: Annotated[str, typer.Option(help="64 hex digits from `tocsin audit key`, or a file with them.")],
    earlier: Annotated[
        Path | None, typer.Option(help="An older export of the same log, which this must continue.")
    ] = None,
) -> None:
    """Does an export stand as it was written? Needs the file and the public key alone; exit 1 where it does not."""
    from services.shared.audit_export import Verified, verify_export

    given = Path(public_key)
    key = read_file(given).decode(errors="replace") if len(public_key) != 64 or given.is_file() else public_key

    def walk(one: Path, before: Verified | None) -> Verified:
        try:
            with one.open("rb") as opened:
                return verify_export(opened, key, before)
        except OSError as problem:
            raise Refused(f"{one}: {problem.strerror}; give a file that can be read", field="FILE") from problem
        except Broken as fault:
            typer.echo(f"{one} DOES NOT HOLD: {fault.message}", err=True)
            raise typer.Exit(1) from fault

    found = _checked(lambda: walk(file, walk(earlier, None) if earlier else None))
    typer.echo(f"{file} holds: entries 1 to {found.n} stood so on {iso(found.at)}, {found.checkpoints} checkpoints")
    typer.echo(
        "what was recorded after that no export can show: ask for a new one, and keep this one to compare it with"
    )


@dead_app.command("list")
def dead_list() -> None:
    """Name the messages that were put aside: when, tier, what, for whom, why. Works beside running servers."""

    async def work() -> list[Any]:
        async with _database(settings()) as database, database.read() as db:
            found = sa.select(dead_letter).order_by(dead_letter.c.tier.desc(), dead_letter.c.at)
            return list((await db.execute(found)).all())

    for row in _run(work()):
        typer.echo(f"{iso(row.at)}  tier {row.tier}  {row.topic} for {row.consumer}  {row.msg_id}  {row.reason}")


@dead_app.command("replay")
def dead_replay(
    message: Annotated[str, typer.Argument(metavar="MESSAGE", help="Its id, from: tocsin dead list")],
    consumer: Annotated[str, typer.Argument(metavar="SERVICE", help="Who could not handle it.")],
    reason: Annotated[str, typer.Option(help="Why it will do now; for the audit log.")],
) -> None:
    """Show a message that was put aside to its service again. What is committed decides; nothing is sent twice by it."""

    async def work() -> None:
        async with _database(settings()) as database:
            await replay(database, message, consumer, actor="command line", reason=reason)

    _run(work())
    typer.echo(f"{consumer} is shown {message} again")


@app.command()
def migrate() -> None:
    """Bring the database to the newest schema (on SQLite the server is stopped)."""
    chosen = settings()

    def work() -> None:
        with _held(chosen):
            migrations.upgrade(chosen.resolved_database_url)

    _checked(work)
    typer.echo("the schema is the newest")


@app.command()
def check() -> None:
    """Is this installation sound? Settings, database, plane, keys, policy, roads, audit chain."""
    from services.check import check_installation

    chosen = settings()
    if not _on_sqlite(chosen):  # looked for first: no key that other processes hold is made by looking
        keys = Keys(chosen.keys_dir, make=False)
        _checked(lambda: (keys.mac, keys.index, keys.public, keys.private, keys.audit))
    lines, sound = _run(check_installation(chosen))
    for line in lines:
        typer.echo(line)
    raise typer.Exit(0 if sound else 1)


@app.command()
def ready(url: Annotated[str, typer.Option(help="The process; the one of these settings if left out.")] = "") -> None:
    """Is the running process ready to be sent requests? Exit 0 if it is; else 1, and what is wrong."""
    from services.shared.health import ask

    chosen = settings()
    wrong = _run(ask(url or f"http://{_reachable(chosen.host)}:{chosen.port}"))
    for line in wrong:
        typer.echo(line, err=True)
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
    from services.shared.proxy import caddyfile

    upstreams = {"gateway": gateway, "registry": registry, "router": router, "channels": channels}
    given = {service: _words(text) for service, text in upstreams.items()}
    typer.echo(_checked(lambda: caddyfile(given, site)), nl=False)


async def call(
    method: str, url: str, key: str, resource: str, body: Any = None, headers: dict[str, str] | None = None
) -> dict[str, Any]:
    """One request to the running server; Refused carries its problem document's sentence."""
    if not key:
        raise Refused("give an API key: --key or TOCSIN_KEY; make one with: tocsin key create", field="--key")
    sent: dict[str, Any] = {"data": body} if isinstance(body, bytes) else {"json": body} if body is not None else {}
    all_headers = {"Authorization": f"Bearer {key}", "Accept": "application/json", **(headers or {})}
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=600, connect=5)) as session,
            session.request(method, url.rstrip("/") + resource, headers=all_headers, **sent) as response,
        ):
            answer: dict[str, Any] = await response.json(content_type=None)
            if response.status >= 400:
                where = f" ({answer['field']})" if answer.get("field") else ""
                raise Refused(f"{answer.get('title', response.reason)}{where}")
            return answer
    except (aiohttp.ClientError, TimeoutError) as problem:
        raise Refused(f"no server answers at {url}: start it with tocsin serve, or give --url ({problem})") from problem
    except json.JSONDecodeError as problem:
        raise Refused(f"{url} is no Tocsin server: give --url") from problem


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    return _checked(lambda: asyncio.run(work))


def _on_sqlite(chosen: Settings) -> bool:
    return chosen.resolved_database_url.startswith("sqlite")


@asynccontextmanager
async def _database(chosen: Settings) -> AsyncIterator[Database]:
    """The database at the newest schema, of this plane."""
    await asyncio.to_thread(migrations.upgrade, chosen.resolved_database_url)
    database = Database(chosen.resolved_database_url)
    try:
        await check_plane(database, chosen.plane)
        yield database
    finally:
        await database.close()


@contextmanager
def _held(chosen: Settings) -> Iterator[None]:
    """A data directory is ours alone meanwhile; a PostgreSQL keeps its clients apart itself."""
    if not _on_sqlite(chosen):
        yield
        return
    lock = FileLock(chosen.data_dir)
    lock.take()
    try:
        yield
    finally:
        lock.release()


def _checked(work: Callable[[], Any]) -> Any:
    """A fault becomes one sentence and exit 2."""
    try:
        return work()
    except Fault as fault:
        raise _fail(
            fault.message + (f"; {fault.remedy}" if isinstance(fault, Refused) and fault.remedy else "")
        ) from None
    except sa.exc.OperationalError as away:
        said = str(away.orig).strip().partition("\n")[0]
        raise _fail(f"the database cannot be used ({said}): start it, or correct TOCSIN_DATABASE_URL") from None
    except PermissionError as problem:
        raise _fail(f"{problem.filename}: {problem.strerror}; run it as the owner, or give TOCSIN_DATA_DIR") from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _fail(sentence: str) -> typer.Exit:
    typer.echo(f"tocsin: {sentence}", err=True)
    return typer.Exit(2)


def _reachable(host: str) -> str:
    """The address at which a process that listens on `host` is asked from its own machine."""
    own = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  it is asked, not bound
    return f"[{own}]" if ":" in own else own


def _tier(word: str) -> Tier | None:
    if word and word not in TIER_WORDS:
        raise _fail(f"there is no tier {word!r}: use {', '.join(TIER_WORDS)}")
    return Tier.of(word) if word else None


def _lang(word: str) -> str:
    if word not in ("en", "zh"):
        raise _fail(f"--lang {word}: use en or zh")
    return word


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


add_commands(registry_app, Tools(call, _run, settings, _held, _database, read_file))


def main() -> None:
    """Entry of the console script; the event loop is uvloop where there is one."""
    if os.environ.get("TOCSIN_UVLOOP", "1") == "1":
        import uvloop

        uvloop.install()
    if len(sys.argv) == 1:
        sys.argv.append("--help")
    try:
        code = app(standalone_mode=False)
    except USAGE_ERROR as wrong:  # an option or argument that is not known: one sentence, like every fault
        typer.echo(f"tocsin: {wrong.format_message()} (see: tocsin --help)", err=True)  # type: ignore[attr-defined]
        sys.exit(2)
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(130)
    except Fault as fault:
        typer.echo(f"tocsin: {fault.message}", err=True)
        sys.exit(2)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
