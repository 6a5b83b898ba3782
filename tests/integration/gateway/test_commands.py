"""`tocsin cap check`, `show` and `feed`, as a duty officer runs them; and that hostile files fetch nothing."""

from __future__ import annotations

import json
import os
import re
import socket
from pathlib import Path

from services.gateway.cap import sign
from services.gateway.cli.cap_show import show
from services.gateway.intake.trust import Pins
from tests.kit.cap_build import alert, info
from tests.kit.cap_keys import pair
from tests.kit.publisher import Publisher
from tests.kit.square import cap
from tests.kit.town import Town
from tools.servers import commands

KEYS = ["file", "verdict", "tier", "hazard", "held", "notes", "findings"]


async def tocsin(*arguments: str, cwd: Path, **environment: str) -> tuple[int, str, str]:
    """Runs the command as a user does."""
    done = await commands.run(*arguments, cwd=cwd, env={**os.environ, **environment})
    return done.code, done.out, done.err


async def test_check_prints_one_line_a_file(tmp_path: Path):
    """Exactly the five members, findings with rule, grade, place and sentence; exit 1 where one is refused."""
    (tmp_path / "good.xml").write_bytes(cap())
    (tmp_path / "bad.xml").write_bytes(b"<html/>")
    code, out, err = await tocsin("cap", "check", "--json", "good.xml", "bad.xml", cwd=tmp_path)
    assert (1, "") == (code, err)
    good, bad = (json.loads(line) for line in out.splitlines())
    assert [KEYS, KEYS] == [list(good), list(bad)]
    assert ("good.xml", "accept", "orange", "flash_flood") == (
        good["file"],
        good["verdict"],
        good["tier"],
        good["hazard"],
    )
    assert ("reject", None, None) == (bad["verdict"], bad["tier"], bad["hazard"])
    assert [["rule", "grade", "where", "message"]] == [list(f) for f in bad["findings"]]
    code, out, _ = await tocsin("cap", "check", "bad.xml", "--lang", "zh", cwd=tmp_path)
    assert (1, True) == (code, "预警" in out)


async def test_show_is_readable_in_both_languages(tmp_path: Path):
    """What it says, what it means here, and its signature by the pinned key."""
    key, cert = pair("Met")
    (tmp_path / "pins").mkdir()
    (tmp_path / "pins" / "met@qingshui.example.pem").write_bytes(cert)
    (tmp_path / "a.xml").write_bytes(sign(cap(extra="<contact>[bold]12345</contact>"), key, cert))
    for lang, words in (("en", "Signed by a key we know"), ("zh", "由我们认可的密钥签名")):
        code, out, err = await tocsin(
            "cap", "show", "a.xml", "--lang", lang, cwd=tmp_path, TOCSIN_CAP_KEYS="pins", COLUMNS="160"
        )
        assert (0, "") == (code, err)
        for word in (words, "Leave now.", "[bold]12345", {"en": "orange", "zh": "橙色"}[lang], "Hedong"):
            assert word in out, word
    code, _, err = await tocsin("cap", "show", "a.xml", "--lang", "fr", cwd=tmp_path)
    assert (2, True) == (code, "use en, zh-Hans" in err)


async def test_show_says_all_and_what_each_channel_will_say(tmp_path: Path):
    """When it begins, what it asks, a headline of any length, every text in every language; in Chinese no English label."""
    headline = "The tsunami advisory continues in effect for the coastal areas of " + "Oregon, " * 30 + "and California"
    (tmp_path / "a.xml").write_bytes(
        alert(info(headline=headline) + info(language="zh-CN", event="山洪", instruction="往高处走。"))
    )
    _, out, _ = await tocsin("cap", "show", "a.xml", cwd=tmp_path, COLUMNS="100", TOCSIN_TIMEZONE="Asia/Shanghai")
    flat = " ".join(out.replace("│", " ").split())
    for word in (
        headline, "Begins Thu 09 Jul 2026 18:00 +0800", "Asks Evacuate", "What people will read [en-US]",
        "What people will read [zh-CN]", "SMS (2 x gsm-7)", "SMS, easy read", "Call", "E-mail subject", "Cell broadcast",
        "Sent Thu 15:00, until Fri 03:00.",
    ):  # fmt: skip
        assert word in flat, word
    assert "..." not in flat.split("What people will read")[0]
    _, out, _ = await tocsin("cap", "show", "a.xml", "--lang", "zh", cwd=tmp_path, COLUMNS="100")
    flat = " ".join(out.replace("│", " ").split())
    for word in (
        "类别 实际、预警、公开", "灾种 山洪 (按此准备: 撤离)", "要求 撤离", "2026年7月9日 周四 18:00",
        "等级 严重、立即", "短信(易读)",
    ):  # fmt: skip
        assert word in flat, word
    ours = out.split("居民会看到的")[0].replace(headline, "")
    assert not re.search(
        r"\b(Actual|Public|Severe|Immediate|Evacuate|flash_flood|Thu|Begins|Until|severity|expires)\b", ours
    )


