"""Texts as data: every set within its segments in every form, never a place that is not open, and what the linter finds."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.channels.messages.frames import frame_for
from services.channels.messages.hazard_text_rules import faults_of, findings
from services.channels.messages.hazard_texts import (
    BY_SMS,
    FORMS,
    MODEL,
    Parts,
    WordSet,
    compose,
    destination,
    limit,
    load,
    shipped,
)
from services.channels.messages.phrases import LINES
from services.channels.messages.phrases import findings as line_findings
from services.channels.messages.render import MessageFacts, render, segments
from services.commands import texts as texts_cli
from services.shared import hazards, i18n
from services.shared.draft_languages import drafts
from services.shared.errors import Refused
from services.shared.ledger.kinds import DeliveryKind
from services.shared.tiers import Tier
from tests.unit.channels.test_render import PARTS, facts

NAMES = sorted(shipped())
LIMITS = {  # words.md: plain 2 segments (blue zh 1), deaf short-plain 1, easy read 1 zh / 2 en
    ("en", "plain"): 2, ("zh", "plain"): 2, ("en", "short"): 1, ("zh", "short"): 1, ("en", "easy"): 2, ("zh", "easy"): 1,
    ("en", "braille"): 2, ("zh", "braille"): 2,
}  # fmt: skip


def test_the_sets_that_ship() -> None:
    """Every hazard that says what it is, in two languages; none is called checked before its readers have read it."""
    assert set(hazards.known()) - {"unknown"} == set(NAMES)
    for words in shipped().values():
        assert {"en", "zh"} <= set(words.languages)
        assert {words.state(language) for language in words.languages} <= {"draft", "translated"}
    assert {"draft", "translated"} == {lines.state for lines in LINES.values()}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_form_fits_its_segments(name: str, language: str) -> None:
    """With the place named and without, at every tier; the source, the place and the number are always in."""
    words, model = shipped()[name], MODEL[language]
    for parts in (model, dataclasses.replace(model, place_open=False), dataclasses.replace(model, one_way=True)):
        for tier, instruction in words.languages[language].cells():
            for form in FORMS:
                text = compose(words, language, tier, instruction, form, parts)
                most = LIMITS.get((language, form), 0)
                if (language, form, tier) == ("zh", "plain", Tier.BLUE):
                    most = 1
                assert most == limit(language, tier, form)
                if most:
                    assert segments(text).count <= most, text
                if form != "spoken":
                    assert "4721" in text
                assert "{" not in text
                assert (
                    parts.short_source if form in ("short", "braille", "easy") and language == "en" else parts.source
                ) in text


@pytest.mark.parametrize("name", NAMES)
def test_the_linter_passes_what_ships(name: str) -> None:
    """No fault in any."""
    assert [] == list(findings(shipped()[name]))
    assert [] == list(line_findings())


def test_the_model_red_flood_text() -> None:
    """Measured: the red flood in the short form is one segment in both languages."""
    words = shipped()["flash_flood"]
    english = compose(words, "en", Tier.RED, "leave", "short", MODEL["en"])
    assert (
        "Qingshui County: Red warning: flood. Hedong, Xiawan. Leave now. Go to Nanling School. Avoid water. "
        "Water may come by 01:00. Reply 1 going, 2 help. No.4721"
    ) == english
    assert (1, "gsm-7") == (segments(english).count, segments(english).encoding)
    chinese = compose(words, "zh", Tier.RED, "leave", "short", MODEL["zh"])
    assert (
        "【清水县应急局】红色预警:山洪。河东、下湾。现在离开。去南岭学校。不要过水。1时前可能来水。走了回1,要帮助回2。编号4721"
        == chinese
    )
    assert (1, 63) == (segments(chinese).count, segments(chinese).units)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_nobody_is_sent_to_a_place_that_is_not_open(name: str, language: str) -> None:
    """Not confirmed, the place is in no form; asked for by hand, it is refused."""
    words = shipped()[name]
    parts = dataclasses.replace(MODEL[language], place_to="Hill 66", place_open=False)
    for tier, instruction in words.languages[language].cells():
        for form in FORMS:
            assert "Hill 66" not in compose(words, language, tier, instruction, form, parts)
    with pytest.raises(Refused, match="not confirmed open"):
        destination(words, language, parts, must=True)
    opened = dataclasses.replace(parts, place_open=True)
    if words.languages[language].to:
        assert "Hill 66" in destination(words, language, opened, must=True)


@pytest.mark.parametrize(
    ("text", "key", "language", "said"),
    [
        ("Leave now. This is NOT A DRILL.", "plain", "en", "drill"),
        ("现在离开。这不是演练。", "plain", "zh", "drill"),
        ("See https://x.example now.", "plain", "en", "link"),
        ("See flood.gov now.", "plain", "en", "link"),
        ("Go to Nanling School now.", "plain", "en", "{to}"),
        ("LEAVE NOW.", "plain", "en", "capitals"),
        ("Leave now – go.", "plain", "en", "GSM-7"),
        ("Leave now and take your medicine.", "short", "en", "one idea"),
        ("Leave now, walk uphill.", "short", "en", "one idea"),
        ("Leave now; walk uphill.", "easy", "en", "one idea"),
        ("Leave your house now by the front door and up the long hill channel.", "easy", "en", "10 words"),
        ("现在离开,往高处走,不要过水。", "short", "zh", "one idea"),
        ("现在马上离开您的家往村子后面的高处走。", "easy", "zh", "16 characters"),
    ],
)
def test_what_the_linter_finds(text: str, key: str, language: str, said: str) -> None:
    """Each rule by a text that breaks it."""
    assert any(said in fault for fault in faults_of(text, key, language)), list(faults_of(text, key, language))


def copied(folder: Path, *changes: tuple[str, str]) -> Path:
    """The flood's texts in English with these changes, where a language's texts stand."""
    source = (i18n.FOLDER / "en" / "hazards" / "flash_flood.yaml").read_text(encoding="utf-8")
    for old, new in changes:
        assert old in source, old
        source = source.replace(old, new, 1)
    file = folder / "en" / "hazards" / "w.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(source, encoding="utf-8")
    return file


def red(hazard: str, instruction: str, texts: str, more: str = "") -> str:
    """A small file of texts with one text in it."""
    return (
        f"state: draft\nname: {hazard}\neasy_name: {hazard}\nabout: [{hazard}]\n{more}texts:\n"
        f"  red:\n    {instruction}: {{headline: {hazard}, {texts}}}\n"
    )


def found_in(folder: Path, text: str, hazard: str = "w", language: str = "en") -> list[str]:
    """What the linter says of a file with this text."""
    file = folder / language / "hazards" / f"{hazard}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return list(findings(WordSet(hazard, {language: load(file)})))


LEAVE = 'plain: "Leave now {to}.", short: "Leave now {to}.", easy: "Leave now {to}."'
STAY_ZH = 'plain: "留在屋里。", short: "留在屋里。", easy: "留在屋里。"'
STAY = 'plain: "Stay in.", short: "Stay in.", easy: "Stay in."'


def test_a_text_tells_people_what_it_is_there_for(tmp_path: Path) -> None:
    """A text that is filed under one instruction and gives another would be sent for it."""
    away = 'away: "to high ground"\n'
    assert [] == found_in(tmp_path, red("flood", "leave", LEAVE, away))
    assert [] == found_in(tmp_path, red("gas", "stay_in", STAY))
    assert any(
        "does not tell people to stay_in, but leave" in f
        for f in found_in(tmp_path, red("gas", "stay_in", LEAVE, away))
    )
    assert any("tells everybody to stay_in" in f for f in found_in(tmp_path, red("heat", "check_on", STAY)))
    assert any("does not tell people to avoid" in f for f in found_in(tmp_path, red("ice", "avoid", STAY)))


def test_languages_that_say_something_else_are_found(tmp_path: Path) -> None:
    """Leave in one and stay in in the other; a text that only one of them has."""
    texts, file = {}, tmp_path
    for language, text in (
        ("en", red("flood", "leave", LEAVE, 'away: "to high ground"\n')),
        ("zh-Hans", red("洪", "leave", STAY_ZH)),
    ):
        file = tmp_path / language / "hazards" / "w.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        texts[language[:2]] = load(file)
    assert any("en says leave, zh says stay_in" in fault for fault in findings(WordSet("w", texts)))
    file.write_text(red("洪", "stay_in", STAY_ZH), encoding="utf-8")
    said = list(findings(WordSet("w", texts | {"zh": load(file)})))
    assert any("zh: has no text for red, leave, which another language has" in fault for fault in said)


def test_no_hour_where_none_can_be_known_and_no_danger_at_blue(tmp_path: Path) -> None:
    """An hour for an earthquake is a false prediction; blue frightens nobody."""
    due = 'due: {from: "From {impact}.", by: "By {impact}."}\n'
    text = red("earthquake", "stay_in", STAY)
    assert [] == found_in(tmp_path, text, "aftershock")
    assert any("nobody can say when" in f for f in found_in(tmp_path, due + text, "aftershock"))
    blue = red("gas", "monitor", 'plain: "Danger. Listen.", short: "Listen.", easy: "Listen."').replace("red:", "blue:")
    assert any("speaks of danger at blue" in fault for fault in found_in(tmp_path, blue))
    named = red("gas", "stay_in", STAY).replace("easy_name: gas", "easy_name: Danger. Gas")
    assert any("at every tier" in fault for fault in found_in(tmp_path, named))


def test_a_text_that_is_too_long_is_found(tmp_path: Path) -> None:
    """Counted at the model's values, with the text in the finding."""
    file = copied(tmp_path, ("Avoid water.", "Do not cross the cold water. Do not stay in cars."))
    said = findings(WordSet("w", {"en": load(file)}))
    assert any("2 segments" in fault and "at most 1" in fault for fault in said)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("name: flood", "names: flood", "line 3, names: 'names' is not known here; use about"),
        ("about: [flood", "about: []\nx: [flood", "x"),
        ("about: [flood, reservoir, river]", "about: []", "about"),
        ("state: draft", "state: perfect", "translated"),
        ("state: draft", "state: checked", "checked_by"),
        ('      headline: "flash flood"\n', "", "texts.red.leave.headline: the entry 'headline' is missing"),
        ("  red:\n", "  purple:\n", "purple"),
        ("    leave:", "    run:", "'run' is not on the list"),
        ("texts:\n", "texts: [{\n", "YAML"),
    ],
)
def test_a_set_with_a_fault_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    """With the file, the place and what to do."""
    file = copied(tmp_path, (old, new))
    with pytest.raises(Refused, match=r"w\.yaml") as refused:
        load(file)
    assert said in refused.value.message


