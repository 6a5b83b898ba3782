"""One instruction for everybody: whatever form somebody reads, it tells them what the authority told the others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.channels.messages import hazard_texts
from services.channels.messages.forms import FormText, against, every_channel
from services.channels.messages.phrases import LINES
from services.gateway.intake.incoming import from_cap
from services.gateway.publish.parts import parts_of
from services.shared.hazards.instructions import MOVING
from services.shared.tiers import Tier
from tests.integration.gateway.test_two_persons import storm
from tests.kit.cap_build import alert, info
from tests.kit.town import Town, open_town

RESPONSE = {
    "leave": "Evacuate", "go_to_place": "Evacuate", "go_up": "Shelter", "stay_in": "Shelter", "avoid": "Avoid", "boil": "Execute",
    "prepare": "Prepare", "monitor": "Monitor", "none": "None", "leave_or_stay": "Evacuate",
}  # fmt: skip


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Town]:
    async with open_town(tmp_path) as town:
        yield town


def made(
    event: str, response: str | None, instruction: str, language: str = "en-US"
) -> tuple[Any, dict[str, FormText]]:
    """Parts of a red alert, and its forms by channel."""
    block = info(
        event=event,
        headline=event,
        responseType=response,
        instruction=instruction,
        severity="Extreme",
        language=language,
    )
    parts = parts_of(from_cap(alert(block), strict=False), Tier.RED, lambda _: 0, "County")
    return parts, {one.channel: one for one in every_channel(parts, Tier.RED, "4721", "12345", drill=False)}


ROWS = [  # what was once said the other way round: the alert, and what nobody may read in any form
    ("Flood", None, "Go upstairs now. Do not go outside.", "en-US", ("Leave now", "go to high ground", "Reply 1 leaving")),
    ("Flood", "Shelter", "Go upstairs now. Do not go outside.", "en-US", ("Leave now", "high ground", "Reply 1 leaving")),
    ("Flood", "Evacuate", "Go upstairs now. Do not go outside.", "en-US", ("Leave now", "Red: go now", "Reply 1 leaving")),
    ("Gas leak", "Evacuate", "Leave the building now.", "en-US", ("Stay in", "stay in now", "Shut doors", "Reply 1 inside")),
    ("Gas leak", None, "Leave the building now.", "en-US", ("Stay in", "stay in now", "Shut doors")),
    ("台风", "Evacuate", "沿海低洼地、工棚、渔船人员立即转移。", "zh-CN", ("留在屋里", "不要出门", "已进屋")),
    ("台风", "Shelter", "沿海低洼地、工棚、渔船人员立即转移。", "zh-CN", ("留在屋里", "不要出门", "已进屋", "马上进屋")),
    ("Rainstorm", "Shelter", "People in danger areas leave now.", "en-US", ("Stay in", "Do not go out", "Reply 1 inside")),
    ("Rainstorm", "Evacuate", "People in danger areas leave now. Others stay in.", "en-US", ("Reply 1 leaving", "Red: go now")),
    ("暴雨", "Evacuate", "危险区人员立即转移,其他人不要外出。", "zh-CN", ("回1已走", "马上走")),
    ("Thunderstorm", "Shelter", "TAKE COVER IN A SUBSTANTIAL SHELTER.", "en-US", ("Go home now", "Leave sheds")),
    ("水庫放流", "Avoid", "請遠離河床。", "zh-TW", ("備好藥", "充滿電", "現在離開")),
    ("Severe flood warning", None, "River levels are rising.", "en-US", ("Leave now", "Go to high ground", "Red: go now")),
    ("Flood", "Evacuate", "Leave now. If you cannot leave, go to the top floor.", "en-US", ("Stay in", "Red: go up")),
    ("Flood", "Evacuate", "Low-lying areas: evacuate. Others: do not go out.", "en-US", ("Red: go now", "Leave now")),
    ("Water supply", "Avoid", "Do not drink the tap water. Use bottled water.", "en-US", ("Boil the", "Boil water", "boil")),
    ("寒潮", "Shelter", "待在室内。", "zh-CN", ("关门窗",)),  # over a coal fire a shut window kills
    ("自来水污染", "Avoid", "不要喝自来水,饮用瓶装水。", "zh-CN", ("烧开",)),
    ("Chlorine leak", "Shelter", "Go indoors, close doors and windows.", "en-US", ("Reply 1 leaving", "can go", "Red: go now")),
]  # fmt: skip


@pytest.mark.parametrize(("event", "response", "instruction", "language", "never"), ROWS)
def test_nobody_is_told_the_opposite(
    event: str, response: str | None, instruction: str, language: str, never: tuple[str, ...]
) -> None:
    """In no form, no menu and no title; and every form that is for the person says what the authority said."""
    parts, forms = made(event, response, instruction, language)
    for channel, one in forms.items():
        if channel in ("helper", "officer", "mail_subject"):
            continue
        assert not [words for words in never if words in one.text], (channel, one.text)
    assert [] == against(parts, list(forms.values()))


def test_a_text_of_ours_gives_way_and_that_is_said() -> None:
    """The code says leave and there is a text for it; the words say upstairs: the words stand, and the preview says why."""
    parts, forms = made("Flash flood", "Evacuate", "Leave now. Go to high ground.")
    assert "leave" == parts["instruction"]
    assert "" == forms["sms_short"].gave_way
    parts["en-US"]["action"] = "Stay in. Go upstairs."
    changed = {one.channel: one for one in every_channel(parts, Tier.RED, "4721", "12345", drill=False)}
    assert "leave against" in changed["sms_short"].gave_way
    assert "Go upstairs." in changed["sms_short"].text


@pytest.mark.parametrize(
    ("event", "language", "said", "ours"),
    [
        ("Rainstorm", "en-US", "People in danger areas leave now. Others stay in.", "Leave now to high ground. Others stay in."),
        ("暴雨", "zh-CN", "危险区人员立即转移,其他人不要外出。", "河边山脚的现在离开,往高处走。别人不出门。"),
        ("台风", "zh-CN", "危险区人员立即转移,其他人不要外出。", "沿海危房现在离开,去高处的房子。别人不出门。"),
    ],
)  # fmt: skip
def test_where_some_leave_and_others_stay_a_text_of_ours_says_both(
    event: str, language: str, said: str, ours: str
) -> None:
    """With the answers that are right for either; where everybody is told to leave, a text that tells some gives way."""
    for response in ("Evacuate", "Shelter"):
        parts, forms = made(event, response, said, language)
        assert "leave_or_stay" == parts["instruction"]
        assert ours in forms["sms_short"].text
        assert LINES["en" if "en" in language else "zh"].menus["other"][Tier.RED] in forms["sms"].text
    everybody = "Leave your homes now." if "en" in language else "现在离开家。"
    parts, forms = made(event, "Evacuate", everybody, language)
    assert "leave" == parts["instruction"]
    assert "leave for some alone" == forms["sms_short"].gave_way
    assert everybody in forms["sms_short"].text


CELLS = [
    (hazard, tag, tier, instruction)
    for hazard, words in hazard_texts.shipped().items()
    for tag, language in (("en-US", "en"), ("zh-CN", "zh"))
    for tier, instruction in words.languages[language].cells()
    if instruction in RESPONSE
]


@pytest.mark.parametrize(("hazard", "tag", "tier", "instruction"), CELLS)
def test_every_text_of_ours_says_in_every_form_what_its_alert_says(
    hazard: str, tag: str, tier: Tier, instruction: str
) -> None:
    """An alert in our own plain words, with its code: nothing in any form is against it, no menu of another instruction."""
    base = hazard_texts.language_of(tag)
    texts = hazard_texts.shipped()[hazard].languages[base]
    said = texts.texts[tier.word][instruction].plain.format(to=texts.away)
    block = info(
        event=texts.about[0],
        headline=texts.about[0],
        responseType=RESPONSE[instruction],
        instruction=said,
        language=tag,
    )
    parts = parts_of(from_cap(alert(block), strict=False), tier, lambda _: 0, "County") | {"set": hazard}
    forms = every_channel(parts, tier, "4721", "12345", drill=False)
    assert [] == against(parts, forms)
    menu = LINES[base].menus.get(instruction, LINES[base].menus["other"])[tier]
    (sms,) = (one for one in forms if one.channel == "sms")
    assert not parts["instruction"] or instruction not in MOVING or menu in sms.text, sms.text


async def test_a_draft_whose_languages_contradict_each_other_is_refused(desk: Town) -> None:
    """With both, and what to do; whoever has read both sends it all the same."""
    body = storm("red") | {
        "sender": "alerts@qingshui.example",
        "texts": {
            "en": {"source": "Qingshui", "hazard": "Flood", "place": "valley", "action": "Leave your home now."},
            "zh-CN": {"source": "清水县", "hazard": "洪水", "place": "河谷", "action": "留在屋里,关门窗。"},
        },
    }
    status, answer = await desk.call("POST", "/api/v1/warnings", body)
    assert 422 == status
    assert ("texts.zh-CN.action", "one instruction") == (answer["field"], answer["rule"])
    assert "en tells people to leave, zh-CN to stay in" in str(answer)
    status, answer = await desk.call("POST", "/api/v1/warnings", body | {"languages_read": True})
    assert 202 == status, answer


async def test_a_draft_whose_response_contradicts_its_words_is_refused(desk: Town) -> None:
    status, answer = await desk.call(
        "POST", "/api/v1/warnings", storm("red", respond="shelter_in") | {
            "sender": "alerts@qingshui.example",
            "texts": {"en": {"source": "Qingshui", "hazard": "Gas leak", "place": "here", "action": "Leave the building now."}},
        },
    )  # fmt: skip
    assert (422, "respond") == (status, answer["field"])
    assert "respond is shelter_in, and en tells people to leave" in str(answer)


async def test_an_alert_that_contradicts_itself_is_taken_in_and_shown(desk: Town) -> None:
    """What came in is never stopped for it: whoever looks sees it first, with both orders; no form of ours stands for either."""
    two = info(instruction="Leave your home now.") + info(language="zh-CN", event="山洪", instruction="留在屋里。")
    incoming = from_cap(alert(two), strict=False)
    assert incoming.notes[0].startswith(
        "its languages contradict each other: en-US tells people to leave, zh-CN to stay in"
    )
    assert not incoming.hold
    assert "" == incoming.sense["instruction"]
