"""`tocsin registry`: import people, areas, risk zones and code lists; findings; a fictional community."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO, TypedDict
from urllib.parse import quote, urlencode

import aiohttp
import rich
import rich.console
import rich.progress
import rich.table
import typer

from services.commands.kit import (
    DEFAULT_URL,
    Away,
    Declined,
    Key,
    Url,
    call,
    database_of,
    echo,
    held,
    on_sqlite,
    read_file,
    run,
    settings,
    show,
)
from services.registry.importing.report import ImportSaid
from services.shared.clock import wall
from services.shared.crypto.sealing import Keys
from services.shared.database.engine import Database
from services.shared.errors import Refused
from services.shared.i18n import t
from services.shared.powers.who import Who
from services.shared.web.auth import authorities

if TYPE_CHECKING:
    from services.registry.importing.report import ImportSaid, IssueSaid


class ImportLine(TypedDict, total=False):
    """What an import says while it goes on, and with what it ends."""

    note: str
    share: float
    read: int
    issue: IssueSaid
    report: ImportSaid
    fault: str
    field: str
    remedy: str


Say = Callable[[ImportLine], None]
HeldId = Annotated[str, typer.Argument(help="As tocsin registry held list names it.")]
app = typer.Typer(no_args_is_help=True)
areas_app = typer.Typer(help="Areas, risk zones and code lists.", no_args_is_help=True)
app.add_typer(areas_app, name="areas")
held_app = typer.Typer(help="What a list would do to many people at once.", no_args_is_help=True)
app.add_typer(held_app, name="held")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV or XLSX, with a header row.")],
    source: Annotated[str, typer.Option(help="Whose list it is, the same at every import; the file's name.")] = "",
    kind: Annotated[
        str,
        typer.Option(
            help="How it knows: self, proxy, officer_visit, civil_affairs, disability_card, health, school, utility, "
            "other."
        ),
    ] = "self",
    region: Annotated[str, typer.Option(help="Two letters of the country whose numbers lack a prefix.")] = "",
    columns: Annotated[Path | None, typer.Option(help="YAML: the list's own column names and words to ours.")] = None,
    datum: Annotated[str, typer.Option(help="What its coordinates are: wgs84 or gcj02.")] = "wgs84",
    encoding: Annotated[
        str, typer.Option(help="What a CSV is written in, where it is not Unicode and several fit: cp1252, gb18030 ...")
    ] = "",
    bounds: Annotated[
        str, typer.Option(help="Where its people can live, south,west,north,east in degrees; off for anywhere.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and compare everything, write nothing.")] = False,
    report: Annotated[
        Path | None,
        typer.Option(help="Write every issue there, a JSON line each."),
    ] = None,
    progress: Annotated[bool, typer.Option("--progress", help="A progress bar also where nobody watches.")] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Straight into the database: the server is stopped.")
    ] = False,
    authority: Annotated[
        str, typer.Option(help="With --offline: whose list it is; not needed where there is one authority.")
    ] = "",
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Annotated[bool, typer.Option("--json", help="The report as one line of JSON.")] = False,
) -> None:
    """Import people, facilities, officers and places; prints what was refused, left out, guessed or is doubtful, and why."""
    asked = {"source": source or file.stem, "kind": kind, "region": region, "datum": datum}
    asked |= {name: value for name, value in (("encoding", encoding), ("bounds", bounds)) if value}
    asked |= {"dry_run": "1"} if dry_run else {}
    asked |= {"columns": _map_of(columns)} if columns else {}
    if not file.is_file():
        read_file(file)  # says what is wrong with it
    with _issues_to(report) as keep, _bar(progress or sys.stderr.isatty()) as say:

        def hear(line: ImportLine) -> None:
            if "issue" in line and keep is not None:
                keep.write(json.dumps(line["issue"], ensure_ascii=False) + "\n")
            if "note" in line:
                echo(line["note"], err=True)  # before anything is written: there is time to stop it
            say(line)

        if offline:
            found = run(_offline(file, asked, authority, hear))
        else:
            found = run(_upload(url, key, f"/people/import?{urlencode(asked)}", file, hear))
    _show(found, as_json)


@areas_app.command("import")
def areas(
    file: Annotated[Path, typer.Argument(help="GeoJSON FeatureCollection; for geocodes a CSV.")],
    what: Annotated[str, typer.Option("--as", help="areas, zones (risk) or geocodes.")] = "areas",
    value_name: Annotated[str, typer.Option(help="The areas' code list as alerts name it, like GB2260.")] = "",
    code: Annotated[str, typer.Option(help="The property that holds a feature's code.")] = "code",
    parent: Annotated[str, typer.Option(help="The property that holds the code of what it is part of.")] = "parent",
    name: Annotated[str, typer.Option(help="The property that holds its name.")] = "name",
    datum: Annotated[str, typer.Option(help="What its coordinates are: wgs84 or gcj02.")] = "wgs84",
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Import administrative areas, risk zones by hazard, or what alerts' geocodes stand for."""
    asked = {"as": what, "value_name": value_name, "code": code, "parent": parent, "name": name, "datum": datum}
    content = {"Content-Type": "text/csv" if what == "geocodes" else "application/geo+json"}
    body = read_file(file)
    _show(run(call("POST", url, key, f"/people/areas?{urlencode(asked)}", body, content)), as_json)


