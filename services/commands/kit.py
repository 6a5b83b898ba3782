"""What commands share: settings, a request to the running server, the database, and faults told in one sentence."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import sqlalchemy as sa
import typer

from services.shared import draft_languages, i18n
from services.shared.database.engine import Database, FileLock
from services.shared.database.instance import check_plane
from services.shared.database.soundness import REMEDY
from services.shared.errors import Fault, Refused
from services.shared.settings import Settings
from services.shared.tiers import TIER_WORDS, Tier

if TYPE_CHECKING:  # half of a start would be loading it
    from rich.table import Table

Url = Annotated[str, typer.Option(envvar="TOCSIN_URL", help="The running server.")]
Key = Annotated[str, typer.Option(envvar="TOCSIN_KEY", help="An API key, from: tocsin key create.")]
REFUSED, USAGE, AWAY = 1, 2, 3  # exit codes: the answer was no; the words or settings are wrong; nobody answers
T = TypeVar("T")


def reachable(host: str) -> str:
    """The address at which a process that listens on `host` is asked from its own machine."""
    own = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  it is asked, not bound
    return f"[{own}]" if ":" in own else own


# the server that the same variables start: whoever moves its port need not say so twice
DEFAULT_URL = f"http://{reachable(os.environ.get('TOCSIN_HOST', ''))}:{os.environ.get('TOCSIN_PORT') or 8080}"


class Away(Fault):
    """Nobody answers there."""


class Declined(Refused):
    """The server's answer was no."""


def settings() -> Settings:
    """Settings from the environment, and the drafts they allow in use; Refused names the variable that is wrong."""
    found = Settings()
    draft_languages.use(found.drafts)
    return found


def read_file(path: Path) -> bytes:
    """A file's bytes; Refused where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as problem:
        raise Refused(f"{path}: {problem.strerror}; give a file that can be read", field="FILE") from problem


async def call(
    method: str, url: str, key: str, resource: str, body: object = None, headers: dict[str, str] | None = None
) -> Any:
    """One request to the running server: its answer's JSON, an object or a list, as the route gives it.

    Refused carries the sentence of the server's problem document.
    """
    import aiohttp

    if not key:
        raise Refused("give an API key: --key or TOCSIN_KEY; make one with: tocsin key create", field="--key")
    data, as_json = (body, None) if isinstance(body, bytes) else (None, body)
    all_headers = {"Authorization": f"Bearer {key}", "Accept": "application/json"}
    all_headers |= {"Accept-Language": i18n.language(), **(headers or {})}
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=600, connect=5)) as session,
            session.request(
                method, url.rstrip("/") + resource, headers=all_headers, data=data, json=as_json
            ) as response,
        ):
            answer = await response.json(content_type=None)
            if response.status >= 400:
                where = f" ({answer['field']})" if answer.get("field") else ""
                said = f"{answer.get('title', response.reason)}{where}"
                raise Away(said) if response.status >= 500 else Declined(said)
            return answer
    except (aiohttp.ClientError, TimeoutError) as problem:
        raise Away(f"no server answers at {url}: start it with tocsin serve, or give --url ({problem})") from problem
    except json.JSONDecodeError as problem:
        raise Away(f"{url} is no Tocsin server: give --url") from problem


def run(work: Coroutine[object, None, T]) -> T:
    """What `work` gives, in an event loop of its own; a fault becomes one sentence and exit 2."""
    return checked(lambda: asyncio.run(work))


def on_sqlite(chosen: Settings) -> bool:
    """Whether one process has the database to itself."""
    return chosen.resolved_database_url.startswith("sqlite")


@asynccontextmanager
async def database_of(chosen: Settings) -> AsyncIterator[Database]:
    """The database at the newest schema, of this plane; Broken where it is another plane's."""
    from services import migrations

    await asyncio.to_thread(migrations.upgrade, chosen.resolved_database_url)
    database = Database(chosen.resolved_database_url)
    try:
        await check_plane(database, chosen.plane)
        yield database
    finally:
        await database.close()


