"""What a text tells people to do: orders found in two languages, and texts that cannot both be followed."""

from __future__ import annotations

import time

import pytest

from services.shared.hazards.instructions import (
    INSTRUCTIONS,
    NAMES,
    Told,
    against_asked,
    contradiction,
    dropped,
    instruction_of,
    of_texts,
    told_in,
)

EVERYBODY = [
    ("en", "Leave now, on foot, uphill to Nanling School.", {"leave"}),
    ("en", "Move immediately to higher ground.", {"leave"}),
    ("en", "Evacuate your home at once.", {"leave"}),
    ("en", "Leave the building now.", {"leave"}),
    ("en", "Go upstairs now. Do not go outside.", {"go_up", "stay_in"}),
    ("en", "TAKE COVER NOW! Move to a basement or an interior room.", {"stay_in"}),
    ("en", "Stay in. Close doors and windows, turn off fans.", {"stay_in"}),
    ("en", "Close doors and windows and leave at once.", {"leave"}),
    ("en", "Shelter in place.", {"stay_in"}),
    ("en", "Do not leave your home.", {"stay_in"}),
    ("en", "Keep away from river banks.", {"avoid"}),
    ("en", "Boil tap water before you drink it.", {"boil"}),
    ("en", "Pack medicine, charge your phone.", {"prepare"}),
    ("en", "Be prepared to evacuate.", {"prepare"}),
    ("en", "Monitor local conditions.", {"monitor"}),
    ("en", "Nothing to do now.", {"none"}),
    ("en", "You need not leave.", {"none"}),
    ("en", "The evacuation centre is at the school.", set()),
    ("en", "The warning remains in effect for coastal areas.", set()),
    ("en", "Leave the lights on.", set()),
    ("en-AU", "Take shelter indoors.", {"stay_in"}),
    ("zh-CN", "现在离家,往高处走。", {"leave"}),
    ("zh-CN", "现在去南岭学校。", {"go_to_place"}),
    ("zh-CN", "马上上楼,不要出门。", {"go_up", "stay_in"}),
    ("zh-CN", "留在屋里,关门窗。", {"stay_in"}),
    ("zh-CN", "不要去河边。", {"avoid"}),
    ("zh-CN", "水烧开再喝。", {"boil"}),
    ("zh-TW", "請進入室內,關好門窗。", {"stay_in"}),
    ("zh-TW", "立即撤離。", {"leave"}),
    ("zh-CN", "不用转移。", {"none"}),
    ("en", "Get out of the water.", {"avoid"}),
    ("en", "Use bottled water only.", {"avoid"}),
    ("en", "Use cooled boiled water.", {"boil"}),
    ("en", "Roofs may be peeled or blown off.", set()),
    ("en", "Be well away from the sea wall.", {"avoid"}),
    ("zh-CN", "请饮用瓶装水。", {"avoid"}),
    ("zh-CN", "不喝生水。", {"boil"}),
    ("zh-HK", "請離開岸邊。", {"avoid"}),
    ("en", "There is no need to boil it.", set()),
    ("en", "Stay in, unless told to leave.", {"stay_in"}),
]


@pytest.mark.parametrize(("language", "text", "told"), EVERYBODY)
def test_orders_are_found(language: str, text: str, told: set[str]) -> None:
    found = told_in(text, language)
    assert found is not None
    assert told == set(found.everybody), found


@pytest.mark.parametrize(
    ("language", "text", "some"),
    [
        ("en", "If you are told to, leave your home.", {"leave"}),
        ("en", "People in low-lying coastal areas should move inland to higher ground.", {"leave"}),
        ("en", "Slow? Go now to high ground.", {"leave"}),
        ("zh-CN", "沿海低洼地、工棚、渔船人员立即转移。", {"leave"}),
        ("zh-CN", "老人、病人现在去学校。", {"go_to_place"}),
    ],
)
def test_what_only_some_are_told_is_told_to_some(language: str, text: str, some: set[str]) -> None:
    found = told_in(text, language)
    assert found is not None
    assert (set(), some) == (set(found.everybody), set(found.some)), found


def test_of_a_language_without_patterns_nothing_is_claimed() -> None:
    assert told_in("ཆུ་ལོག", "bo") is None
    assert set(INSTRUCTIONS) == set(NAMES)