def test_a_language_without_forms_has_no_sets(tmp_path: Path) -> None:
    file = tmp_path / "xx" / "hazards" / "w.yaml"
    with pytest.raises(Refused, match="add the language there"):
        load(file)


def with_set(**more: object) -> MessageFacts:
    return facts(parts={**PARTS, "set": "flash_flood", "instruction": "leave", "to": {"name": "Nanling School", "open": True}},
                 **more)  # fmt: skip


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_short_and_the_easy_form_are_the_sets_own(language: str) -> None:
    """The plain form stays the authority's; a form for deaf or slow readers is not a sentence cut off."""
    short = render(with_set(form="short_plain"), language).text
    assert 1 == segments(short).count
    assert {"en": "Leave now. Go to Nanling School.", "zh": "现在离开。去Nanling School。"}[language] in short
    easy = render(with_set(form="easy_read"), language).text
    assert {"en": "Danger: a flood.", "zh": "危险:发大水。"}[language] in easy
    assert {"en": "uphill to Nanling School", "zh": "步行往高处到南岭学校"}[language] in render(
        with_set(), language
    ).text


def test_a_set_that_is_about_something_else_is_not_used() -> None:
    """Another response, or another word for the hazard: a cold wave is never told in the words of heat."""
    stay = facts(parts={**PARTS, "set": "flash_flood", "instruction": "stay_in"}, form="short_plain")
    assert "Walk up" not in render(stay, "en").text
    cold = {**PARTS["en-US"], "hazard": "Cold wave", "action": "Look after old people."}  # type: ignore[dict-item]
    parts = {**PARTS, "en-US": cold, "set": "heat", "instruction": "check_on"}
    assert "hot" not in render(facts(parts=parts, form="easy_read"), "en").text
    heat = {**parts, "en-US": {**cold, "hazard": "Heat wave"}}
    assert "hot" in render(facts(parts=heat, form="easy_read"), "en").text


