"""`tocsin policy`: check, waiting, agree, explain, table, compare and channels; the rules that give each person a path."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from pathlib import Path
from typing import Annotated

import msgspec
import sqlalchemy as sa
import typer

from services.channels.model.channel import Carried
from services.channels.providers.country_limits import load_limits
from services.commands import example_people as examples
from services.commands.kit import DEFAULT_URL, Key, Language, Url, call, echo, run, settings
from services.commands.printing import print_pdf
from services.commands.texts_table import of_hazard
from services.router.explaining import compare as comparing
from services.router.explaining import explain as explaining
from services.router.explaining import table as tables
from services.router.planning.contexts import SHIPPED
from services.router.policy.abilities import Abilities, as_yaml, check_channels, installed, read_channels
from services.router.policy.engine import Policy, load
from services.router.report.policy_api import PolicyShown
from services.shared.database.engine import Database
from services.shared.errors import Refused
from services.shared.hazards import Hazard
from services.shared.input.fields import json_schema
from services.shared.messages import Profile
from services.shared.settings import Settings
from services.shared.tiers import TIER_WORDS, Tier

app = typer.Typer(no_args_is_help=True)


@app.command("check")
def policy_check(
    file: Path,
    channels: Annotated[
        Path | None, typer.Option(help="What the channels there can do; those installed here if left out.")
    ] = None,
) -> None:
    """Is this policy file whole, and can the channels do what it asks? Names the first fault with line, rule and remedy."""
    policy = _policy(file)
    check_channels(policy, read_channels(channels) if channels else installed_channels(settings()))
    echo(f"{policy.name}: {len(policy.groups)} groups, {len(Tier)} tiers, no fault")


@app.command("waiting")
def policy_waiting(url: Url = DEFAULT_URL, key: Key = "") -> None:
    """Which policy is in force, and which waits for two persons."""
    _say(run(call("GET", url, key, "/api/v1/policy")))


@app.command("agree")
def policy_agree(
    policy: Annotated[str, typer.Argument(help="Its SHA-256, or how that begins: see `tocsin policy waiting`.")],
    url: Url = DEFAULT_URL,
    key: Key = "",
) -> None:
    """Say yes to a policy that waits: the second person's yes puts it in force, without a restart."""
    _say(run(call("POST", url, key, "/api/v1/policy/agree", {"policy": policy})))


def _say(found: PolicyShown) -> None:
    echo(f"in force: {found['name']} ({found['in_force'][:12]})")
    if (one := found["proposed"]) is not None:
        names = ", ".join(one["agreed"]) or "nobody yet"
        echo(f"waits: {one['name']} ({one['policy'][:12]}) since {one['since']}; said yes: {names}")


@app.command("schema")
def policy_schema(
    hazard: Annotated[bool, typer.Option("--hazard", help="Of a hazard's file instead.")] = False,
) -> None:
    """The JSON Schema of a policy file: with it beside the file, an editor completes and checks what is written."""
    made = json_schema(Hazard, "Hazard of Tocsin") if hazard else json_schema(Policy, "Policy of Tocsin")
    typer.echo(json.dumps(made, indent=1, ensure_ascii=False))


@app.command("channels")
def policy_channels() -> None:
    """What the channels installed here can do, in the form that `policy check --channels` takes."""
    typer.echo(as_yaml(installed_channels(settings())), nl=False)


