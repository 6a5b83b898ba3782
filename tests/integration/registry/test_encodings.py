"""A CSV is read in what it was written in, or refused with the choices: no letter is ever guessed into another."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.registry.importing.encodings import encoding_of, line_of
from services.registry.importing.list_import import ListImportOptions, import_bytes
from services.registry.importing.report import ImportReport
from services.registry.importing.rows import person_id_of
from services.shared.errors import Refused
from tests.integration.registry.conftest import YEAR

HEAD = "id,name,mobile,lat,lon,address\n"
TEXTS = {
    "west": "1,Jürgen Müller,,51.5,-2.5,Höhenstraße 4\n2,Bjørn Sæther,,51.5,-2.5,Øvre gate 9\n"
    "3,François Lefèvre,,51.5,-2.5,Rue Éveil\n",
    "china": "1,王小明,13800138000,30.05,103.05,南岭村一组12号\n2,李秀英,13800138001,30.05,103.05,南岭村二组3号\n",
    "taiwan": "1,王小明,0912345678,25.05,121.05,臺北市大安區和平東路\n2,陳秀英,0912345679,25.05,121.05,新北市板橋區\n",
    "japan": "1,山田太郎,,35.6,139.7,東京都千代田区ひまわり通り\n2,スズキ,,35.6,139.7,大阪市北区\n",
    "russia": "1,Иван Петров,,55.7,37.6,улица Ленина 4\n2,Мария Иванова,,55.7,37.6,Садовая улица\n",
    "poland": "1,Łukasz Żółć,,52.2,21.0,ulica Świętokrzyska\n2,Paweł Król,,52.2,21.0,Gdańsk\n",
    "korea": "1,김철수,,37.5,127.0,서울특별시 종로구\n2,이영희,,37.5,127.0,부산광역시\n",
}


def saved(folder: Path, text: str, encoding: str) -> Path:
    path = folder / "list"
    path.write_bytes((HEAD + text).encode(encoding))
    return path


@pytest.mark.parametrize(
    ("text", "encoding", "region"),
    [
        ("west", "cp1252", "GB"), ("west", "cp1252", "DE"), ("west", "utf-8", "CN"), ("west", "utf-16", "CN"),
        ("west", "utf-16-le", None),
        ("china", "gb18030", "CN"), ("china", "gb18030", None), ("china", "gb18030", "GB"), ("china", "utf-16", "CN"),
        ("taiwan", "big5hkscs", "TW"), ("japan", "cp932", "JP"), ("russia", "cp1251", "RU"), ("russia", "cp1251", None),
        ("poland", "cp1250", "PL"), ("korea", "cp949", "KR"), ("china", "utf-8-sig", None),
    ],
)  # fmt: skip
def test_a_list_is_read_as_it_was_written(tmp_path: Path, text: str, encoding: str, region: str | None) -> None:
    """Every letter is the same; what is not UTF-8 is told with some of its words."""
    found, told = encoding_of(saved(tmp_path, TEXTS[text], encoding), region)
    assert HEAD + TEXTS[text] == (tmp_path / "list").read_bytes().decode(found).lstrip("\ufeff")
    assert bool(told) == (not encoding.startswith("utf-8"))


@pytest.mark.parametrize(
    ("text", "encoding", "region", "choices"),
    [
        ("west", "cp1252", "CN", {"cp1250", "cp1252"}),
        ("west", "cp1252", None, {"cp1250", "cp1252"}),
        ("japan", "cp932", None, {"cp932", "cp949"}),
        ("poland", "cp1250", "GB", {"cp1250", "cp1252"}),
    ],
)
def test_what_may_be_several_is_refused_and_names_them(
    tmp_path: Path, text: str, encoding: str, region: str | None, choices: set[str]
) -> None:
    """By line, before anything is written; said, it is read as said."""
    path = saved(tmp_path, TEXTS[text], encoding)
    with pytest.raises(Refused) as refused:
        encoding_of(path, region)
    assert choices <= set(str(refused.value.given).split(", "))
    assert "line 2" in refused.value.message
    assert "--encoding" in refused.value.remedy
    assert encoding == encoding_of(path, region, encoding)[0]


@pytest.mark.parametrize("wanted", ["klingon", "rot13", "utf-8", "ascii"])
def test_an_encoding_that_is_none_or_not_this_ones_is_refused(tmp_path: Path, wanted: str) -> None:
    path = saved(tmp_path, TEXTS["west"], "cp1252")
    with pytest.raises(Refused) as refused:
        encoding_of(path, None, wanted)
    assert "encoding" == refused.value.field


LATIN = st.text(st.sampled_from("abcdefghijklmnoprstuvwz"), min_size=1, max_size=5)
NAMES = st.builds(  # one or two marked letters, as names have them
    lambda parts, marks: parts[0].capitalize() + "".join(m + p for m, p in zip(marks, parts[1:], strict=False)),
    st.lists(LATIN, min_size=3, max_size=3), st.lists(st.sampled_from("äöüßéèàçñøåæ"), min_size=1, max_size=2),
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(st.lists(NAMES, min_size=3, max_size=8), st.sampled_from(["CN", "JP", "KR", "TW", "RU", "GB", None]))
def test_western_names_never_become_other_letters(tmp_path: Path, names: list[str], region: str | None) -> None:
    """Windows-1252, wherever it is sent: read as it is, or refused."""
    text = "".join(f"{n},{name},,51.5,-2.5,x\n" for n, name in enumerate(names))
    path = saved(tmp_path, text, "cp1252")
    try:
        found, _ = encoding_of(path, region)
    except Refused as refused:
        assert "encoding" == refused.rule  # noqa: PT017  either is right
        return
    assert HEAD + text == path.read_bytes().decode(found)


async def test_a_nul_costs_its_own_line(registry):
    """And is named by it; the rest goes in."""
    text = HEAD + "".join(f"{n},A,,30.05,103.05,x\n" for n in range(3, 600))
    body = text.replace("502,A", "502,A\0").encode()
    report = await import_bytes(registry.database, registry.keys, body, ListImportOptions("town", YEAR, region="CN"))
    assert [(501, "refused", "row")] == [(i.line, i.outcome, i.field) for i in report.issues]
    assert "NUL" in report.issues[0].remedy
    assert (596, 1) == (report.read, report.refused)


async def test_one_id_in_two_spellings_is_one_person(registry):
    """Composed and taken apart (NFC, NFD), as a whole number and as a sheet keeps it: the same id, told where changed."""
    report = ImportReport()
    for text in ("é4711", "e\u03014711"):
        report = await import_bytes(
            registry.database,
            registry.keys,
            f"id,lat,lon\n{text},30.05,103.05\n".encode(),
            ListImportOptions("town", YEAR),
        )
    assert (0, 1, 0) == (report.read, report.unchanged, report.missing)
    for text in ("4711", "4711.0"):
        report = await import_bytes(
            registry.database,
            registry.keys,
            f"id,lat,lon\n{text},30.05,103.05\n".encode(),
            ListImportOptions("hall", YEAR),
        )
    assert (0, 1, 0) == (report.read, report.unchanged, report.missing)
    assert 1 == report.counts["repaired", "id", "one form of an id"]
    assert person_id_of("hall", "4711") != person_id_of("town", "4711")


def test_the_line_of_a_byte(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_bytes(b"a\nbb\nccc\n")
    assert [1, 1, 2, 3] == [line_of(path, at) for at in (0, 1, 2, 5)]
