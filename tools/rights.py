"""Derives from the code which service does what with which table: symbol by symbol, from what a process of it starts with.

A symbol is a function, class or table of a module; it reaches whatever it names. `sa.insert(T)`, `upsert(tx, T, ...)` and
their like are what they say, `with_for_update` is an UPDATE of what its symbol reads, any other naming of a table reads it.
`python -m tools.rights` prints what services/rights.py must hold, `python -m tools.rights router flight` why.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from services.migrations.tables import metadata
from services.shared.audit.shown import VIEWS
from services.shared.bus.outbox import SUBSCRIBERS

ROOT = Path(__file__).parents[1]
Symbol = tuple[str, str]  # module, name in it
Found = dict[str, set[str]]  # table > rights
WRITES = {"insert": "INSERT", "update": "UPDATE", "delete": "DELETE", "insert_new": "INSERT", "insert_all": "INSERT"}
START = {  # what a process of each role begins with, see services/run.py
    "gateway": [("services.gateway.service", "GatewayService")],
    "registry": [("services.registry.service", "RegistryService"), ("services.registry.figures", "FIGURES")],
    "router": [("services.router.service", "RouterService"), ("services.router.figures", "FIGURES")],
    "channels": [
        ("services.channels.service", "ChannelsService"),
        ("services.shared.crypto.channels_keys", "check"),
    ],
}
ALL = [
    ("services.node", "Node"),
    ("services.roles", "check_keys"),
    ("services.run", "start_clock"),
    ("services.run", "serve"),
    ("services.shared.database.instance", "check_plane"),
    ("services.shared.bus.rabbit_bus", "RabbitBus"),
    ("services.shared.operations.health", "routes"),
    ("services.shared.operations.clock_watch", "ClockWatch"),
    ("services.shared.operations.ledger_figures", "LEDGER"),
    ("services.shared.alarms", "FIGURES"),
    ("services.shared.web.edge", "make_app"),
]


class Module:
    """One file: its symbols, and what its imported names stand for."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.symbols: dict[str, list[ast.AST]] = defaultdict(list)
        self.imported: dict[str, Symbol] = {}
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("services"):
                for alias in node.names:
                    self.imported[alias.asname or alias.name] = (node.module, alias.name)
        for top in tree.body:
            for name_ in _names_of(top):
                self.symbols[name_].append(top)