def test_a_closed_place_is_never_in_a_message_made_of_a_set() -> None:
    """Only the word open, and nothing like it, is open."""
    for word in (False, "yes", 1, None):
        parts = {**PARTS, "set": "flash_flood", "instruction": "leave", "to": {"name": "Old School", "open": word}}
        assert "Old School" not in render(facts(parts=parts, form="short_plain"), "en").text


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ("leave_early", "leave now, before the others"),
        ("ask_transport", "No transport? Reply 2."),
        ("backup_hours", "Battery for your machine low?"),
        ("moved_of_headcount", "How many of your people are out?"),
    ],
)
def test_what_a_form_adds(extra: str, said: str) -> None:
    """In the SMS, which has a third segment rather than no time or place, and in the call."""
    done = render(facts(form=f"plain+{extra}"), "en")
    assert said in done.text
    assert segments(done.text).count <= 3
    assert said in done.spoken
    assert "4721" in done.text


def test_a_channel_without_links_or_replies() -> None:
    """No link goes where links are blocked; where nobody can reply, a number to call stands instead."""
    link = "https://warn.example/a/x"
    helper = facts(addressee="supporter", about="Mr W", link=link)
    assert link in render(helper, "en").text
    assert "http" not in render(dataclasses.replace(helper, links=False), "en").text
    one_way = render(facts(two_way=False), "en").text
    assert "Help: call 12345." in one_way
    assert "Reply 1" not in one_way
    assert "Help: call 12345." in render(dataclasses.replace(with_set(form="short_plain"), two_way=False), "en").text


