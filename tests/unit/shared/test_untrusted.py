"""What somebody else wrote is measured before it is read: YAML by every reader of it, JSON, sheets and polygons."""

from __future__ import annotations

import contextlib
import io
import json
import math
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest
import shapely
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from services.channels.drivers.chat.groups_file import read_chat_file
from services.channels.drivers.mqtt.devices_file import read_speakers
from services.channels.drivers.twilio.http import outcome
from services.channels.model.http_call import Response
from services.channels.providers.country_limits import read_limits
from services.gateway.feeds.file import read_feeds
from services.gateway.feeds.listing import listing
from services.gateway.intake.incoming import WarningIn, from_json
from services.registry.geo.areas import Shape
from services.registry.importing import areas_import
from services.registry.importing.areas_import import AreaImportOptions as WantedAreas
from services.registry.importing.areas_import import import_body
from services.registry.importing.columns import read_map
from services.registry.importing.list_columns import KNOWN
from services.registry.importing.open_list import open_list
from services.registry.importing.report import ImportReport
from services.router.policy.engine import load
from services.shared.errors import Fault, Refused
from services.shared.input.files import Document
from tests.kit.examples import drawn

AT_ONCE_S = 1.5  # of the processor: a loaded machine takes longer by the wall's clock
ALIASES = "a: &a [x, x, x]\nb: &b [*a, *a, *a]\ncolumns: {q: *b}\n"
DEEP = "columns: " + "[" * 200 + "]" * 200
READERS: dict[str, Callable[[Path, str], Any]] = {
    "columns": lambda path, text: read_map(text, KNOWN),
    "feeds": lambda path, text: read_feeds(path),
    "limits": lambda path, text: read_limits(Document(text), "", ["sms_twilio"]),
    "speakers": lambda path, text: read_speakers(path),
    "chat": lambda path, text: read_chat_file(path),
    "policy": lambda path, text: load(path),
}


def bomb(levels: int) -> str:
    """A hundred bytes a level; each ten times as large as the one before."""
    lines = ["a0: &a0 [" + ", ".join(["x"] * 10) + "]"]
    lines += [f"a{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * 10) + "]" for n in range(1, levels)]
    return "\n".join([*lines, f"columns: {{q: *a{levels - 1}}}"])


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", ["aliases", "deep", "long"])
def test_yaml_that_is_more_than_it_says_is_refused_in_words(reader: str, kind: str, tmp_path: Path) -> None:
    """An alias, a depth, a length: each reader says so, by its own fault."""
    text = {"aliases": ALIASES, "deep": DEEP, "long": "# " + "x" * 9_000_000 + "\nspeakers: []\n"}[kind]
    (tmp_path / "file.yaml").write_text(text)
    with pytest.raises(Refused) as told:
        READERS[reader](tmp_path / "file.yaml", text)
    if reader != "chat":  # says no word of what may be a secret
        said = {"aliases": "refers to another by *", "deep": "deeper than 32", "long": "longer than"}[kind]
        assert said in told.value.message


def test_a_bomb_of_aliases_costs_nothing() -> None:
    """330 bytes stood for minutes on the loop that sends."""
    begun = time.process_time()
    with pytest.raises(Refused, match="refers to another"):
        read_map(bomb(6), KNOWN)
    assert time.process_time() - begun < AT_ONCE_S / 10


@settings(max_examples=drawn(200), deadline=None)
@given(
    st.one_of(st.text(max_size=200), st.sampled_from(["a: 2026-13-45", "a: !!int x", "? [1]\n: 2", "a: " + "9" * 5000]))
)
def test_a_column_map_is_read_or_refused_whatever_it_is(text: str) -> None:
    """Never another error: a date that is none, a number of 5,000 digits, any text."""
    with contextlib.suppress(Refused):
        read_map(text, KNOWN)


def test_yaml_that_is_plain_is_read_as_before() -> None:
    found = read_map("columns: {手机: mobile}\nvalues: {hear: {一级: 4}}\nevery_row: {languages: zh}\n", KNOWN)
    assert {"手机": "mobile"} == found.columns
    assert yaml.safe_load("a: 1") == {"a": 1}


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 5_000, b"[" * 5_000 + b"]" * 5_000])
def test_json_that_is_too_deep_is_an_answer_that_is_none(body: bytes) -> None:
    """Of a provider: unknown, so that it is asked about; of a feed: refused in words. Neither ends a loop."""
    assert "ambiguous" == outcome(Response(200, body=body)).outcome
    with pytest.raises(Refused, match="no index of alerts"):
        listing(body, "https://feed.example/index.json")


