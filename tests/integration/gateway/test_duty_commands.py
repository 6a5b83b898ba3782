"""The command line as a duty officer uses it at night: draft, send, look, end; keys, audit log and dead letters."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from services.gateway.web import pages
from services.shared.bus.outbox import dead_letter, inbox, outbox, publish
from services.shared.web import auth
from tests.integration.gateway.test_commands import tocsin
from tests.kit import alerts
from tests.kit.bus import issued
from tests.kit.square import SQUARE, cap
from tests.kit.town import Town

NOBODY = "0" * 32


async def test_a_warning_from_draft_to_ending(desk: Town, tmp_path: Path):
    """Each command names what to do next, and a draft is never taken for sent."""
    (tmp_path / "alert.xml").write_bytes(cap())
    server = {"TOCSIN_URL": desk.url, "TOCSIN_KEY": desk.key}

    async def says(*words: str) -> str:
        code, out, err = await tocsin(*words, cwd=tmp_path, **server)
        assert (0, "") == (code, err), out
        return out

    first, then = (await says("warn", "alert.xml", "--draft")).splitlines()
    warning_id = first.split()[0]
    assert f"{warning_id} is draft, orange" == first
    assert f"  nothing is sent: look whom it reaches at {desk.url}/live/{warning_id}/preview" in then
    sent = await says("warn", "alert.xml")
    assert [f"{warning_id} is active, orange", f"  watch it: {desk.url}/live/{warning_id}"] == sent.splitlines()
    assert "active, doors ask: 0 open of 0 targeted" in await says("status", warning_id)
    home = await says("cancel", warning_id, "--ending", "may_return", "--reason", "the river is down")
    assert "a second person confirms it" in home
    assert "nothing has ended yet: somebody else gives the same command" in home
    assert "active" == await desk.state(warning_id)
    ended = await says("cancel", warning_id, "--ending", "sent_by_mistake", "--reason", "wrong county")
    assert "stopped; the ending is " in ended
    assert "cancelled" == await desk.state(warning_id)


async def test_a_red_warning_that_reaches_nobody_is_shouted(desk: Town, tmp_path: Path) -> None:
    """Codes no table knows: said by status, on the live page, the console, /readyz, as a figure and in the log."""
    unknown = b"<geocode><valueName>PARISH</valueName><value>X-999</value></geocode>"
    alert = cap(severity="Extreme").replace(f"<polygon>{SQUARE}</polygon>".encode(), unknown)
    (tmp_path / "alert.xml").write_bytes(alert)
    server = {"TOCSIN_URL": desk.url, "TOCSIN_KEY": desk.key}
    code, out, err = await tocsin("warn", "alert.xml", cwd=tmp_path, **server)
    assert (0, "") == (code, err)
    warning_id = out.split()[0]
    while await desk.node.step():
        pass
    wanted = "NOBODY is warned by name. No table here knows the area PARISH X-999"
    _, out, _ = await tocsin("status", warning_id, cwd=tmp_path, **server)
    assert wanted in out
    assert "areas no table here knows, where nobody is warned by name: PARISH X-999" in out
    signed_in = {"Authorization": f"Bearer {desk.key}"}
    for page in (f"/live/{warning_id}", "/console", "/readyz"):
        status, body, _ = await desk.get(page, signed_in)
        text = body.decode()
        assert (200, True) == (status, wanted in text), page
        assert "Nobody is missing" not in text
    _, figures, _ = await desk.get("/metrics")
    assert b'tocsin_alarm{kind="nobody"} 1.0' in figures


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("warn", "none.xml"), 2, "none.xml: No such file or directory; give a file that can be read"),
        (("warn", "page.xml"), 1, "CAP rule 1: It is XML or a page, but no CAP alert; send an alert element."),
        (("status", NOBODY), 1, f"there is no warning {NOBODY} (warning_id)"),
        (
            ("cancel", NOBODY, "--ending", "checking", "--reason", "because"),
            1,
            f"there is no warning {NOBODY} (warning_id)",
        ),
        (("status", NOBODY, "--key", "toc_wrong"), 1, "give an API key that is known here"),
        (
            ("status", NOBODY, "--url", "http://127.0.0.1:1"),
            3,
            "no server answers at http://127.0.0.1:1: start it with",
        ),
    ],
    ids=["no file", "a page", "no warning", "nothing to end", "wrong key", "no server"],
)
async def test_what_is_wrong_is_one_sentence(
    desk: Town, tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    """On stderr, with what to do and no trace; a script tells a no (1), wrong words (2) and silence (3) apart."""
    (tmp_path / "page.xml").write_bytes(b"<html/>")
    ended, out, err = await tocsin(*words, cwd=tmp_path, TOCSIN_URL=desk.url, TOCSIN_KEY=desk.key)
    assert (code, "", 1) == (ended, out, len(err.splitlines()))
    assert err.startswith(f"tocsin: {said}")


async def test_a_lost_key_is_taken_back(desk: Town, tmp_path: Path):
    """It is found by its label; from then on neither it nor a console signed in with it opens anything; audited."""
    data = {"TOCSIN_DATA_DIR": str(desk.node.platform.settings.data_dir)}
    create = ("key", "create", "--authority", "Qingshui", "--label", "van 3", "--max-tier", "red", "--anywhere")
    code, out, err = await tocsin(*create, cwd=tmp_path, **data)
    key = out.strip()
    assert (0, "") == (code, err)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as console:
        async with console.post(f"{desk.url}/console/sign-in", data={"key": key}) as response:
            assert (200, "/console") == (response.status, response.url.path)
        listed = (await tocsin("key", "list", cwd=tmp_path, **data))[1].splitlines()
        (mine,) = [line for line in listed if ", van 3  since " in line]
        assert mine.endswith("up to red, alone up to yellow")
        assert key not in "".join(listed)
        revoke = ("key", "revoke", mine.split()[0], "--reason", "left in the van")
        assert (0, "the key 'van 3' opens nothing any more\n", "") == await tocsin(*revoke, cwd=tmp_path, **data)
        assert 401 == (await desk.call("GET", "/api/v1/warnings", key=key))[0]
        async with console.get(f"{desk.url}/console") as response:
            assert 401 == response.status
    assert 200 == (await desk.call("GET", "/api/v1/warnings"))[0]
    again, unknown = await asyncio.gather(
        tocsin(*revoke, cwd=tmp_path, **data),
        tocsin("key", "revoke", NOBODY, "--reason", "lost", cwd=tmp_path, **data),
    )
    assert (2, True) == (again[0], again[2].startswith("tocsin: the key 'van 3' was revoked at "))
    assert (2, "", f"tocsin: there is no key {NOBODY}: see tocsin key list\n") == unknown
    assert "REVOKED" in (await tocsin("key", "list", cwd=tmp_path, **data))[1].splitlines()[-1]
    code, out, err = await tocsin("audit", "export", "log.jsonl", cwd=tmp_path, **data)
    assert 0 == code, err
    assert "left in the van" in (tmp_path / "log.jsonl").read_text()
    public = (await tocsin("audit", "key", cwd=tmp_path, **data))[1].strip()
    verify = ("audit", "verify", "log.jsonl", "--public-key", public)
    code, out, err = await tocsin(*verify, cwd=tmp_path)
    assert (0, True) == (code, out.startswith("log.jsonl holds: ")), err
    (tmp_path / "log.jsonl").write_text((tmp_path / "log.jsonl").read_text().replace("in the van", "in the car"))
    code, out, err = await tocsin(*verify, cwd=tmp_path)
    assert (True, True) == (code != 0, err.startswith("log.jsonl DOES NOT HOLD: ")), out


async def test_dead_letters_are_listed_and_shown_again(desk: Town, tmp_path: Path):
    """None is said to be none; one is told with its reason, and is handled when it is shown again."""
    database = desk.node.platform.database
    data = {"TOCSIN_DATA_DIR": str(desk.node.platform.settings.data_dir)}
    assert (0, "", "no message was put aside\n") == await tocsin("dead", "list", cwd=tmp_path, **data)
    one = issued(1)
    async with database.write() as tx:
        await publish(tx, [one])
        body = (await tx.execute(outbox.select())).one().body
        await tx.execute(inbox.insert().values([{"consumer": c, "msg_id": one.msg_id} for c in ("registry", "router")]))
        await tx.execute(
            dead_letter.insert().values(
                msg_id=one.msg_id, consumer="registry", topic="WarningIssued", tier=one.tier, reason="RuntimeError: sick",
                sha256="0" * 64, body=body, at=0.0,
            )
        )  # fmt: skip
    code, out, _ = await tocsin("dead", "list", cwd=tmp_path, **data)
    assert (0, 1) == (code, len(out.splitlines()))
    assert out.endswith(f"WarningIssued for registry  {one.msg_id}  RuntimeError: sick\n")
    replay = ("dead", "replay", one.msg_id, "registry", "--reason", "mended")
    assert (0, f"registry is shown {one.msg_id} again\n", "") == await tocsin(*replay, cwd=tmp_path, **data)
    code, out, err = await tocsin(*replay, cwd=tmp_path, **data)
    assert (2, "") == (code, out)
    assert err.startswith(f"tocsin: no dead letter {one.msg_id} of registry")


BOX = '{"type": "Polygon", "coordinates": [[[103, 30], [103.1, 30], [103.1, 30.1], [103, 30.1], [103, 30]]]}'
WHOLE = f'{{"type": "FeatureCollection", "features": [{{"type": "Feature", "properties": {{}}, "geometry": {BOX}}}]}}'
LINE = '{"type": "LineString", "coordinates": [[103, 30], [103.1, 30]]}'


async def test_a_key_says_where_how_long_and_for_whom(
    desk: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it is guessed: a wrong area, end or tier makes no key; the list says what was given."""
    data = {"TOCSIN_DATA_DIR": str(desk.node.platform.settings.data_dir)}
    for name, text in (("whole.json", WHOLE), ("box.json", BOX), ("line.json", LINE), ("none.json", "no")):
        (tmp_path / name).write_text(text)
    create = ("key", "create", "--authority", "Beitan", "--label", "desk", "--max-tier", "orange", "--area")
    before = len((await tocsin("key", "list", cwd=tmp_path, **data))[1].splitlines())
    wrong = {
        ("line.json",): "tocsin: line.json: the area has no surface",
        ("none.json",): "tocsin: none.json: ",
        ("box.json", "--expires", "soon"): "tocsin: --expires soon: give a day like 2027-03-31, or never",
        ("box.json", "--expires", "2020-01-01"): "tocsin: --expires 2020-01-01: lies in the past",
    }
    answers = await asyncio.gather(*(tocsin(*create, *words, cwd=tmp_path, **data) for words in wrong))
    for (code, out, err), said in zip(answers, wrong.values(), strict=True):
        assert (2, "", True) == (code, out, err.startswith(said)), err
    code, _, err = await tocsin(*create[:-1], cwd=tmp_path, TOCSIN_LANG="zh-Hans", **data)
    assert (2, True) == (code, "--area FILE" in err and "请" in err), err
    another = [word if word != "desk" else "other desk" for word in create]
    made = [
        await tocsin(*create, "whole.json", "--owner", "Wang Fang", "--expires", "2099-03-31", cwd=tmp_path, **data),
        await tocsin(*another, "box.json", "--names", "Beitan,北滩", "--expires", "never", cwd=tmp_path, **data),
    ]
    assert [0, 0] == [code for code, _, _ in made]
    lines = [
        line for line in (await tocsin("key", "list", cwd=tmp_path, **data))[1].splitlines() if " Beitan, " in line
    ]
    assert 2 == len(lines)
    assert "desk (Wang Fang)  since " in lines[0]
    assert " until 2099-04-01T00:00:00+00:00  " in lines[0]
    assert lines[0].endswith("up to orange, alone up to yellow; bound to an area; names Beitan")
    assert " until revoked  " in lines[1]
    assert lines[1].endswith("names Beitan, 北滩")
    assert before + 2 == len((await tocsin("key", "list", cwd=tmp_path, **data))[1].splitlines())
    key = made[0][1].strip()
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as console:
        async with console.post(f"{desk.url}/console/sign-in", data={"key": key}) as response:
            assert (200, False) == (response.status, "This key ends" in await response.text())
        over = datetime(2099, 4, 1, tzinfo=UTC).timestamp()
        monkeypatch.setattr(pages, "wall", lambda: over - 86400)
        async with console.get(f"{desk.url}/console") as response:
            assert "This key ends" in await response.text()
        assert 200 == (await desk.call("GET", "/api/v1/warnings", key=key))[0]
        monkeypatch.setattr(auth, "wall", lambda: over)
        assert 401 == (await desk.call("GET", "/api/v1/warnings", key=key))[0]
        async with console.get(f"{desk.url}/console") as response:
            assert 401 == response.status
        async with console.post(f"{desk.url}/console/sign-in", data={"key": key}) as response:
            assert (403, True) == (response.status, "or it has ended" in await response.text())
    assert 200 == (await desk.call("GET", "/api/v1/warnings", key=made[1][1].strip()))[0]


async def test_a_superior_is_named(desk: Town, tmp_path: Path) -> None:
    """From then on their keys act on the authority's drafts; who is not known, or stands below already, is said."""
    data = {"TOCSIN_DATA_DIR": str(desk.node.platform.settings.data_dir)}
    province = await desk.new_key(name="Province")
    draft = await desk.draft(alerts.flood())
    assert 404 == (await desk.call("GET", f"/api/v1/warnings/{draft}", key=province))[0]
    name = ("key", "superior", "Qingshui", "Province", "--reason", "by law")
    said = "Province may act on what is Qingshui's, as far as the keys of Province reach\n"
    assert (0, said, "") == await tocsin(*name, cwd=tmp_path, **data)
    assert 200 == (await desk.call("GET", f"/api/v1/warnings/{draft}", key=province))[0]
    wrong = [("Province", "Qingshui", "stands below"), ("Nobody", "Province", "there is no authority 'Nobody'")]
    for one, other, why in wrong:
        code, _, err = await tocsin("key", "superior", one, other, "--reason", "x", cwd=tmp_path, **data)
        assert (2, True) == (code, why in err), err