@held_app.command("list")
def held_list(url: Url = DEFAULT_URL, key: Key = "", as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """What waits for a second key, by list: how many people, and what would become of them."""
    found = run(call("GET", url, key, "/people/held"))
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    table = rich.table.Table(t("Id"), t("List"), t("How many"), t("What"), t("Brought by"))
    for one in found["held"]:
        what = ", ".join(f"{n} {kind}" for kind, n in one["changes"].items())
        table.add_row(one["held_id"], one["source"], str(one["people"]), what, one["asked_by"])
    show(table)


@held_app.command("confirm")
def held_confirm(held_id: HeldId, url: Url = DEFAULT_URL, key: Key = "") -> None:
    """Do it. The key that brought the list is refused."""
    _settled(held_id, "confirm", url, key)


@held_app.command("reject")
def held_reject(held_id: HeldId, url: Url = DEFAULT_URL, key: Key = "") -> None:
    """Drop it: everybody stays as they are."""
    _settled(held_id, "reject", url, key)


def _settled(held_id: str, word: str, url: str, key: str) -> None:
    found = run(call("POST", url, key, f"/people/held/{quote(held_id, safe='')}/{word}"))
    echo(f"{found['state']}: {found['people']} people")


@app.command("findings")
def findings(
    kind: Annotated[str, typer.Option(help="Only this kind, with all its ids.")] = "",
    after: Annotated[str, typer.Option(help="Go on after this id.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 100,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """What is to be put right before the next warning, by kind, with what to do; ids, no names."""
    asked = {"kind": kind, "after": after, **({"limit": str(limit)} if kind else {})}
    found = run(call("GET", url, key, f"/people/findings?{urlencode(asked)}"))
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    table = rich.table.Table(t("How many"), t("What"), t("What to do"))
    for one in found["findings"]:
        if one["count"] or kind:
            table.add_row(str(one["count"]), f"{one['what']} [dim]({one['kind']})[/]", one["do"])
    show(table)
    if kind:
        for row in found["findings"][0]["found"]:
            typer.echo(f"{row['id']}  {row['detail']}")


@app.command("sample")
def registry_sample(
    around: Annotated[Path, typer.Option(help="A CAP file: the community lives in its area.")],
    people: Annotated[int, typer.Option(min=1, max=1_000_000)] = 2000,
    seed: int = 1,
) -> None:
    """Mint a fictional community around an alert into this installation's register (offline: the server is stopped)."""
    from services.gateway.intake.incoming import from_cap
    from services.registry.sample.sample import import_community, mint

    incoming = from_cap(read_file(around), strict=False)
    chosen = settings()

    async def work() -> int:
        with held(chosen):
            community = mint(incoming.area, incoming.geocodes, people=people, seed=seed)
            async with database_of(chosen) as database:
                await import_community(database, Keys(chosen.keys_dir, make=on_sqlite(chosen)), community)
        return len(community.people)

    echo(f"{run(work())} fictional people live around {around.name} now")


async def _offline(file: Path, asked: dict[str, str], authority: str, hear: Say) -> ImportSaid:
    """The same import in this process."""
    from services.registry.api import wanted_of
    from services.registry.importing.list_import import import_file
    from services.registry.importing.report import ImportReport

    def tell(share: float, so_far: ImportReport) -> None:
        for note in so_far.notes if not share else ():
            hear({"note": note})
        hear({"share": share, "read": so_far.read + so_far.unchanged})

    chosen = settings()
    wanted = wanted_of(asked, datetime.fromtimestamp(wall(), UTC).year, "command line")
    with held(chosen):
        async with database_of(chosen) as database:
            report = await import_file(
                database,
                Keys(chosen.keys_dir, make=on_sqlite(chosen)),
                file,
                replace(wanted, who=await _keeper(database, authority), mass_change=chosen.mass_change),
                progress=tell,
                sink=lambda issue: hear({"issue": issue.said()}),
            )
    return report.as_json()


async def _keeper(database: Database, name: str) -> Who:
    """Who brings a list from the command line; Refused where nobody can say which authority that is."""
    async with database.read() as db:
        known = await authorities(db)
    if not name and len(known) != 1:
        raise Refused(
            "say whose list this is: a source belongs to the authority that first brings it",
            field="--authority",
            remedy=f"give --authority, one of {', '.join(known)}"
            if known
            else "give --authority, as tocsin key create will name it",
        )
    if name and known and name not in known:
        raise Refused(f"there is no authority {name!r}: see tocsin key list", field="--authority", given=name)
    return Who("", "command line", name or known[0], ("register",), 0)


async def _upload(url: str, key: str, resource: str, file: Path, hear: Say) -> ImportSaid:
    """Sends the file and hears how it goes; Declined or Away carries the server's sentence."""
    if not key:
        raise Refused("give an API key: --key or TOCSIN_KEY; make one with: tocsin key create", field="--key")
    headers = {"Authorization": f"Bearer {key}", "Accept": "application/x-ndjson, application/json"}
    timeout = aiohttp.ClientTimeout(total=None, connect=5, sock_read=600)
    body = await asyncio.to_thread(file.open, "rb")
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, read_bufsize=1 << 20) as session,
            session.post(url.rstrip("/") + resource, headers=headers, data=body) as response,
        ):
            if response.status >= 400:
                answer = await response.json(content_type=None)
                said = _sentence(answer.get("title", response.reason), answer)
                raise Away(said) if response.status >= 500 else Declined(said)
            async for raw in response.content:
                line: ImportLine = json.loads(raw)
                if "fault" in line:
                    raise Declined(_sentence(line["fault"], line))
                if "report" in line:
                    found: ImportSaid = line["report"]
                    return found
                hear(line)
    except (aiohttp.ClientError, TimeoutError) as problem:
        raise Away(f"no server answers at {url}: start it with tocsin serve, or give --url ({problem})") from problem
    except json.JSONDecodeError as problem:
        raise Away(f"{url} is no Tocsin server: give --url") from problem
    finally:
        body.close()
    raise Away("the server ended before the import did: import the same file again, nothing is doubled")


def _map_of(path: Path) -> str:
    """The text of a column map; a name in another encoding would name no column."""
    try:
        return read_file(path).decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        raise Refused(f"{path} is not UTF-8: save it as UTF-8", field="--columns", rule="encoding") from wrong


def _sentence(said: str, answer: ImportLine) -> str:
    where = f" ({answer['field']})" if answer.get("field") else ""
    return f"{said}{where}" + (f"; {answer['remedy']}" if answer.get("remedy") else "")


@contextlib.contextmanager
def _issues_to(path: Path | None) -> Iterator[TextIO | None]:
    if path is None:
        yield None
        return
    with path.open("w", encoding="utf-8") as file:
        yield file


@contextlib.contextmanager
def _bar(shown: bool) -> Iterator[Say]:
    """A bar on stderr: stdout is the report's."""
    if not shown:
        yield lambda _: None
        return
    columns = (
        rich.progress.TextColumn("{task.fields[read]:,} people"),
        rich.progress.BarColumn(),
        rich.progress.TaskProgressColumn(),
        rich.progress.TimeElapsedColumn(),
        rich.progress.TimeRemainingColumn(),
    )
    with rich.progress.Progress(*columns, console=rich.console.Console(stderr=True)) as bar:
        task = bar.add_task("import", total=1.0, read=0)

        def say(line: ImportLine) -> None:
            if "share" in line:
                bar.update(task, completed=line["share"], read=line["read"])

        yield say


def _show(found: ImportSaid, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    head = "dry run, nothing written: " if found["dry_run"] else ""
    echo(
        f"{head}{found['read']} read, {found['unchanged']} unchanged, {found['refused']} refused, "
        f"{found.get('left_out', 0)} values left out, {found.get('guessed', 0)} guessed, "
        f"{found.get('doubtful', 0)} doubtful, {found['conflicts']} conflicts, {found['missing']} no longer in this list"
    )
    for note in found["notes"]:
        echo(f"  {note}")
    for issue in found["issues"]:
        given = f" {issue['given']!r}" if issue["given"] else ""
        echo(f"  line {issue['line']}: {issue['outcome']} {issue['field']}{given} ({issue['rule']}): {issue['remedy']}")
    if found["issues_not_shown"]:
        echo(f"  and {found['issues_not_shown']} more: give --report FILE for all of them")
    for rule in found.get("rules", ()):
        if "example" in rule:  # only written in another form: nothing to look at
            one = rule["example"]
            echo(f"  {rule['rows']} times {rule['field']}: {rule['rule']}, like {one['given']!r} {one['became']}")
