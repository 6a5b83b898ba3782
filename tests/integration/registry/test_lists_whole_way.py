"""Lists of every kind, from the command line through a running server into its register, and from there to phones."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from bench import ours
from bench.ours import SOUTH, WEST, Standin, Tocsin, wait_until
from services.__main__ import main
from services.registry.importing.rows import person_id_of
from services.registry.model.given import ContactIn, PersonIn

ROWS = [
    ["id", "name", "mobile", "mobile_verified", "lat", "lon", "hear"],
    ["1", "王小明", "13800138001", "yes", f"{SOUTH + 0.5}", f"{WEST + 0.5}", "4"],
    ["2", "李秀英", "13800138002", "yes", f"{SOUTH + 0.5}", f"{WEST + 0.5}", "1"],
]
WESTERN = [
    ROWS[0],
    ["1", "Jürgen Müller", "", "", "51.5001", "-2.5001", "4"],
    ["2", "Bjørn", "", "", "51.5001", "-2.5001", ""],
]
SATELLITE, PREMIUM, SHORT = "+881612345678", "+449091234567", "+8610086"


Run = Callable[..., tuple[int, str]]


def as_text(rows: list[list[str]], between: str = ",") -> str:
    return "".join(between.join(row) + "\r\n" for row in rows)


def a_sheet(path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for row in ROWS:
        sheet.append(row)
    book.save(path)


def stored_as(number: str) -> ContactIn:
    """As it may stand in a register from before such numbers were refused."""
    return ContactIn.model_construct(
        kind="sms", address=number, order=0, verified=True, given_by="self", said_no=False, household=False,
        verified_on="", hours="", safe=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def provider() -> Iterator[Standin]:
    with Standin(0.0) as one:
        yield one


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, provider: Standin) -> Iterator[Tocsin]:
    """A real server in a process of its own; three of its people have numbers nothing may be sent to."""
    more = [
        PersonIn(person_id=person_id_of("old", number), lat=SOUTH + 0.1, lon=WEST + 0.1).model_copy(
            update={"contacts": (stored_as(number),)}
        )
        for number in (SATELLITE, PREMIUM, SHORT)
    ]
    home = ours.make_home(tmp_path_factory.mktemp("lists") / "home", 3, more=more)
    with Tocsin(home, provider.port) as one:
        yield one


@pytest.fixture
def command(server: Tocsin, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`tocsin registry` as somebody types it; its exit code and all it said."""
    monkeypatch.setenv("TOCSIN_KEY", server.home.key)
    monkeypatch.setenv("TOCSIN_URL", f"http://127.0.0.1:{server.ports['tocsin']}")
    monkeypatch.setenv("TOCSIN_UVLOOP", "0")

    def run(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["tocsin", "registry", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out + said.err

    return run


def people(server: Tocsin, source: str) -> int:
    """How many of a source are in the register."""
    with sqlite3.connect(f"file:{server.home.folder / 'tocsin.db'}?mode=ro", uri=True) as db:
        words = "SELECT count(*) FROM registry_listing l JOIN registry_source s USING (source_id) WHERE s.name = ?"
        return int(db.execute(words, (source,)).fetchone()[0])


@pytest.mark.parametrize(
    ("name", "body", "more", "told"),
    [
        ("utf8.csv", as_text(ROWS).encode(), (), ""),
        ("bom.CSV", as_text(ROWS).encode("utf-8-sig"), (), ""),
        ("semicolons.csv", as_text(ROWS, ";").encode(), (), ""),
        ("tabs.tsv", as_text(ROWS, "\t").encode(), (), ""),
        ("tabs16.txt", as_text(ROWS, "\t").encode("utf-16"), (), "read as UTF-16"),
        ("no_mark.txt", as_text(ROWS, "\t").encode("utf-16-le"), (), "read as UTF-16-LE"),
        ("china.csv", as_text(ROWS).encode("gb18030"), (), "read as GB18030 (王小明"),
        ("list.xlsx", None, (), ""),
        ("LIST.XLSX", None, (), ""),
        ("no_name", None, (), ""),
        (
            "western.csv",
            as_text(WESTERN).encode("cp1252"),
            ("--region", "GB", "--bounds", "off"),
            "read as CP1252 (Jürgen",
        ),
        ("said.csv", as_text(WESTERN).encode("cp1250", "replace"), ("--encoding", "cp1250", "--bounds", "off"), ""),
    ],
)
def test_a_list_goes_in_through_the_server(
    server: Tocsin, command: Run, tmp_path: Path, name: str, body: bytes | None, more: tuple[str, ...], told: str
) -> None:
    """Whatever it was saved as and whatever it is called; how it was read is said."""
    path = tmp_path / name
    if body is None:
        a_sheet(path)
    else:
        path.write_bytes(body)
    code, said = command("import", str(path), "--source", name, "--region", "CN", *more)
    assert 0 == code, said
    assert "2 read, 0 unchanged" in said
    assert "0 refused" in said
    assert told in said
    assert 2 == people(server, name)


def test_a_list_that_may_be_several_things_writes_nothing(server: Tocsin, command: Run, tmp_path: Path) -> None:
    """The choices are named."""
    path = tmp_path / "list.csv"
    path.write_bytes(as_text(WESTERN).encode("cp1252"))
    code, said = command("import", str(path), "--source", "ambiguous", "--region", "CN")
    assert 1 == code
    assert "cp1252" in said
    assert "--encoding" in said
    assert 0 == people(server, "ambiguous")


def test_areas_zones_and_codes_go_in(server: Tocsin, command: Run, tmp_path: Path) -> None:
    """GeoJSON with and without a mark, as areas and as zones, and a list of codes."""
    square = [[[WEST, SOUTH], [WEST + 1, SOUTH], [WEST + 1, SOUTH + 1], [WEST, SOUTH + 1], [WEST, SOUTH]]]
    one = {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": square},
        "properties": {"code": "1", "name": "南岭"},
    }
    zone = one | {"properties": {"code": "z", "hazard": "flash_flood", "class": 4, "name": "河谷"}}
    for name, encoding, feature, more in (
        ("areas.geojson", "utf-8", one, ("--value-name", "GB2260")),
        ("AREAS.JSON", "utf-8-sig", one, ("--value-name", "GB2260")),
        ("zones.geojson", "utf-8", zone, ("--as", "zones")),
    ):
        path = tmp_path / name
        path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}, ensure_ascii=False), encoding)
        code, said = command("areas", "import", str(path), *more)
        assert (0, True) == (code, said.startswith("1 read")), (name, said)
    path = tmp_path / "codes.csv"
    path.write_text("valueName,value,area\nSAME,006109,1\n", "utf-8-sig")
    code, said = command("areas", "import", str(path), "--as", "geocodes", "--value-name", "GB2260")
    assert (0, True) == (code, said.startswith("1 read")), said