OPPOSITE = [  # what hearing people were told, and what a text for deaf or slow readers once said instead
    ("en", "Go upstairs now. Do not go outside.", "Leave now. Go to high ground."),
    ("zh", "马上上楼,不要出门。", "现在出门。往高处走。"),
    ("en", "Leave the building now.", "Stay in. Shut doors and windows."),
    ("zh", "沿海低洼地、工棚、渔船人员立即转移。", "留在屋里。不要出门。"),
    ("en", "People in danger areas leave now.", "Stay in. Do not go out."),
    ("zh", "危险区人员立即转移。", "马上关门窗。"),
    ("en", "TAKE COVER IN A SUBSTANTIAL SHELTER now.", "Leave now."),
    ("en", "Stay indoors.", "You can do all as usual."),
]


@pytest.mark.parametrize(("language", "theirs", "ours"), OPPOSITE)
def test_the_opposite_is_a_contradiction(language: str, theirs: str, ours: str) -> None:
    mine, own = told_in(ours, language), told_in(theirs, language)
    assert mine is not None
    assert own is not None
    assert contradiction(mine, own) or dropped(mine, own)


LEFT_OUT = [
    (
        "en",
        "Take cover immediately, if threatening weather approaches. Go indoors.",
        "Bring in loose things. Charge phone.",
    ),
    ("en", "Move inland to higher ground.", "The warning continues in effect."),
    ("zh", "马上转移。", "备好药。手机充满电。"),
    ("en", "Do not drink the tap water. Use bottled water.", "Fill water now."),
    ("en", "Do not use the water.", "Boil tap water before you drink."),
    ("zh", "請遠離河床。", "备好药。手机充满电。"),
    ("zh", "不要喝自来水,饮用瓶装水。", "水烧开再喝。"),
]


@pytest.mark.parametrize(("language", "theirs", "ours"), LEFT_OUT)
def test_where_people_are_to_be_and_what_harms_them_is_not_left_out(language: str, theirs: str, ours: str) -> None:
    mine, own = told_in(ours, language), told_in(theirs, language)
    assert mine is not None
    assert own is not None
    assert dropped(mine, own)


def test_the_same_said_more_closely_contradicts_nothing() -> None:
    """To leave and to go to a place is one thing; upstairs is inside; two groups with an order each are one order."""
    for one, other in (
        (Told(frozenset({"leave"})), Told(frozenset({"go_to_place"}))),
        (Told(frozenset({"go_up"})), Told(frozenset({"stay_in"}))),
        (Told(frozenset({"stay_in"}), frozenset({"leave"})), Told(frozenset({"stay_in"}), frozenset({"leave"}))),
        (Told(frozenset({"prepare"})), Told(frozenset({"leave"}))),
    ):
        assert contradiction(one, other) is None
        assert contradiction(other, one) is None
    whole = Told(frozenset({"stay_in"}), frozenset({"leave"}))
    assert contradiction(Told(frozenset({"stay_in"})), whole) == ("stay_in", "leave"), (
        "some of those who leave would stay"
    )


AGREE = [  # the same warning in two languages, as county offices write them
    ("Stay at home unless told to leave.", "非必要不外出,接到转移通知后立即转移。"),
    ("Stay indoors. If you are told to evacuate, leave at once.", "留在家中,不要外出。"),
    ("Leave your home and move to the side of the slope. Do not go down the gully.", "现在离家,往滑坡两侧高处走。"),
    ("Leave your home and go to the nearest shelter.", "请尽快离开家到最近的避难场所。"),
    ("Evacuate now. Before you leave, turn off gas.", "立即撤离。撤离前关闭燃气。"),
    ("Do not wait to leave. Walk to Nanling School.", "不要等通知,立即步行前往南岭学校。"),
    ("Evacuate now. Close doors and windows and leave.", "关好门窗后立即撤离。"),
    ("It is too late to leave. Shelter in a solid building.", "已来不及撤离,躲进坚固的房屋。"),
    ("Do not stay in damaged buildings. Go to open ground.", "不要留在受损房屋内,到空旷处去。"),
    ("Low-lying areas: evacuate. All others: do not leave your home.", "低洼地区居民撤离。其余居民不要出门。"),
    ("Leave your home. Do not leave by car.", "必须离开家。不要开车。"),
    ("Boil water before drinking.", "水煮沸后再喝。"),
    (
        "Get off the beach and go to high ground. Do not return until told it is safe.",
        "离开海滩到高处。未经通知不要返回。",
    ),
    ("Take shelter in a storm shelter.", "有关部门提醒:就地躲避。"),
    ("Go to a storm shelter.", "就近到安全场所躲避。"),
]