def _names_of(top: ast.stmt) -> Iterator[str]:
    match top:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Assign(targets=targets):
            yield from (node.id for one in targets for node in ast.walk(one) if isinstance(node, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name


@cache
def module(name: str) -> Module | None:
    """The module of that name, where it is one of ours."""
    base = ROOT / name.replace(".", "/")
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return Module(name, path)
    return None


@cache
def tables() -> Mapping[Symbol, str]:
    """The symbol of each table > its name."""
    found: dict[Symbol, str] = {}
    for path in (ROOT / "services").rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        one = module(name)
        for symbol, nodes in (one.symbols if one is not None else {}).items():
            for node in nodes:
                match node:
                    case ast.Assign(
                        value=ast.Call(
                            func=ast.Attribute(attr="Table" | "table" as kind),
                            args=[ast.Constant(value=str(table)), *_],
                        )
                    ) if kind == "Table" or table in VIEWS:
                        found[name, symbol] = table
    known = {*metadata.tables, *VIEWS}
    assert known == set(found.values()), known ^ set(found.values())
    return found


def _target(one: Module, node: ast.AST) -> Symbol | None:
    """The symbol an expression stands for: a name, or an attribute of an imported module."""
    if isinstance(node, ast.Name):
        if node.id in one.imported:
            home, name = one.imported[node.id]
            return (home, name) if module(f"{home}.{name}") is None else None
        return (one.name, node.id) if node.id in one.symbols else None
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in one.imported:
        home = ".".join(one.imported[node.value.id])
        return (home, node.attr) if module(home) is not None else None
    return None


def _settled(symbol: Symbol) -> Symbol:
    """Where a symbol that a module only passes on is at home."""
    one = module(symbol[0])
    while one is not None and symbol[1] not in one.symbols and symbol[1] in one.imported:
        symbol = one.imported[symbol[1]]
        one = module(symbol[0])
    return symbol


@cache
def said(symbol: Symbol) -> tuple[frozenset[Symbol], frozenset[tuple[str, str]]]:
    """What a symbol names, and what it does itself: (table, right)."""
    one = module(symbol[0])
    names: set[Symbol] = set()
    does: set[tuple[str, str]] = set()
    for top in one.symbols.get(symbol[1], []) if one is not None else []:
        assert one is not None
        parts = top.body if isinstance(top, ast.ClassDef) else [top]
        for part in [*parts, *(top.bases + top.decorator_list if isinstance(top, ast.ClassDef) else [])]:
            read: set[str] = set()
            locks = False
            written: set[int] = set()
            for node in ast.walk(part):
                if isinstance(node, ast.Call):
                    locks = locks or (isinstance(node.func, ast.Attribute) and node.func.attr == "with_for_update")
                    does |= set(_writes(one, node, written))
                if (found := _target(one, node)) is not None and (found := _settled(found)) != symbol:
                    names.add(found)
                    if found in tables() and id(node) not in written:
                        read.add(tables()[found])
            does |= {(table, "SELECT") for table in read}
            does |= {(table, "UPDATE") for table in read} if locks else set()
    return frozenset(names), frozenset(does)


def _writes(one: Module, call: ast.Call, written: set[int]) -> Iterator[tuple[str, str]]:
    name = (
        call.func.attr
        if isinstance(call.func, ast.Attribute)
        else call.func.id
        if isinstance(call.func, ast.Name)
        else ""
    )
    if name not in WRITES and name != "upsert":
        return
    for argument in call.args[:2]:
        target = _target(one, argument)
        if target is not None and (table := tables().get(_settled(target))) is not None:
            if name == "upsert":
                yield table, "INSERT"
                yield table, "UPDATE"
            else:
                yield table, WRITES[name]
            yield table, "SELECT"  # WHERE, RETURNING and ON CONFLICT read


def _drivers() -> Iterator[Symbol]:
    """Drivers are named by entry points alone."""
    for path in (ROOT / "services" / "channels" / "drivers").rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        one = module(name)
        yield from ((name, symbol) for symbol in (one.symbols if one is not None else ()))


def says(role: str) -> set[str]:
    """Topics of the messages that a process of that role makes."""
    found = set()
    for symbol in reached(role):
        one = module(symbol[0])
        for top in one.symbols.get(symbol[1], []) if one is not None else []:
            assert one is not None
            calls = (node for node in ast.walk(top) if isinstance(node, ast.Call))
            made = (_target(one, node.func) for node in calls)
            found |= {at[1] for at in made if at is not None and at[0] == "services.shared.messages"}
    return found & SUBSCRIBERS.keys()


def _service_of(symbol: Symbol) -> str:
    """The service a symbol is of; empty where it is shared."""
    parts = symbol[0].split(".")
    return parts[1] if len(parts) > 1 and parts[1] in START else ""


def reached(role: str) -> set[Symbol]:
    """Every symbol a process of that role may come to."""
    found: set[Symbol] = set()
    waiting = [*START[role], *ALL, *(_drivers() if role == "channels" else ())]
    while waiting:
        symbol = waiting.pop()
        if symbol in found or _service_of(symbol) not in (role, ""):  # services know nothing of each other
            continue
        found.add(symbol)
        waiting += said(symbol)[0]
    return found


def rights(role: str) -> Found:
    """Table > what a process of that role may come to do with it."""
    found: Found = defaultdict(set)
    for symbol in reached(role):
        for table, right in said(symbol)[1]:
            found[table].add(right)
    return found


def why(role: str, table: str) -> list[str]:
    """Symbols through which a role comes to a table."""
    return sorted(
        f"{home}.{name}: {', '.join(sorted(right for t, right in said((home, name))[1] if t == table))}"
        for home, name in reached(role)
        if any(t == table for t, _ in said((home, name))[1])
    )


def main(words: list[str]) -> None:
    """The rights of every service; or, of one and a table, through which symbols it comes there."""
    lines = (
        why(*words)
        if words
        else [
            f"{role} {table}: {' '.join(sorted(what))}"
            for role in START
            for table, what in sorted(rights(role).items())
        ]
    )
    sys.stdout.write("\n".join([*lines, ""]))


if __name__ == "__main__":
    main(sys.argv[1:])
