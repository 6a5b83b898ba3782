"""Finds every message of the sources and brings each language's catalogue up to date: `make words`.

What is said to a person is: what `t`, `tn`, `tc`, `mark`, `mark_in` and `english` name, in Python and in templates; the sentence
and the remedy of a fault; an alarm; what a command prints, its help and that of its options. A new message is added without a
translation, one that is gone is taken out, a translation stays as long as its message does. `--check` changes nothing.
"""

from __future__ import annotations

import ast
import inspect
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
LOCALE = ROOT / "services" / "shared" / "locale"
IN_TEMPLATES = {"t": None, "tn": (1, 2), "tc": ((1, "c"), 2)}
NAMED = frozenset(("t", "_t", "mark", "english"))
FAULTS = frozenset(
    (
        "Fault",
        "Refused",
        "NotAllowed",
        "NotFound",
        "Conflict",
        "Busy",
        "TooMany",
        "Broken",
        "Away",
        "Declined",
        "Unfetched",
        "ValueError",
        "fail",
        "wrong",
    )
)
ROW_SAID = {
    "leave_out": 2,
    "hold": 2,
    "doubt": 2,
    "guess": 2,
    "repair": 2,
    "Issue": 5,
    "Unread": 2,
}  # what to do about a row
PRINTED = frozenset(("echo",))
FINDERS = frozenset(("findings", "faults_of", "_too_long", "_more_than_one_idea"))
KEPT = frozenset(
    ("notes", "hold", "note", "said", "why", "lines", "little", "wrong", "kept", "late", "ready", "sentence", "remedy")
)  # names of what is written in English and told later
WIDTH = 110
Found = tuple[int, str | tuple[str, str], str | None]


def messages() -> Catalog:
    """All that is said, with where."""
    found = Catalog(project="Tocsin", charset="utf-8", fuzzy=False)
    for file in sorted((ROOT / "services").rglob("*")):
        place = str(file.relative_to(ROOT))
        if file.suffix == ".html":
            for _, message, comments, context in extract_from_file(
                "jinja2.ext:babel_extract", file, keywords=IN_TEMPLATES
            ):
                found.add(message, locations=[(place, 1)], auto_comments=comments, context=context)
        elif file.suffix == ".py" and "migrations" not in file.parts:
            for _, message, context in in_python(file.read_text(encoding="utf-8")):
                found.add(message, locations=[(place, 1)], context=context)
    return found


