"""`tocsin warn`, `cancel`, `status`, `path` and `cases`: a warning through the running server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from services.commands.kit import (
    DEFAULT_URL,
    Key,
    Language,
    Url,
    call,
    echo,
    fail,
    read_file,
    run,
    show,
    tier_of,
)
from services.shared.endings import GOES_ON

app = typer.Typer()


@app.command()
def warn(
    file: Annotated[Path, typer.Argument(help="A CAP file, or JSON (.json).")],
    tier: Annotated[str, typer.Option(help="Decides the tier of a held warning.")] = "",
    doors: Annotated[str, typer.Option(help="The commander's word: safe or unsafe; empty asks later.")] = "",
    draft: Annotated[bool, typer.Option("--draft", help="Keep it as a draft to look at in the console.")] = False,
    place: Annotated[str, typer.Option(help="Its place typed again, where it is far larger than usual.")] = "",
    idempotency_key: Annotated[str, typer.Option(help="The same key sends once.")] = "",
    url: Url = DEFAULT_URL,
    key: Key = "",
) -> None:
    """Send a warning through the running server."""
    chosen = tier_of(tier)
    if doors not in ("", "safe", "unsafe"):
        raise fail(f"--doors {doors}: use safe or unsafe")
    body = read_file(file)
    content = "application/json" if file.suffix == ".json" else "application/cap+xml"
    headers = {"Content-Type": content} | ({"Idempotency-Key": idempotency_key} if idempotency_key else {})
    release = "false" if draft or chosen else "true"
    taken = run(call("POST", url, key, f"/api/v1/warnings?strict=false&release={release}&doors={doors}", body, headers))
    if chosen and not draft and taken["state"] in ("draft", "held"):
        address = f"/api/v1/warnings/{taken['warning_id']}"
        seen = run(call("GET", url, key, address))  # the file is what was looked at, and this is its seal
        decision = {
            "tier": chosen.word, "doors": doors or None, "reason": "decided on the command line",
            "approves": seen["approval"] or "", "place": place,
        }  # fmt: skip
        taken |= run(call("POST", url, key, f"{address}/release", decision))
    echo(f"{taken['warning_id']} is {taken['state']}" + (f", {taken['tier']}" if taken["tier"] else ""))
    for note in taken["notes"]:
        echo(f"  note: {note}")
    if taken["state"] == "held":
        echo(
            f"  held: decide its tier with  tocsin warn {file} --tier orange  or at {url}/live/{taken['warning_id']}/preview"
        )
    elif taken["state"] == "draft":
        echo(
            f"  nothing is sent: look whom it reaches at {url}/live/{taken['warning_id']}/preview, send it there or with  "
            f"tocsin warn {file}"
        )
    else:
        echo(f"  watch it: {url}/live/{taken['warning_id']}")


def _json_of(file: Path) -> object:
    try:
        return json.loads(read_file(file))
    except ValueError as problem:
        raise fail(f"{file}: give a JSON file ({problem})") from problem


@app.command()
def cancel(
    warning_id: str,
    ending: Annotated[
        str,
        typer.Option(help="danger_lower_stay_away, may_return, may_return_part, sent_by_mistake, checking, not_ours."),
    ],
    reason: Annotated[str, typer.Option(help="Kept in the audit log.")],
    part: Annotated[
        Path | None,
        typer.Option(
            help="For may_return_part: a JSON file with `place` (language > name) and `geocodes` ([[name, code], ...]) or "
            "`area` (GeoJSON).",
        ),
    ] = None,
    url: Url = DEFAULT_URL,
    key: Key = "",
) -> None:
    """Stop what has not gone out and tell everybody who may have got it."""
    body: dict[str, object] = {"ending": ending, "reason": reason}
    if part is not None:
        body["part"] = _json_of(part)
    taken = run(call("POST", url, key, f"/api/v1/warnings/{warning_id}/cancel", body))
    for note in taken["notes"]:
        echo(f"  {note}")
    if taken["state"] == "held":
        echo(
            f"nothing has ended yet: somebody else gives the same command, or decides at {url}/live/{taken['warning_id']}/preview"
        )
        return
    if ending in GOES_ON:
        echo(f"the warning goes on; what was said is {taken['warning_id']} ({taken['state']})")
        return
    echo(f"stopped; the ending is {taken['warning_id']} ({taken['state']})")


@app.command()
def status(
    warning_id: Annotated[str, typer.Argument(help="The warning; none with --channels.")] = "",
    channels: Annotated[bool, typer.Option("--channels", help="How each channel and its providers stand.")] = False,
    as_json: Annotated[bool, typer.Option("--json")] = False,
    url: Url = DEFAULT_URL,
    key: Key = "",
) -> None:
    """Who was reached, by group and channel, and who is missing; or how the channels stand."""
    from services.demo_view import channel_table, coverage_tables

    if channels is bool(warning_id):
        raise fail("give a warning's id, or --channels")
    if channels:
        stand = run(call("GET", url, key, "/channels/state"))
        if as_json:
            typer.echo(json.dumps(stand, ensure_ascii=False))
        else:
            _alarms(url, key)
            show(channel_table(stand))
        return
    found = run(call("GET", url, key, f"/report/{warning_id}/coverage"))
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    _alarms(url, key)
    echo(f"{found['state']}, doors {found['doors']}: {found['open']} open of {found['targeted']} targeted")
    if found["unresolved"]:
        codes = ", ".join(f"{name} {value}" for name, value in found["unresolved"])
        echo(f"areas no table here knows, where nobody is warned by name: {codes}")
    show(*coverage_tables(found))


def _alarms(url: str, key: str) -> None:
    """What must be told first."""
    for one in run(call("GET", url, key, "/report/alarms")):
        echo(f"ALARM: {one['said']}")


@app.command()
def path(
    warning_id: str,
    person_id: str,
    plain: Annotated[bool, typer.Option("--plain", help="As the person is told it.")] = False,
    lang: Language = "",
    url: Url = DEFAULT_URL,
    key: Key = "",
) -> None:
    """One person's path in words: each try with what became of it and why, each channel left out with its reason."""
    found = run(call("GET", url, key, f"/report/{warning_id}/path/{person_id}"))
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
    found = run(call("GET", url, key, f"/report/{warning_id}/cases"))
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    standing = [c for c in found["cases"] if c["state"] != "closed"]
    for c in standing:
        whose = c["owner"] or (f"team {c['team'][:8]}" if c["team"] else "NO OWNER")
        left = "" if c["left"] is None else f", {c['left']} s left" if not c["late"] else f", told {c['told']} times"
        about = c["person_id"][:8] or "an officer"
        echo(f"{c['kind']} {about}, {c['waiting_s'] // 60} min: {whose}{left}")
        for said in (h["words"] for h in c["history"] if h["what"] == "text" and h["words"]):
            typer.echo(f"  {said!r}")
    echo(f"{found['totals']['open']} open; take, answer or close them at {url}/live/{warning_id}/cases")
