"""Says what typer says of itself in the language of the terminal: headings of a help, and what is wrong with a call.

Typer writes English. Its sentences stand here as messages of the catalogue, so that `told` finds them as it finds ours; its
help goes through a formatter of its own kind, which typer takes from a command's context.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pydantic
import typer

from services.shared.i18n import mark, t, told
from services.shared.model_faults import said_of

SENTENCES = (
    mark("Install completion for the current shell."),
    mark("Show completion for the current shell, to copy it or customize the installation."),
    mark("Show this message and exit."),
    mark("Missing command."),
    mark("Missing option {option}."),
    mark("Missing argument {argument}."),
    mark("No such command {name}."),
    mark("No such command {name}. Did you mean {suggestions}?"),
    mark("No such option: {option}"),
    mark("No such option: {option} (Possible options: {options})"),
    mark("Option {option} requires an argument."),
    mark("Option {option} does not take a value."),
    mark("Got unexpected extra argument(s) ({arguments})"),
    mark("Invalid value for {option}: {message}"),
)
HEADINGS = {"Options": mark("Options"), "Arguments": mark("Arguments"), "Commands": mark("Commands")}
PLACES = {"[OPTIONS]": mark("[OPTIONS]"), "COMMAND [ARGS]...": mark("COMMAND [ARGS]...")}  # of a usage line


class _Help(typer.Context.formatter_class):  # type: ignore[misc,valid-type]  # of the click typer keeps to itself
    """A help whose usage, headings and notes in brackets are told."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        for place, message in PLACES.items():
            args = args.replace(place, t(message))
        super().write_usage(prog, args, prefix or t("Usage: "))

    def write_heading(self, heading: str) -> None:
        super().write_heading(t(HEADINGS.get(heading, heading)))

    def write_dl(self, rows: Sequence[tuple[str, str]], *given: int) -> None:
        super().write_dl([(name, _noted(help_)) for name, help_ in rows], *given)


class _Context(typer.Context):
    formatter_class = _Help


def in_own_words(command: object) -> None:
    """A command, its options and its own commands, with their help in the language that is spoken."""
    for one in (command, *getattr(command, "params", ())):
        for name in ("help", "short_help", "epilog"):
            if text := getattr(one, name, None):
                setattr(one, name, told(text))
    vars(command)["context_class"] = _Context
    for inner in getattr(command, "commands", {}).values():
        in_own_words(inner)


def wrong_call(wrong: Any) -> str:
    """What is wrong with the words of a call, what a missing option takes, and whose help to read."""
    cause = wrong.__cause__
    if isinstance(cause, pydantic.ValidationError):
        wrong.message = said_of(cause.errors(include_url=False)[0]).sentence
    takes = told(getattr(getattr(wrong, "param", None), "help", None) or "")
    path = wrong.ctx.command_path if wrong.ctx is not None else "tocsin"
    what = f"{told(wrong.format_message())} {takes}".strip()
    return t("{what} (see: {command} --help)", what=what, command=path)


def _noted(help_: str) -> str:
    """The help of an option or command; `[default: red; required]` behind it in the reader's language too."""
    text, bracket, notes = help_.rpartition("[") if help_.endswith("]") else (help_, "", "")
    if not bracket or (text and not text.endswith("  ")):
        return told(help_)
    return f"{told(text.rstrip())}{'  ' if text else ''}[{'; '.join(map(_note, notes[:-1].split('; ')))}]"


def _note(note: str) -> str:
    kind, found, value = note.partition(": ")
    if note == "required":
        return t("required")
    if found and kind == "default":
        return t("default: {value}", value=value)
    return t("env var: {value}", value=value) if found and kind == "env var" else note