def in_python(source: str) -> Iterator[Found]:
    """The messages of a module, in order."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            yield from _of_call(node)
        elif (
            isinstance(node, ast.Assign | ast.AugAssign)
            and _target(node.targets[0] if isinstance(node, ast.Assign) else node.target) in KEPT
        ):
            for one in ast.walk(node.value):
                if isinstance(one, ast.List | ast.Tuple | ast.ListComp | ast.GeneratorExp):
                    yield from _sentences(node, one.elts if isinstance(one, ast.List | ast.Tuple) else [one.elt])
                elif one is node.value:
                    yield from _sentences(node, [one])
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _of_command(node)


def _of_call(call: ast.Call) -> Iterator[Found]:
    name = (
        call.func.id
        if isinstance(call.func, ast.Name)
        else call.func.attr
        if isinstance(call.func, ast.Attribute)
        else ""
    )
    given = call.args
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    if name in NAMED and given:
        yield from _constants(call, given[:1])
    elif name in ("tn", "_tn") and len(given) > 1:
        one, many = _text(given[0]), _text(given[1])
        if one and many:
            yield call.lineno, (one, many), None
    elif name in ("tc", "_tc", "mark_in") and len(given) > 1 and (context := _text(given[0])):
        for line, message, _ in _constants(call, given[1:2]):
            yield line, message, context
    elif name in FAULTS:
        yield from _sentences(call, [*given[:1], *(keywords[key] for key in ("remedy",) if key in keywords)])
    elif name in PRINTED:
        yield from _sentences(call, given[:1])
    elif name in ROW_SAID and not (name == "hold" and isinstance(call.func, ast.Name)):  # a lock
        yield from _sentences(call, given[ROW_SAID[name] : ROW_SAID[name] + 1])
    elif name == "append" and isinstance(call.func, ast.Attribute) and _target(call.func.value) in KEPT:
        yield from _sentences(call, given)
    elif name in ("_stored", "_unread") and len(given) > 1:
        yield from _sentences(call, given[1:2])
    elif name in ("sound", "wrong_part") and len(given) > 2:
        yield from _sentences(call, given[2:3])
    elif name in ("Option", "Argument", "Typer"):
        yield from _sentences(call, [keywords[key] for key in ("help", "epilog") if key in keywords])
    elif name == "lazy_group" and len(given) > 1:
        yield from _sentences(call, given[1:2])


def _target(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _of_command(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[Found]:
    """The docstring of a command is its help; what a function of findings yields is what it found."""
    if function.name in FINDERS:
        for node in ast.walk(function):
            if isinstance(node, ast.Yield) and node.value is not None:
                yield from _sentences(node, [node.value])
    for one in function.decorator_list:
        called = one.func if isinstance(one, ast.Call) else one
        if (
            isinstance(called, ast.Attribute)
            and called.attr in ("command", "callback")
            and (text := ast.get_docstring(function))
        ):
            yield function.lineno, inspect.cleandoc(text), None


def _constants(call: ast.Call, nodes: list[ast.expr]) -> Iterator[Found]:
    for node in nodes:
        if text := _text(node):
            yield call.lineno, text, None


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _sentences(at: ast.Call | ast.Assign | ast.AugAssign | ast.Yield, nodes: list[ast.expr]) -> Iterator[Found]:
    for node in nodes:
        for template in templates(node):
            own = re.sub(r"\{[^}]*\}", "", template).strip()
            if re.search("[A-Za-z]{3}", own) and (" " in own or isinstance(at, ast.Call)):
                yield at.lineno, template, None


def templates(node: ast.expr) -> list[str]:
    """The messages an expression can make: what is filled in has the name it has in the code."""
    match node:
        case ast.Constant(value=str(text)):
            return [text.replace("{", "{{").replace("}", "}}")]
        case ast.Subscript(value=cut):  # "..."[:300]
            return templates(cut)
        case ast.IfExp(body=body, orelse=other):
            return [*templates(body), *templates(other)]
        case ast.JoinedStr(values=values):
            seen: dict[str, str] = {}
            return ["".join(_piece(value, seen) for value in values)]
    return []


def _piece(value: ast.expr, seen: dict[str, str]) -> str:
    if isinstance(value, ast.Constant):
        return str(value.value).replace("{", "{{").replace("}", "}}")
    filled = value.value if isinstance(value, ast.FormattedValue) else value
    whole, name = ast.unparse(filled), _name(filled)
    while seen.setdefault(name, whole) != whole:
        name = f"{name.rstrip('0123456789')}{int(re.sub('[^0-9]', '', name) or 1) + 1}"
    return f"{{{name}}}"


def _name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name.strip("_") or "value"
        case ast.Attribute(attr=name):
            return name.strip("_")
        case ast.Subscript(slice=ast.Constant(value=str(name))) if name.isidentifier():
            return name
        case ast.Call(func=ast.Attribute(attr="join"), args=[given, *_]):
            return _name(given)
        case ast.Call(args=[given, *_]):
            return _name(given)
        case ast.Call(func=ast.Attribute(value=inner)):
            return _name(inner)
        case ast.Starred(value=inner) | ast.Subscript(value=inner):
            return _name(inner)
        case ast.GeneratorExp(generators=[first, *_]) | ast.ListComp(generators=[first, *_]):
            return _name(first.iter)
    return "value"


def catalogues() -> Iterator[tuple[Path, Catalog]]:
    """Every language's file and what stands in it."""
    for file in sorted(LOCALE.glob("*/tocsin.po")):
        with file.open("rb") as source:
            yield file, read_po(source, locale=file.parent.name.replace("-", "_"), abort_invalid=True)


def updated(old: Catalog, new: Catalog) -> bytes:
    """The catalogue with the messages of the sources and its own translations."""
    made = Catalog(
        locale=old.locale,
        project="Tocsin",
        version="-",
        charset="utf-8",
        fuzzy=False,
        header_comment=old.header_comment,
    )
    for message in new:
        if not message.id:
            continue
        known = old.get(message.id, message.context)
        empty = ("",) * made.num_plurals if message.pluralizable else ""
        added = made.add(
            message.id, known.string if known is not None else empty,
            locations=[(place, 1) for place in sorted({place for place, _ in message.locations})],
            auto_comments=message.auto_comments, context=message.context,
            flags=known.flags if known is not None else (), user_comments=known.user_comments if known is not None else (),
        )  # fmt: skip
        added.flags.discard("python-format")
    body = io.BytesIO()
    write_po(body, made, width=WIDTH, include_lineno=False)
    dated = ("POT-Creation", "PO-Revision", "Generated-By", "Last-Translator", "Report-Msgid", "Language-Team")
    lines = body.getvalue().decode().split("\n")
    return "\n".join(line for line in lines if not line.startswith(tuple(f'"{word}' for word in dated))).encode()


def lacking(catalogue: Catalog) -> list[str]:
    """Messages without a translation, or with one that somebody still has to look at."""
    found = []
    for message in catalogue:
        strings = [message.string] if isinstance(message.string, str) else list(message.string or ())
        if message.id and (message.fuzzy or not strings or not all(strings)):
            found.append(str(message.id))
    return found


def main() -> int:
    """Writes the files; with `--check` only says which would change. Says what lacks a translation."""
    new, wrong = messages(), 0
    for file, old in catalogues():
        body = updated(old, new)
        if "--check" not in sys.argv:
            file.write_bytes(body)
        elif body != file.read_bytes():
            wrong += 1
            sys.stdout.write(f"{file.relative_to(ROOT)} is not up to date: make words\n")
        for message in (missing := lacking(read_po(io.BytesIO(body), locale=old.locale))):
            sys.stdout.write(f"{file.relative_to(ROOT)} lacks: {message!r}\n")
        wrong += len(missing)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