def tangle(corners: int) -> list[list[float]]:
    """A ring each of whose edges crosses nearly all others: a star."""
    step = corners // 2 - 1
    angles = [2 * math.pi * (step * n % corners) / corners for n in range(corners)]
    ring = [[round(103 + math.cos(a), 9), round(30 + math.sin(a), 9)] for a in angles]
    return [*ring, ring[0]]


def warning(area: dict[str, Any]) -> WarningIn:
    return WarningIn.model_validate(
        {
            "identifier": "T-1", "sender": "a@b.example", "sent": "2026-06-10T09:00:00+08:00",
            "expires": "2026-06-10T15:00:00+08:00", "tier": "red", "area": area,
            "texts": {"en": {"source": "County", "hazard": "Flood", "place": "Here", "action": "Leave now."}},
        }
    )  # fmt: skip


def polygon(ring: list[list[float]]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [ring]}


@pytest.mark.parametrize("corners", [9_001, 60_001])
def test_a_tangle_given_as_json_is_refused_before_anything_is_computed(corners: int) -> None:
    """As a warning, as a selection or an area of the register; each in words and at once."""
    body = polygon(tangle(corners))
    begun = time.process_time()
    with pytest.raises(Refused, match=r"cross each other too often|10,000 corners"):
        from_json(warning(body), b"{}")
    with pytest.raises(Refused, match="cross each other too often"):
        Shape.judged(json.dumps(body))
    assert time.process_time() - begun < AT_ONCE_S


def test_corners_are_counted_before_a_geometry_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapely, "from_geojson", lambda text: pytest.fail("it was made"))
    ring = [[103 + n / 1e6, 30.0] for n in range(50_000)]
    with pytest.raises(Refused, match="more than 10,000 corners"):
        from_json(warning(polygon([*ring, [103.0, 31.0], ring[0]])), b"{}")


@settings(max_examples=drawn(40), deadline=None)
@given(st.integers(3, 400), st.floats(0.01, 1.0), st.integers(0, 2**32 - 1))
def test_an_area_somebody_would_draw_is_taken(corners: int, size: float, seed: int) -> None:
    """However ragged its edge: a star-shaped outline of random reach is a simple polygon."""
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
    reach = size * rng.uniform(0.3, 1.0, corners)
    ring = [[103 + r * math.cos(a), 30 + r * math.sin(a)] for a, r in zip(angles, reach, strict=True)]
    shape = shapely.Polygon([*ring, ring[0]])
    if not shape.is_valid:
        return
    assert from_json(warning(polygon([*ring, ring[0]])), b"{}").area
    assert Shape.judged(json.dumps(polygon([*ring, ring[0]]))).bounds == pytest.approx(shape.bounds)


async def test_a_feature_deeper_than_any_geometry_is_told_and_stops_no_other() -> None:
    deep: Any = [103.0, 30.0]
    for _ in range(400):
        deep = [deep]
    good = polygon([[103.0, 30.0], [103.1, 30.0], [103.1, 30.1], [103.0, 30.0]])
    features = [
        {"type": "Feature", "properties": {"code": str(n)}, "geometry": one}
        for n, one in enumerate([{"type": "Polygon", "coordinates": deep}, polygon(tangle(9_001)), good])
    ]
    body = json.dumps({"type": "FeatureCollection", "features": features}).encode()

    class Full(Exception):
        """The database is not asked before all is read."""

    class Nowhere:
        def write(self) -> Any:
            raise Full

    seen = areas_import.each_feature(body, WantedAreas(value_name="GB2260"), report := ImportReport())
    found = [number for number, *_ in seen]
    told = [issue.line for issue in report.issues]
    assert ([3], [1, 2]) == (found, told)
    with pytest.raises(Full):
        await import_body(Nowhere(), body, WantedAreas(value_name="GB2260"), actor="test")  # type: ignore[arg-type]


TYPE = b'<!DOCTYPE w [<!ENTITY e "x">]>'


@pytest.mark.parametrize(
    "before",
    [
        TYPE,
        b"<!--" + b"x" * 3_000 + b"-->" + TYPE,
        b"<?pi " + b"y" * 5_000 + b"?>" + TYPE,
        b"\n" * 30_000 + TYPE,
        b"<!--" + b"x" * 80_000 + b"-->",
    ],
)
def test_a_sheet_that_declares_a_document_type_is_refused_wherever_it_stands(before: bytes, tmp_path: Path) -> None:
    """And one that has more before it begins than any sheet has."""
    path = tmp_path / "list.xlsx"
    book = openpyxl.Workbook()
    out = io.BytesIO()
    book.save(out)
    with zipfile.ZipFile(out) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.infolist():
            body = old.read(part)
            if part.filename == "xl/worksheets/sheet1.xml":
                body = before + body[body.index(b"<worksheet") :]
            new.writestr(part.filename, body)
    with pytest.raises(Fault, match="cannot be read"):
        open_list(path)
