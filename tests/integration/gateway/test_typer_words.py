"""Holds what typer says of itself to the language of the terminal: every help, and what is wrong with a call."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from typer.main import get_command

from services.__main__ import USAGE_ERROR, app
from services.commands.typer_words import in_own_words, wrong_call
from services.shared.i18n import speaking

TYPERS_OWN = re.compile(
    r"usage|options|arguments?\b|commands?\b|required|default|env var|show this|completion for|missing|no such|did you|"
    r"possible|requires|does not|unexpected|invalid|input should|unable",
    re.IGNORECASE,
)


@pytest.fixture
def tocsin() -> Iterator[Any]:
    """The command as a terminal in Chinese has it."""
    with speaking("zh-Hans"):
        command = get_command(app)
        in_own_words(command)
        yield command


def _paths(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name in command.list_commands(None) if hasattr(command, "list_commands") else ():
        yield from _paths(command.get_command(None, name), (*path, name))


def test_no_help_says_anything_of_typers_in_english(tocsin: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Of every command there is: headings, notes in brackets and typer's own options."""
    paths = list(_paths(tocsin))
    assert len(paths) > 40
    for path in paths:
        tocsin([*path, "--help"], standalone_mode=False, prog_name="tocsin")
        said = capsys.readouterr().out
        assert said.startswith("用法:tocsin"), path
        assert "显示这段说明后退出。" in said, path
        assert not re.search(
            r"Usage|Options|Arguments|Commands|\[required|default: |env var|Show this|ompletion for", said
        ), (
            path,
            said,
        )


CALLS = {
    ("nosuch",): "没有命令'nosuch'。",
    ("chek",): "没有命令'chek'。您要的是'check'吗?",
    ("key", "nosuch"): "没有命令'nosuch'。",
    ("key", "create"): "缺少选项'--authority'。",
    ("key", "create", "--authority", "A", "--label", "b"): "缺少选项'--max-tier'。",
    ("path",): "缺少参数'warning_id'。",
    ("demo", "--nosuch"): "没有选项--nosuch",
    ("demo", "--peopl", "1"): "没有选项--peopl(可能的选项:--help, --people)",
    ("demo", "--people"): "选项'--people'后面要写一个值。",
    ("demo", "--json=3"): "选项'--json'不带值。",
    ("demo", "a", "b"): "多出的参数:a b",
    ("demo", "--people", "x"): "'--people'的值无效:请写整数,不能写'x'",
    ("demo", "--people", "0"): "'--people'的值无效:请写不小于1的数,不能写'0'",
}


@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_a_wrong_call_is_said_in_chinese(tocsin: Any, call: Sequence[str]) -> None:
    """What is wrong and whose help to read; of typer's own words none is English."""
    with pytest.raises(USAGE_ERROR) as wrong:
        tocsin([*call], standalone_mode=False, prog_name="tocsin")
    said = wrong_call(wrong.value)
    assert said.startswith(CALLS[tuple(call)]), said
    assert "(见:tocsin" in said
    assert not TYPERS_OWN.search(said), said


def test_in_english_typer_says_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    """The words are typer's own; only a value that does not fit is said as everywhere here."""
    command = get_command(app)
    in_own_words(command)
    command(["key", "create", "--help"], standalone_mode=False, prog_name="tocsin")
    said = capsys.readouterr().out
    assert said.startswith("Usage: tocsin key create [OPTIONS]\n")
    assert "[default:read,draft,send" in "".join(said.split())
    assert "Show this message and exit." in said
    with pytest.raises(USAGE_ERROR) as wrong:
        command(["demo", "--people", "x"], standalone_mode=False, prog_name="tocsin")
    assert wrong_call(wrong.value).startswith(
        "Invalid value for '--people': give a whole number, not 'x' How many people"
    )