def test_what_is_told_of_a_list_begins_with_what_is_dangerous(server: Tocsin, command: Run, tmp_path: Path) -> None:
    """Refused, left out, guessed, doubtful, each by its line; what was only written otherwise is one line with a count."""
    at = f"{SOUTH + 0.5},{WEST + 0.5}"
    good = "".join(f"{n},138001381{n:02d},,1950,no,,{at}\n" for n in range(20))
    rows = (
        f"a,028-85551234转801,,1950,no,,{at}\n"  # doubtful
        f"b,02885551234,,1950,no,,{at}\n"  # guessed: a landline, as is the one above
        f"c,138OO138OOO,,1950,no,,{at}\n"  # left out
        f"d,13800138000,保密,1950,no,,{at}\n"  # refused
        f"e,13800138000,,1950,no,,50.5,{SOUTH + 0.5}\n"  # refused: of another country
    )
    path = tmp_path / "list.csv"
    path.write_text("id,mobile,protected_address,birth_year,lives_alone,said_no,lat,lon\n" + good + rows)
    code, said = command(
        "import", str(path), "--source", "dirt", "--region", "CN", "--bounds", "29,102,32,105", "--dry-run"
    )
    assert 0 == code, said
    lines = [line.split() for line in said.splitlines() if line.startswith("  line ")]
    told = [words[2] for words in lines]
    assert ["refused", "refused", "left_out", "guessed", "guessed", "doubtful"] == told, said
    assert "23 times mobile: E.164, like '13800138100' taken as +8613800138100" in said
    assert "this is outside 29.00 to" in said
    assert "held, since it protects them" in said


def test_nothing_is_sent_to_a_number_that_costs_or_is_nobodys(server: Tocsin, provider: Standin) -> None:
    """Though it is stored: the provider never hears of it, and each path says why."""
    provider.reset()
    warning_id = server.release(ours.warning("never", tier="red"))
    with sqlite3.connect(f"file:{server.home.folder / 'tocsin.db'}?mode=ro", uri=True) as db:
        mine = tuple(person_id_of("old", number) for number in (SATELLITE, PREMIUM, SHORT))
        words = "SELECT state_reason FROM delivery WHERE warning_id = ? AND channel = 'sms' AND person_id IN (?,?,?)"
        reasons: Any = lambda: sorted(r for (r,) in db.execute(words, (warning_id, *mine)) if r)  # noqa: E731
        wait_until(lambda: len(reasons()) >= 3 and provider.count()["accepts"] >= 3, reasons, server)
        assert all("never called or written to" in reason for reason in reasons())
    assert {"+99900000000", "+99900000001", "+99900000002"} == set(provider.times())


def test_a_short_number_is_refused_where_a_person_is_entered(server: Tocsin) -> None:
    """By POST /people, with the field and the reason."""
    for number in (SATELLITE, PREMIUM, SHORT):
        person = {"lat": SOUTH, "lon": WEST, "contacts": [{"kind": "sms", "address": number}]}
        yes = {"by": "self", "method": "in_person", "notice_version": "1", "purposes": ["warn_me"]}
        with pytest.raises(ours.BenchFault, match="never called or written to"):
            ours.ask(
                server.ports["tocsin"], "POST", "/people", {"person": person, "yes": yes},
                {"Authorization": f"Bearer {server.home.key}"},
            )  # fmt: skip
