"""`tocsin texts`: check, show and list the sentences messages are made of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from services.channels.messages import card_phrases, draft_rules, frames, hazard_texts
from services.channels.messages.hazard_text_rules import findings
from services.channels.messages.hazard_texts import Texts, WordSet
from services.channels.messages.phrases import LINES
from services.channels.messages.phrases import findings as line_findings
from services.channels.messages.segments import segments
from services.channels.pages import sign_videos
from services.channels.replies.meaning import findings as reply_findings
from services.channels.replies.quoted_text import findings as phone_findings
from services.commands.kit import Language, echo, settings
from services.commands.printing import print_pdf
from services.commands.texts_table import as_page
from services.shared import draft_languages
from services.shared.errors import Refused
from services.shared.hazards.instructions import told_in
from services.shared.input.fields import json_schema
from services.shared.people.languages import base_of
from services.shared.tiers import TIER_WORDS

app = typer.Typer(no_args_is_help=True)


@app.command("check")
def texts_check(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE...]", help="The shipped ones if left out.")
    ] = None,
) -> None:
    """Are the texts fit to be sent? Each fault with its place and what to do; exit 1 if there is any."""
    sets = list(hazard_texts.shipped().values())
    if files:
        sets = [WordSet(file.stem, {base_of(file.parent.parent.name): hazard_texts.load(file)}) for file in files]
    faults = [fault for one in sets for fault in findings(one)]
    shipped = hazard_texts.shipped()
    beside = draft_rules.findings(sets) if not files else [
        fault for one in sets for fault in draft_rules.beside_english(one, shipped.get(one.hazard))
    ]  # fmt: skip
    faults += [*beside, *([] if files else _of_our_own())]
    for fault in faults:
        echo(fault)
    if unread := sorted({language for one in sets for language in _written(one) if told_in("", language) is None}):
        echo(
            f"{', '.join(unread)}: form, places, lengths and what is missing are checked; what a text tells people to do is not, "
            "since there is no instructions.yaml: let a reader check that"
        )
    states = sorted({f"{language} {one.state(language)}" for one in sets for language in _written(one)})
    echo(f"{len(sets)} sets, {len(faults)} faults; {', '.join(states)}")
    raise typer.Exit(1 if faults else 0)


def _of_our_own() -> list[str]:
    own = [*line_findings(), *frames.findings(), *reply_findings(), *phone_findings(), *card_phrases.findings()]
    folder = settings().sign_videos
    return own + (sign_videos.findings(folder) if folder is not None else [])


@app.command("table")
def texts_table(
    languages: Annotated[str, typer.Option(help="Of the texts, joined by commas.")] = "en,zh",
    pdf: Annotated[Path | None, typer.Option(help="A PDF instead, where a Chromium is installed.")] = None,
    lang: Language = "",
) -> None:
    """A page of every text by instruction, form and language, with its segments: for the people who read them, to sign."""
    wanted = [one.strip() for one in languages.split(",") if one.strip()]
    if unknown := [one for one in wanted if one not in hazard_texts.forms()]:
        raise Refused(
            f"--languages: there are no texts in {', '.join(unknown)}: use {', '.join(hazard_texts.forms())}",
            field="--languages", rule="closed_list", given=languages,
        )  # fmt: skip
    if pdf is None:
        typer.echo(as_page(wanted))
    else:
        print_pdf(as_page(wanted), pdf)
        echo(f"written: {pdf}")


@app.command("schema")
def texts_schema() -> None:
    """The JSON Schema of a hazard's texts in one language, for an editor."""
    typer.echo(json.dumps(json_schema(Texts, "Texts of a hazard"), indent=1, ensure_ascii=False))


def _written(words: WordSet) -> list[str]:
    """The languages somebody wrote; the other script of one is made from it and has no state of its own."""
    return [language for language in words.languages if language != hazard_texts.TRADITIONAL]


@app.command("list")
def texts_list() -> None:
    """Which sets there are, in which languages, and how far each was checked."""
    for one in hazard_texts.shipped().values():
        states = ", ".join(f"{language} {one.state(language)}" for language in _written(one))
        echo(f"{one.hazard}: {states}")
    echo("endings, helpers, officers: " + ", ".join(f"{name} {lines.state}" for name, lines in LINES.items()))
    drafts, named = draft_languages.drafts(), settings().drafts
    echo(f"drafts that people are told: {', '.join(named) or 'none'}, of {', '.join(drafts) or 'none'}")


@app.command("show")
def texts_show(
    hazard: str,
    tier: Annotated[str, typer.Option(help="blue, yellow, orange or red; all if left out.")] = "",
    lang: Annotated[str, typer.Option(help="Of the set's languages.")] = "en",
    form: Annotated[str, typer.Option(help=f"{', '.join(hazard_texts.FORMS)}; all if left out.")] = "",
    place: Annotated[str, typer.Option(help="Where people may go.")] = "",
    confirmed_open: Annotated[bool, typer.Option("--open", help="Somebody confirmed that it is open.")] = False,
) -> None:
    """Each form as it would go out to the fictional county, with its segments."""
    words = hazard_texts.shipped().get(hazard)
    if words is None:
        raise Refused(
            f"there is no set {hazard!r}: use {', '.join(hazard_texts.shipped())}", field="HAZARD", given=hazard
        )
    if lang not in words.languages:
        raise Refused(f"--lang {lang}: {hazard} is in {', '.join(words.languages)}", field="--lang", given=lang)
    if form and form not in hazard_texts.FORMS:
        raise Refused(f"--form {form}: use {', '.join(hazard_texts.FORMS)}", field="--form", given=form)
    if tier and tier not in TIER_WORDS:
        raise Refused(f"there is no tier {tier!r}: use {', '.join(TIER_WORDS)}", field="--tier", given=tier)
    parts = hazard_texts.replace_place(hazard_texts.model_of(lang), place, confirmed_open=confirmed_open)
    hazard_texts.destination(words, lang, parts, must=True)
    for one, instruction in words.languages[lang].cells():
        if tier and one.word != tier:
            continue
        for name in [form] if form else hazard_texts.FORMS:
            text = hazard_texts.compose(words, lang, one, instruction, name, parts)
            counted = segments(text)
            echo(f"[{one.word} {instruction} {name}: {counted.count} x {counted.encoding}, {counted.units} units]")
            typer.echo(text)
