"""A group of commands whose module is loaded when one of them is asked for, and not at every start."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_group


def lazy_group(module: str, words: str) -> typer.Typer:
    """Stands for the `app` of `module`; `words` is its help."""

    class Group(TyperGroup):
        def _loaded(self) -> None:
            if not self.commands:
                self.commands.update(get_group(import_module(module).app).commands)

        def list_commands(self, ctx: Any) -> list[str]:
            self._loaded()
            return super().list_commands(ctx)

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            self._loaded()
            return super().get_command(ctx, cmd_name)

    return typer.Typer(cls=Group, help=words, no_args_is_help=True)
