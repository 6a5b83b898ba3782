"""What stands around an authority's words, in the languages we have some for; and when a recording may be played."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.channels.messages import frames
from services.channels.messages.hazard_texts import forms, language_of, shipped
from services.channels.messages.phrases import answered_as
from services.channels.messages.render import says_what_is_asked, segments
from services.shared import i18n
from services.shared.tiers import Tier


def test_every_frame_is_whole_and_cheap() -> None:
    """Nothing of ours doubles the segments of a text in GSM-7; each way of answering among it."""
    assert [] == frames.findings()
    for language in ("en", "de", "es", "fr", "it", "pt"):
        frame = frames.frame_for(language)
        for text in (
            *(text for menu in frame.menus.values() for text in menu.values()),
            frame.call,
            frame.check,
            frame.longer,
            frame.number,
        ):
            assert "gsm-7" == segments(text).encoding, text


def test_traditional_chinese_is_the_simplified_in_its_script() -> None:
    """Every sentence of ours, frames and texts of hazards, has no sign that only simplified Chinese has."""
    only_simple = set("们个为东来时说话这还没请从对开关进过边长见问间门应无书电车马鱼鸟页风飞饭难云楼动闭窗帮号编险")
    texts = [json.dumps(vars(frames.lines_for("zh-TW")), default=str, ensure_ascii=False)]
    texts += [words.languages["zh-Hant"].model_dump_json() for words in shipped().values()]
    for text in texts:
        assert not only_simple & (set(text) - set("窗")), only_simple & set(text)
    assert "已進屋" in frames.frame_for("zh-Hant").menu(Tier.RED, "stay_in")


def test_where_the_slow_leave_first_whoever_gets_ready_has_an_answer() -> None:
    """Below red "others: pack" asks something of them: menu, keys and thanks are for both; in red everybody leaves."""
    for tag, ready in (("en", "ready"), ("zh-CN", "备好"), ("zh-TW", "備好")):
        frame, lines = frames.frame_for(tag), frames.lines_for(tag)
        for instruction in ("leave", "go_to_place"):
            assert ready in frame.menu(Tier.ORANGE, instruction)
            assert ready not in frame.menu(Tier.RED, instruction)
            for tier, row in ((Tier.ORANGE, "leave_or_ready"), (Tier.RED, instruction)):
                assert row == answered_as(instruction, tier)
        told = "收拾好" if "CN" in tag else "ready"
        for texts in (frame.keys, lines.doing):
            assert tag == "zh-TW" or told in texts["leave_or_ready"]
            assert texts["leave_or_ready"] != texts["leave"]
        short = forms()[language_of(tag)]["menus"]["short"]["leave"]
        assert ready in short["orange"]
        assert ready not in short["red"]
    assert "stay_in" == answered_as("stay_in", Tier.ORANGE)


def test_a_recording_is_played_only_for_what_the_alert_asks() -> None:
    """An operator's recording of "leave now" is not played where people are to watch the news."""
    for asked, played in (("leave", True), ("monitor", False), ("", False), ("stay_in", False)):
        assert played is says_what_is_asked({"set": "flash_flood", "instruction": asked})
    assert says_what_is_asked({"set": "tsunami", "instruction": "leave"})
    for told in (
        "leave",
        "stay_in",
        "",
    ):  # some leave, others stay in: a recording by hazard and tier may give the other order
        assert not says_what_is_asked({"set": "rainstorm", "instruction": told})


def test_a_language_gets_its_frame_by_a_file_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else is written anywhere; without it nothing of ours stands around the authority's words."""
    assert "" == frames.frame_for("nb").number
    (tmp_path / "nb").mkdir()
    german = (i18n.FOLDER / "de" / frames.FILE).read_text(encoding="utf-8")
    (tmp_path / "nb" / frames.FILE).write_text(german.replace("number: Nr.", "number: Nr"), encoding="utf-8")
    monkeypatch.setattr(i18n, "FOLDER", tmp_path)
    assert "Nr" == frames.frame_for("nb-NO").number
    assert [] == frames.findings()