async def test_feed_says_a_verdict_on_each_alert(tmp_path: Path, publisher: Publisher):
    """By address, following links on its own host; a file's links are only named; private hosts need the word."""
    publisher.atom("a", "b", "c")
    publisher.alert("a", cap("A"))
    publisher.alert("b", b"<html/>")
    url = f"{publisher.url}/feed"
    code, out, _ = await tocsin("cap", "feed", url, "--private", "--json", cwd=tmp_path)
    found = [json.loads(line) for line in out.splitlines()]
    assert (1, ["accept", "reject", "reject"]) == (code, [one["verdict"] for one in found])
    assert "answers 404" in found[2]["findings"][0]["message"]
    code, out, err = await tocsin("cap", "feed", url, cwd=tmp_path)
    assert (2, "", True) == (code, out, "no public address" in err)
    body = f"<feed><entry><content>{cap('B').decode().partition('?>')[2]}</content></entry></feed>"
    (tmp_path / "feed.xml").write_text(body)
    code, out, _ = await tocsin("cap", "feed", "feed.xml", "--json", cwd=tmp_path)
    assert (0, ["B"]) == (code, [json.loads(line)["file"] for line in out.splitlines()])


def hostile(there: str) -> dict[str, bytes]:
    """Alerts that ask the reader, each in its own way, to go to an address."""
    plain = cap().decode()
    body = plain.partition("?>")[2]
    key, cert = pair("Stranger")
    signed = sign(cap(), key, cert).decode()
    return {
        "external dtd": f'<?xml version="1.0"?><!DOCTYPE alert SYSTEM "{there}">{body}'.encode(),
        "external entity": f'<?xml version="1.0"?><!DOCTYPE alert [<!ENTITY x SYSTEM "{there}">]>{body}'.encode(),
        "parameter entity": f'<?xml version="1.0"?><!DOCTYPE alert [<!ENTITY % x SYSTEM "{there}"> %x;]>{body}'.encode(),
        "style sheet": f'<?xml version="1.0"?><?xml-stylesheet type="text/xsl" href="{there}"?>{body}'.encode(),
        "schema": plain.replace(
            "<alert ",
            '<alert xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
            f'xsi:schemaLocation="urn:oasis:names:tc:emergency:cap:1.2 {there}" ',
        ).encode(),
        "include": plain.replace(
            "<info>", f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{there}"/><info>'
        ).encode(),
        "resource": cap(
            extra=f"<web>{there}</web><resource><resourceDesc>x</resourceDesc><mimeType>image/png</mimeType>"
            f"<uri>{there}</uri></resource>"
        ),
        "signed elsewhere": signed.replace('URI=""', f'URI="{there}"').encode(),
        "key elsewhere": signed.replace(
            "<ds:X509Data>", f'<ds:RetrievalMethod URI="{there}"/><ds:X509Data>', 1
        ).encode(),
    }


async def test_no_file_makes_anybody_fetch_anything(desk: Town, tmp_path: Path):
    """A socket listens where each hostile file points: by the command, and pushed to the server, nobody comes."""
    with socket.socket() as trap:
        trap.bind(("127.0.0.1", 0))
        trap.listen()
        trap.setblocking(False)
        files = hostile(f"http://127.0.0.1:{trap.getsockname()[1]}/x")
        paths = []
        for n, data in enumerate(files.values()):
            (tmp_path / f"{n}.xml").write_bytes(data)
            paths.append(f"{n}.xml")
        code, out, err = await tocsin("cap", "check", "--json", *paths, cwd=tmp_path)
        assert (1, "", len(files)) == (code, err, len(out.splitlines()))
        verdicts = dict(zip(files, (json.loads(line)["verdict"] for line in out.splitlines()), strict=True))
        assert {"reject"} == {verdicts[name] for name in ("external dtd", "external entity", "parameter entity")}
        for data in files.values():
            for strict in ("true", "false"):
                status, _ = await desk.post(data, strict=strict)
                assert status in (202, 409, 422)
        for name, data in files.items():
            assert list(show(name, data, Pins(None)))
        try:
            came = trap.accept()
        except BlockingIOError:
            came = None
        assert came is None