@app.command("explain")
def policy_explain(
    tier: Annotated[str, typer.Option(help="blue, yellow, orange or red.")],
    needs: Annotated[str, typer.Option(help="Need groups, joined by commas; empty for general.")] = "",
    hazard: str = "unknown",
    at: Annotated[str, typer.Option(help="Local time, HH:MM.")] = "12:00",
    channels: Annotated[
        str,
        typer.Option(
            help="Contact kinds the person has, joined by commas: sms, voice_landline, bed_shaker, video_relay ...; also "
            "supporter (lives far away), supporter_inside (in the zone), supporter_at_home."
        ),
    ] = "sms,voice_mobile",
    unverified: Annotated[str, typer.Option(help="Those of them that only an official list gave.")] = "",
    said_no: Annotated[str, typer.Option(help="Those of them that the person does not want.")] = "",
    age: Annotated[int | None, typer.Option(min=0, max=120, help="Years.")] = None,
    alone: Annotated[bool, typer.Option("--alone", help="Lives alone.")] = False,
    own_car: Annotated[bool, typer.Option("--own-car", help="Can leave by own transport.")] = False,
    battery: Annotated[int | None, typer.Option(min=0, help="Minutes that the battery of their device lasts.")] = None,
    languages: Annotated[str, typer.Option(help="Languages, best first, with ; between.")] = "",
    away: Annotated[bool, typer.Option("--away", help="Is away from home.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="Their phone has said STOP.")] = False,
    person: Annotated[
        Path | None, typer.Option(help="A person as YAML, in the register's words, in place of all these options.")
    ] = None,
    impact: Annotated[float, typer.Option(min=0, help="Minutes from release to impact; 0 for unknown.")] = 0.0,
    file: Annotated[Path | None, typer.Option(help="Another policy file.")] = None,
    lang: Language = "",
) -> None:
    """The path of a made-up person, minute by minute, with each channel left out and why."""
    if person is not None:
        profile = examples.of_file(person)
    else:
        kinds, guessed, refused = _words(channels), _words(unverified), _words(said_no)
        asked: dict[str, object] = {
            "age": age, "lives_alone": alone or None, "own_transport": own_car or None, "backup_min": battery,
            "languages": languages.split(";") if languages else None, "status": "away" if away else None,
            "stop": stop or None,
        }  # fmt: skip
        profile = examples.made_up(
            _words(needs), kinds, {name: value for name, value in asked.items() if value is not None},
            unverified=guessed, said_no=refused,
        )  # fmt: skip
    for line in explaining.explain(_policy(file), _tier(tier), hazard, profile, at, impact_min=impact or None):
        typer.echo(line)


@app.command("table")
def policy_table(
    hazard: str = "flash_flood",
    out: Annotated[Path | None, typer.Option(help="Where the HTML page goes; printed if left out.")] = None,
    pdf: Annotated[Path | None, typer.Option(help="A PDF as well, where a Chromium is installed.")] = None,
    file: Annotated[Path | None, typer.Option(help="Another policy file.")] = None,
    lang: Language = "",
) -> None:
    """Tier x group x day and night, and what they are told, as a page a council can sign."""
    policy = _policy(file)
    if hazard not in policy.hazards:
        raise Refused(f"--hazard {hazard}: use {', '.join(policy.hazards)}", field="--hazard", given=hazard)
    page = tables.as_page(policy, hazard, examples.of_group, of_hazard(hazard))
    if out is not None:
        out.write_text(page, encoding="utf-8")
        echo(f"written: {out}")
    elif pdf is None:
        typer.echo(page, nl=False)
    if pdf is not None:
        print_pdf(page, pdf)
        echo(f"written: {pdf}")


@app.command("compare")
def policy_compare(
    a: Path,
    b: Path,
    registry: Annotated[
        bool, typer.Option("--registry", help="Over the people of this installation's register.")
    ] = False,
    hazard: Annotated[str, typer.Option(help="One hazard; all if left out.")] = "",
    tier: Annotated[str, typer.Option(help="One tier; all if left out.")] = "",
    per_hour: Annotated[int, typer.Option(min=1, help="Doors an hour of a team.")] = comparing.DOORS_PER_HOUR,
    show: Annotated[int, typer.Option(min=0, help="How many ids are named.")] = 50,
) -> None:
    """Whose path changes from A to B, who loses a channel, what that does to doors by hour and to the teams needed."""
    before, after = _policy(a), _policy(b)
    ids: dict[str, list[str]] = {}
    if registry:
        profiles, ids = asyncio.run(of_register(settings()))
        people = [(p, len(ids[p.key])) for p in profiles]
    else:
        people = [(p, 1) for p in made_up_people(before)]
    cases = comparing.compare(
        before, after, people, explaining.WORKING,
        tiers=(_tier(tier),) if tier else tuple(Tier), hazards=(hazard,) if hazard else (),
    )  # fmt: skip
    for line in comparing.in_words(cases, {p.key: n for p, n in people}, ids, show, per_hour):
        typer.echo(line)


def installed_channels(settings: Settings) -> dict[str, Abilities]:
    """What the drivers of this installation declare."""
    from services.channels.providers import loading  # dear, and needed by few of these commands

    specs = loading.find().specs
    limits = load_limits(specs, settings)
    channels = {name: getattr(spec.make, "channels", ()) for name, spec in specs.items()}
    return installed({name: Carried(limits.narrowed(name, mine)) for name, mine in channels.items()})


def made_up_people(policy: Policy) -> list[Profile]:
    """A typical person of each group, with and without a second channel."""
    found = []
    for group in policy.groups:
        found += [examples.of_group(group), examples.made_up([group], ["sms"])]
    return found


async def of_register(settings: Settings) -> tuple[list[Profile], dict[str, list[str]]]:
    """The register's profiles, and who has each (ids alone); whoever moved, died or withdrew is not counted."""
    person = sa.table("registry_person", *(sa.column(c) for c in ("person_id", "profile_key", "status")))
    profile = sa.table("registry_profile", sa.column("profile_key"), sa.column("body"))
    database = Database(settings.resolved_database_url)
    try:
        async with database.read() as db:
            who = await db.execute(
                sa.select(person).where(person.c.status.in_(("active", "away"))).order_by(person.c.person_id)
            )
            ids: dict[str, list[str]] = defaultdict(list)
            for row in who:
                ids[row.profile_key].append(row.person_id)
            bodies = await db.execute(sa.select(profile).order_by(profile.c.profile_key))
            decoder = msgspec.msgpack.Decoder(Profile)
            profiles = [decoder.decode(r.body) for r in bodies if r.profile_key in ids]
    except sa.exc.OperationalError as away:
        raise Refused(
            "there is no register here: give TOCSIN_DATA_DIR or TOCSIN_DATABASE_URL", rule="register"
        ) from away
    finally:
        await database.close()
    return profiles, ids


def _policy(file: Path | None) -> Policy:
    return load(file or SHIPPED)


def _tier(word: str) -> Tier:
    if word not in TIER_WORDS:
        raise Refused(f"there is no tier {word!r}: use {', '.join(TIER_WORDS)}", field="--tier", given=word)
    return Tier.of(word)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]