def test_a_card_and_a_crawl() -> None:
    """A line a sentence in large print; one line, without answers and with the number to check, on the screen."""
    card = render(facts(sms=False, form="large_print_card"), "en").text
    assert "Do not walk or drive through water." in card.splitlines()
    crawl = render(facts(sms=False, form="crawl", addressee="area"), "en").text
    assert "\n" not in crawl
    assert "12345" in crawl
    assert "Reply" not in crawl


def test_helpers_officials_and_screen_readers() -> None:
    """Inside the zone a helper is told of their own danger first; an official is asked for a 4; "No." is read as number."""
    inside = render(facts(addressee="supporter", form="helper_in", about="Mr W"), "en").text
    assert "This is about you too" in inside
    assert "do not go there" in inside
    beside = {"addressee": "supporter", "form": "helper_home", "about": "Mr W"}
    leaves = render(facts(**beside, parts=PARTS | {"instruction": "leave"}), "en").text
    stays = render(facts(**beside, parts=PARTS | {"instruction": "stay_in"}), "en").text
    for text in (leaves, stays):
        assert "You live with Mr W." in text
        assert "do not go there" not in text
    assert "Take them with you now" in leaves
    assert "Take them" not in stays, "into the gas"
    assert (
        "Reply 4 1234 when you have read this"
        in render(facts(kind=DeliveryKind.OFFICIAL, addressee="worker", form="official"), "en").text
    )
    assert (
        "does not answer"
        in render(facts(kind=DeliveryKind.OFFICIAL, addressee="worker", form="official_above"), "en").text
    )
    above = facts(kind=DeliveryKind.OFFICIAL, addressee="worker", form="official_above_phone")
    assert "Take over by phone" in render(above, "en").text
    assert "Number 4721" in render(facts(form="spoken+screen_reader"), "en").text


@pytest.mark.parametrize(
    ("told", "english", "chinese"),
    [
        ("stay_in", "stay indoors", "请留在室内"),
        ("leave", "leave as the others do", "请与大家一起撤离"),
        ("", "do as the warning says", "请按预警要求做"),
    ],
)
def test_where_nobody_goes_out_whoever_is_asked_to_help_is_told_so(told: str, english: str, chinese: str) -> None:
    """Officers by phone only and what to do themselves; officials are not told to begin; a helper is not told to go."""
    of = {"addressee": "worker", "about": "Mr W", "about_place": "Lane 3"}
    for form, kind in (("officer_phone", DeliveryKind.WARNING), ("official_phone", DeliveryKind.OFFICIAL)):
        made = facts(form=form, kind=kind, **of)
        made = dataclasses.replace(made, parts={**made.parts, "instruction": told})
        said = render(made, "en").text
        assert "Phone only" in said
        assert english in said
        assert "visit, as they can use" not in said
        assert "Begin now" not in said
        assert "nobody goes out" not in said, "they may be told to leave themselves"
        assert chinese in render(made, "zh").text
    helper = facts(addressee="supporter", form="helper_phone", about="Mr W")
    for language, never in (("en", "nobody may go out"), ("zh", "谁也不")):  # the person may be told to leave
        assert {"en": "do not go there: it is not safe", "zh": "不要前往"}[language] in render(helper, language).text
        assert never not in render(helper, language).text


