"""`tocsin cap`: check, show and feed; what an alert says and what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import rich.console
import typer

from services.channels.messages.forms import every_channel
from services.commands.forms_table import forms_of
from services.commands.forms_table import in_words as forms_in_words
from services.commands.kit import Language, checked, read_file, run, settings
from services.gateway.cli.cap_check import check, in_words
from services.gateway.cli.cap_show import show
from services.gateway.cli.feed_query import look_at
from services.gateway.intake.trust import Pins
from services.shared.i18n import t

app = typer.Typer(no_args_is_help=True)


@app.command("check")
def cap_check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line a file.")] = False,
    lang: Language = "",
) -> None:
    """A verdict on each file: accept, repair, quarantine or reject, with every finding; exit 1 if any is refused."""
    refused = False
    for file in files:
        found = check(str(file), read_file(file))
        refused = refused or found["verdict"] in ("quarantine", "reject")
        typer.echo(json.dumps(found, ensure_ascii=False) if as_json else in_words(found))
    raise typer.Exit(1 if refused else 0)


@app.command("show")
def cap_show(file: Path, lang: Language = "") -> None:
    """An alert as a person reads it: what it means here, every block, what each channel will say, and what is wrong with it."""
    console = rich.console.Console()
    own = settings()
    for part in checked(
        lambda: list(show(str(file), read_file(file), Pins(own.cap_keys), settings=own, say=every_channel))
    ):
        console.print(part)


@app.command("forms")
def cap_forms(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line an alert.")] = False,
    lang: Language = "",
) -> None:
    """What each alert makes people read and hear, form beside form; exit 1 where one contradicts another."""
    own, alerts, contradictions = settings(), 0, 0
    for file in files:
        for found in checked(lambda file=file: list(forms_of(file, own))):  # type: ignore[misc]
            alerts, contradictions = alerts + 1, contradictions + len(found.contradictions)
            for line in [found.as_json()] if as_json else forms_in_words(found):
                typer.echo(line)
    if not as_json:
        typer.echo(t("{alerts} alerts, {contradictions} contradictions", alerts=alerts, contradictions=contradictions))
    raise typer.Exit(1 if contradictions else 0)


@app.command("feed")
def cap_feed(
    source: Annotated[str, typer.Argument(metavar="URL-or-FILE")],
    private: Annotated[bool, typer.Option("--private", help="The host may lie in a private network.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line an alert.")] = False,
    lang: Language = "",
) -> None:
    """Read a feed once, as it would be polled, and say a verdict on each alert; takes nothing in."""
    data = None if source.startswith(("http://", "https://")) else read_file(Path(source))
    refused = False
    for found in run(look_at(source, data, private=private)):
        refused = refused or found["verdict"] in ("quarantine", "reject")
        typer.echo(json.dumps(found, ensure_ascii=False) if as_json else in_words(found))
    raise typer.Exit(1 if refused else 0)
