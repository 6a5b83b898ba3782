"""A group of commands whose module is loaded when one of them is asked for, and not at every start."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

from services.commands.typer_words import in_own_words


def lazy_group(place: str, words: str) -> typer.Typer:
    """Stands for the Typer at `place` (module:name); `words` is its help."""
    module, _, name = place.partition(":")

    class Group(TyperGroup):
        def _loaded(self) -> None:
            if not self.commands:
                loaded: typer.Typer = getattr(import_module(module), name)
                loaded.rich_markup_mode = None  # as the command above it
                self.commands.update(get_group(loaded).commands)
                in_own_words(self)

        # Context and command are of a click that typer keeps to itself.
        def list_commands(self, ctx: Any) -> list[str]:
            self._loaded()
            return super().list_commands(ctx)

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            self._loaded()
            return super().get_command(ctx, cmd_name)

    return typer.Typer(cls=Group, help=words, no_args_is_help=True)