@pytest.mark.parametrize(
    ("told", "keys", "menu", "chinese"),
    [
        (
            "leave",
            "Press 1 if you are moving your people.",
            "1 we are moving, 2 need transport, 3 all are out",
            "正在转移",
        ),
        ("stay_in", "Press 1 when all are inside", "1 all inside, doors shut, 2 need help", "已全部进屋"),
        ("go_up", "Press 1 when all are upstairs", "1 all upstairs, 2 need help", "已全部上楼"),
        ("boil", "Press 1 if you can do this for all", "1 we can do it for all, 2 need help", "全部都能照做"),
        ("", "Press 1 if you can do this for all", "1 we can do it for all, 2 need help", "全部都能照做"),
    ],
)
def test_a_house_of_many_answers_for_all_in_it(told: str, keys: str, menu: str, chinese: str) -> None:
    """By call and by text; who lives there is asked as a person is, and so is a house in a language we have no words in."""
    made = facts(addressee="facility", form="facility_brief", tier=Tier.RED)
    made = dataclasses.replace(made, parts={**made.parts, "instruction": told})
    assert keys in render(made, "en").spoken
    assert menu in render(made, "en").text
    assert chinese in render(made, "zh").spoken
    resident = dataclasses.replace(made, addressee="person")
    assert keys not in render(resident, "en").spoken
    assert menu not in render(resident, "en").text
    german = dataclasses.replace(made, parts={**made.parts, "languages": ["de"], "de": made.parts["en-US"]})
    assert frame_for("de").keys["other"] in render(german, "de").spoken


@pytest.mark.parametrize("name", ["supporter_phone", "officer_phone", "official_phone", "superior_phone"])
def test_a_text_to_a_helper_or_officer_says_whose_it_is(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Source and number stand in each, also where nobody may go out."""
    monkeypatch.setitem(LINES, "en", dataclasses.replace(LINES["en"], **{name: "Phone {who}. No. {number}."}))  # type: ignore[arg-type]
    assert any(f"{name}: {{source}} is missing" in one for one in line_findings())


def test_the_commands(tmp_path: Path) -> None:
    """check says the faults and 1; show says the segments and refuses a place that is not open; list says the states."""
    run = CliRunner().invoke
    good = run(texts_cli.app, ["check"])
    counted, states = good.output.splitlines()[-1].split("; ")
    assert (0, "24 sets, 0 faults") == (good.exit_code, counted)
    assert {"en draft", "zh translated", *(f"{language} draft" for language in drafts())} == {*states.split(", ")}
    assert f"{', '.join(drafts())}: form, places, lengths and what is missing are checked" in good.output
    bad = copied(tmp_path, ("Leave now. Go {to}.", "Leave now and do not stay. Go {to}."))
    found = run(texts_cli.app, ["check", str(bad)])
    assert 1 == found.exit_code
    assert "one idea a sentence" in found.output
    shown = run(
        texts_cli.app, ["show", "flash_flood", "--tier", "red", "--form", "short", "--place", "Hill 66", "--open"]
    )
    assert "[red leave short: 1 x gsm-7" in shown.output
    assert "Go to Hill 66." in shown.output
    closed = run(texts_cli.app, ["show", "flash_flood", "--place", "Hill 66"])
    assert isinstance(closed.exception, Refused)
    listed = run(texts_cli.app, ["list"]).output
    assert re.search(r"^flash_flood: (?:\w+ draft, )*en draft, (?:\w+ draft, )*zh translated$", listed, re.MULTILINE)


def test_parts_are_asked_for() -> None:
    """What every message needs has no default."""
    with pytest.raises(TypeError):
        Parts()  # type: ignore[call-arg]


def test_a_page_of_every_text_to_be_signed(tmp_path: Path) -> None:
    """Each hazard, tier, instruction and form in the languages asked for, with segments; answers and endings; else refused."""
    run = CliRunner().invoke
    page = run(texts_cli.app, ["table", "--languages", "en,zh"]).output
    cells = sum(len({*words.languages["en"].cells()}) for words in shipped().values())
    assert page.count("<small>") == cells * len(BY_SMS) * 2
    assert "gsm-7" in page
    assert "Reply 1 inside, 2 need help, 3 not there." in page
    assert "现在打开所有门窗" in page
    assert isinstance(run(texts_cli.app, ["table", "--languages", "xx"]).exception, Refused)