@contextmanager
def held(chosen: Settings) -> Iterator[None]:
    """A data directory is ours alone meanwhile, Conflict where it is not; a PostgreSQL keeps its clients apart itself."""
    if not on_sqlite(chosen):
        yield
        return
    lock = FileLock(chosen.data_dir)
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


def checked(work: Callable[[], T]) -> T:
    """A fault becomes one sentence and an exit code: REFUSED, USAGE or AWAY."""
    try:
        return work()
    except Fault as fault:
        code = REFUSED if isinstance(fault, Declined) else AWAY if isinstance(fault, Away) else USAGE
        remedy = f"; {fault.remedy}" if isinstance(fault, Refused) and fault.remedy else ""
        raise fail(fault.message + remedy, code) from None
    except sa.exc.OperationalError as away:
        said = str(away.orig).strip().partition("\n")[0]
        raise fail(f"the database cannot be used ({said}): start it, or correct TOCSIN_DATABASE_URL", AWAY) from None
    except sa.exc.DatabaseError as damaged:
        said = str(damaged.orig).strip().partition("\n")[0]
        raise fail(f"the database is damaged ({said}): {REMEDY}") from None
    except PermissionError as problem:
        raise fail(f"{problem.filename}: {problem.strerror}; run it as the owner, or give TOCSIN_DATA_DIR") from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def echo(sentence: str, *, err: bool = False) -> None:
    """A sentence for whoever sits at the terminal, in their language."""
    typer.echo(i18n.told(sentence), err=err)


def fail(sentence: str, code: int = USAGE) -> typer.Exit:
    """Says the sentence on stderr; raise what it gives, to end with that code."""
    typer.echo(f"tocsin: {i18n.told(sentence)}", err=True)
    return typer.Exit(code)


@contextmanager
def stand_ins() -> Iterator[None]:
    """Imports of the stand-ins of the outside world; exit 2 with what to install where they are not there."""
    try:
        yield
    except ModuleNotFoundError as missing:
        if not f"{missing.name}.".startswith(("aiosmtpd.", "services.sim.")):
            raise  # a fault of ours: nothing that is installed mends it
        raise fail(
            f"{missing.name} is not installed: demo, try and sandbox need the stand-ins of the outside world, which a "
            "county's image leaves out; run make setup in a checkout, or pip install 'tocsin[sim]'"
        ) from missing


def show(*tables: Table) -> None:
    """Tables as wide as the terminal; piped, plain columns in which nothing is cut."""
    from rich.console import Console

    console = Console()
    for table in tables:
        if console.is_terminal:
            console.print(table)
            continue
        table.box, table.show_edge = None, False
        plain = Console(no_color=True, highlight=False)
        plain.width = max(80, plain.measure(table, options=plain.options.update(max_width=10_000)).maximum)
        plain.print(table)


def tier_of(word: str) -> Tier | None:
    """The tier of that name, None for an empty word; exit 2 where there is none."""
    if word and word not in TIER_WORDS:
        raise fail(f"there is no tier {word!r}: use {', '.join(TIER_WORDS)}")
    return Tier.of(word) if word else None


def language_of(word: str) -> str:
    """Speaks the language of that name from here on, if one is given; exit 2 where it is none of ours."""
    if word:
        tag = i18n.best(word)
        if not tag:
            raise fail(f"--lang {word}: use {', '.join(i18n.offered())}")
        i18n.speak(tag)
    return i18n.language()


Language = Annotated[
    str,
    typer.Option(
        "--lang", callback=language_of, envvar="TOCSIN_LANG", help="The language of the answer; as the terminal's."
    ),
]


def words_of(text: str) -> list[str]:
    """What stands between commas, without empty ones."""
    return [word.strip() for word in text.split(",") if word.strip()]