@pytest.mark.parametrize(("english", "chinese"), AGREE)
def test_languages_that_agree_are_not_refused(english: str, chinese: str) -> None:
    """And each is read as telling people one thing: neither contradicts itself."""
    told = [told_in(english, "en"), told_in(chinese, "zh-CN")]
    assert told[0] is not None
    assert told[1] is not None
    assert told[0].anybody, told
    assert told[1].anybody, told
    assert contradiction(told[0], told[1]) is None, told
    for one in told:
        assert one is not None
        assert not ({"stay_in", "go_up"} & one.everybody and {"leave", "go_to_place"} & one.everybody), one


def test_what_people_may_be_told_later_is_the_opposite_of_nothing() -> None:
    stay, later = told_in("Stay in.", "en"), told_in("If told to leave, leave.", "en")
    assert stay is not None
    assert later is not None
    assert {"leave"} <= later.later, later
    assert contradiction(stay, later) is None
    both = told_in("Stay in. If told to, leave.", "en")
    assert both is not None
    assert dropped(stay, both) == "", "a short text need not say it"
    assert dropped(Told(frozenset({"prepare"})), later) == "leave", "one that says nothing else of where to be does"
    now = told_in("People near the river leave now.", "en")
    assert now is not None
    assert contradiction(stay, now) == ("stay_in", "leave")


@pytest.mark.parametrize(
    ("asked", "text", "found"),
    [
        ("evacuate", "Leave now.", "leave"), ("evacuate", "Go upstairs now.", "go_up"), ("evacuate", "Stay in.", ""),
        ("evacuate", "", "leave"), ("shelter_in", "Go upstairs.", "go_up"), ("shelter_in", "Stay in.", "stay_in"),
        ("shelter_in", "Leave now.", ""), ("avoid", "Boil tap water.", "boil"), ("avoid", "Leave now.", ""),
        ("execute", "Boil tap water.", "boil"), ("execute", "Leave now.", ""), ("", "Leave now.", ""),
        ("monitor", "Keep away from the river.", "monitor"), ("prepare", "Leave now.", ""),
        ("evacuate", "Leave now. Others stay in.", "leave"), ("as_told", "Leave now.", ""),
        ("shelter_in", "If told to, leave. Until then stay in.", "stay_in"),
        ("prepare", "Pack medicine. If told to, leave.", "prepare"),
        ("evacuate", "People in danger areas leave now. Others stay in.", "leave_or_stay"),
        ("shelter_in", "People in danger areas leave now. Others stay in.", "leave_or_stay"),
        ("evacuate", "People near the river leave now. Others go upstairs.", "leave_or_stay"),
        ("shelter_in", "Leave now. Those who cannot leave stay in.", ""),
        ("avoid", "People in danger areas leave now. Others stay in.", ""),
    ],
)  # fmt: skip
def test_the_one_instruction_of_an_alert(asked: str, text: str, found: str) -> None:
    """Its code, said more closely by its words; none where the two disagree, and none where no code says one."""
    assert found == instruction_of(asked, told_in(text, "en"))


def test_languages_are_held_against_each_other() -> None:
    """What one tells everybody and another forbids them is named, with both; of a language without patterns nothing is said."""
    told, against = of_texts("evacuate", {"en": "Leave now.", "zh-CN": "马上离家。", "bo": "ཆུ་ལོག"})
    assert ("leave", None) == (told, against)
    told, against = of_texts("evacuate", {"en": "Leave now.", "zh-CN": "留在屋里。"})
    assert told == ""
    assert against is not None
    assert (("en", "zh-CN"), ("leave", "stay_in")) == (against.languages, against.orders)
    assert ("stay_in", None) == of_texts("shelter_in", {"bo": "ཆུ་ལོག"})
    assert ["stay_in", "", ""] == [
        against_asked("evacuate", told_in(text, "en")) for text in ("Stay in.", "Leave now.", "The school is open.")
    ]


def test_a_text_without_a_stop_takes_no_longer_the_longer_it_is() -> None:
    """A stranger's alert may be one clause of 20,000 signs: it is read in well under a second."""
    for unit, language in (("洪水很大转移", "zh"), ("leave now and ", "en")):
        begun = time.perf_counter()
        told = told_in((unit * 4_000)[:20_000], language)
        assert time.perf_counter() - begun < 2
        assert told is not None
        assert "leave" in told.anybody
