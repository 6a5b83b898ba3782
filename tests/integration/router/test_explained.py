"""Read, compared, foreseen: the golden table, explanations in words, comparisons with names, a million people in seconds."""

from __future__ import annotations

import sqlite3
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from bench.policy import plan as plan_people
from services.commands.example_people import made_up, of_group
from services.commands.policy import app, of_register
from services.commands.printing import print_pdf
from services.router.explaining.compare import compare, in_words
from services.router.explaining.explain import WORKING, explain
from services.router.explaining.foresee import foresee, made_up_warning
from services.router.explaining.table import as_page
from services.router.planning.contexts import SHIPPED
from services.router.policy.engine import read
from services.router.policy.vocabulary import EVIDENCE_ORDER, TEAMS
from services.router.report.words import lines, plain, reason_words
from services.router.store.tables import encode
from services.shared import labels as pw
from services.shared.errors import Refused
from services.shared.hazards import known
from services.shared.i18n import speaking, t
from services.shared.ledger.evidence import ENDINGS, Answer, Evidence
from services.shared.ledger.states import SendState
from services.shared.settings import Settings
from services.shared.tiers import TIER_WORDS, Tier
from tests.kit.router_alone import MIDNIGHT, NOON, contact, one, router_town, worker
from tools.golden_table import FOLDER, made

TEXT = SHIPPED.read_text(encoding="utf-8")
POLICY = read(TEXT)


@pytest.mark.parametrize("name", sorted(made()))
def test_what_the_policy_promises_is_written_down(name: str) -> None:
    """All tiers x groups x day and night of each hazard; remake with: python -m tools.golden_table."""
    assert (FOLDER / name).read_text(encoding="utf-8") == made()[name]


def test_no_golden_file_is_left_over() -> None:
    """A hazard that went takes its record along."""
    assert sorted(made()) == sorted(f.name for f in FOLDER.glob("*.txt"))


def test_the_ledgers_steps_are_the_policys() -> None:
    """One list of evidence, in the ledger; the file repeats it for its reader."""
    assert EVIDENCE_ORDER == tuple(step.name.lower() for step in Evidence if step)


def test_every_word_a_path_may_need_is_there_in_two_languages() -> None:
    """Endings, answers, states, groups, teams, hazards; none English in the Chinese column."""
    assert set(ENDINGS) == set(pw.ENDINGS)
    assert {str(a) for a in Answer} == set(pw.ANSWERS)
    assert {str(s) for s in SendState} == set(pw.STATES)
    assert set(POLICY.groups) == set(pw.GROUPS)
    assert set(POLICY.hazards) == set(known())
    assert {part for team in TEAMS for part in team.split("+")} == set(pw.TEAMS)
    for words in (
        pw.CHANNELS,
        pw.LEFT_OUT,
        pw.ANSWERS,
        pw.ENDINGS,
        pw.STATES,
        pw.CONDITIONS,
        pw.GROUPS,
        pw.TEAMS,
        pw.CALLED,
    ):
        for key, english in words.items():
            assert english.isascii(), key
            with speaking("zh-Hans"):
                assert not t(english).isascii(), key
    for hazard in known().values():
        assert hazard.name("en").isascii()
        assert not hazard.name("zh").isascii(), hazard


def test_a_made_up_person_is_explained_by_the_hour() -> None:
    """Each minute with the clock, the reason, the channels left out; judged at each step's time."""
    said = explain(POLICY, Tier.RED, "flash_flood", made_up(["deaf_text"], ["sms", "email"]), "20:58")
    assert "red, flash flood, 20:58 (day), resident: deaf, reading" == said[0]
    assert any(s.startswith("at 5 min (21:03): officer at the door") and "much help needed" in s for s in said), said
    assert not any(s.startswith("at 0 min (20:58): officer at the door") for s in said)
    assert "push message: not used, no such contact is known" in said
    at_night = explain(POLICY, Tier.RED, "flash_flood", made_up(["deaf_text"], ["sms", "email"]), "21:00")
    assert any(s.startswith("at 0 min (21:00): officer at the door") for s in at_night)
    held = explain(POLICY, Tier.BLUE, "storm", made_up([], ["sms"]), "02:00")
    assert any("not asked" in s for s in held)
    with speaking("zh-Hans"):
        chinese = explain(POLICY, Tier.RED, "toxic_release", made_up(["blind"], ["sms", "voice_mobile"]), "02:00")
    assert any("消防名单" in s for s in chinese)
    assert not any("网格员上门" in s for s in chinese)


@pytest.mark.parametrize(
    ("needs", "kinds", "hazard", "at", "said"),
    [
        (["tall"], ["sms"], "storm", "12:00", "--needs"),
        ([], ["telepathy"], "storm", "12:00", "--channels"),
        ([], ["sms"], "boredom", "12:00", "--hazard"),
        ([], ["sms"], "storm", "25:00", "--at"),
    ],
)
def test_an_unknown_word_is_refused(needs: list[str], kinds: list[str], hazard: str, at: str, said: str) -> None:
    """With the option and what it takes."""
    with pytest.raises(Refused, match=said):
        explain(POLICY, Tier.RED, hazard, made_up(needs, kinds), at)


def row(**values: object) -> Any:
    base: dict[str, object] = {
        "channel": "sms", "driver": "sms_twilio", "send_state": "delivered", "state_reason": "", "sent_at": 36_000.0,
        "due_at": 36_000.0, "state_at": 36_000.0, "try_no": 1, "evidence": 2, "evidence_at": 36_060.0, "covers": 1,
        "reason": "red.0", "answer": "", "delivery_id": "d", "slot": "", "kind": "warning",
    }  # fmt: skip
    return SimpleNamespace(**{**base, **values})


def test_a_path_in_words_for_an_officer_and_for_the_person() -> None:
    """The same facts twice, in two languages; the person hears of no step, no state and no code."""
    plan = foresee(made_up_warning(POLICY, Tier.RED, "storm", 720, WORKING), made_up(["blind"], ["sms"])).plan
    rows = [
        row(),
        row(
            channel="door",
            driver="door",
            kind="visit",
            delivery_id="v",
            reason="red.3: open",
            sent_at=37_000.0,
            evidence=7,
            slot="w",
        ),
    ]
    said: Any = {"v": [SimpleNamespace(answer="leaving", by="officer", at=37_440.0)]}
    path: Any = SimpleNamespace(ending="closed", ended_at=37_440.0, end_reason="leaving by officer", next_at=None)
    english = lines(path, plan, rows, {"street_sweep": "hazard_forbids"}, said, 0, policy="default version 1")
    assert "policy default version 1" in english[0]
    assert "10:00 SMS: delivered; delivered 10:01. Why: step 1 of red." in english
    assert any("10:24 (officer): leaving" in s and "nobody has answered for them" in s for s in english)
    assert "call to the mobile: not used, no such contact is known." in english
    assert "street sweep for the area: not used, the hazard forbids sending people." in english
    with speaking("zh-Hans"):
        chinese = lines(path, plan, rows, {}, said, 0)
        plainly = plain(path, plan, rows, said, 0)
    assert any("网格员上门" in s and "已动身" in s for s in chinese)
    told = plain(path, plan, rows, said, 0)
    assert told[0] == "At 10:00 we sent you a text."
    assert "We did not use call to the mobile: you have not given us one. You can add it." in told
    assert told[-1] == "If you see danger, go. Do not wait for us."
    assert not [s for s in told if "red" in s.split() or "step" in s or "evidence" in s]
    assert any("我们请了网格员到您家" in s for s in plainly)


def test_reasons_are_told_in_words() -> None:
    """The ledger keeps the policy's words; nobody has to read those."""
    assert "step 2 of orange (nobody has answered for them; other channel)" == reason_words(
        "orange.1: open; other channel"
    )
    assert "step 1 of red (the supporter is inside the zone too: told, and not asked to go)" == reason_words(
        "red.0; supporter inside the zone, not sent"
    )
    with speaking("zh-Hans"):
        assert "红色第1步(第2次呼叫,共3次)" == reason_words("red.0: call 2 of 3")
        assert "要求帮助" == reason_words("asked for help")
        assert "红色第1步(帮助人在危险区外)" == reason_words("red.0; supporter outside the zone")
        assert "要求帮助;帮助人在危险区外" == reason_words("asked for help; supporter outside the zone")


class _Checked(HTMLParser):
    """Counts tags and notes what a signed page may not hold."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.cells = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "link", "img", "iframe"), tag
        self.cells += tag == "td"
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.open.pop()


@pytest.mark.parametrize("lang", ["en", "zh-Hans"])
@pytest.mark.parametrize("hazard", ["flash_flood", "toxic_release"])
def test_the_page_a_council_signs(lang: str, hazard: str) -> None:
    """Whole HTML of its own, every group at every tier, closings, lines to sign; no door where the hazard forbids it."""
    with speaking(lang):
        page = as_page(POLICY, hazard, of_group)
        names = [pw.say(pw.GROUPS, group) for group in POLICY.groups]
    seen = _Checked()
    seen.feed(page)
    assert [] == seen.open
    assert seen.cells >= len(POLICY.groups) * 4
    assert f'lang="{lang}"' in page
    door = {"en": "officer at the door", "zh-Hans": "网格员上门"}[lang]
    assert (door in page) is (hazard != "toxic_release")
    for name in names:
        assert 4 == page.count(f'<th scope="row">{name}</th>')


def test_the_page_as_pdf(tmp_path: Path) -> None:
    """Printed by the browser that is installed for the tests."""
    to = tmp_path / "table.pdf"
    print_pdf(as_page(POLICY, "storm", of_group), to)
    assert to.read_bytes().startswith(b"%PDF")


async def test_two_policies_are_compared_over_the_register(tmp_path: Path) -> None:
    """Who changes, who loses a channel, by id; doors by hour, teams needed; the withdrawn are not counted."""
    text = TEXT.replace(
        '{at: "earlier of 15 and 10% of lead, at least 2", if: open, do: [officer', "{at: 65, if: open, do: [officer"
    )
    later = read(
        text.replace('{at: "earlier of 30 and 20% of lead, at least 4", if: zone_has', "{at: 66, if: zone_has")
    )
    blind, deaf = made_up(["blind"], ["sms", "voice_mobile"]), made_up(["deafblind"], ["sms", "supporter"])
    with sqlite3.connect(tmp_path / "register.db") as register:
        register.execute("create table registry_profile (profile_key text, body blob)")
        register.execute("create table registry_person (person_id text, profile_key text, status text)")
        for key, one in (("b", blind), ("d", deaf)):
            register.execute("insert into registry_profile values (?, ?)", (key, encode(replace(one, key=key))))
        for n, (key, status) in enumerate((("b", "active"), ("b", "away"), ("b", "moved"), ("d", "active"))):
            register.execute("insert into registry_person values (?, ?, ?)", (f"{n:032x}", key, status))
    register.close()
    found, ids = await of_register(Settings(database_url=f"sqlite+aiosqlite:///{tmp_path / 'register.db'}"))
    people = [(p, len(ids[p.key])) for p in found]
    assert [("b", 2), ("d", 1)] == [(p.key, n) for p, n in people]
    cases = compare(POLICY, later, people, WORKING, hazards=("storm",))
    assert [("red", "day"), ("red", "night")] == [(c.tier.word, c.half) for c in cases if c.changed["b"]]
    red = next(c for c in cases if c.tier == Tier.RED and c.half == "day")
    assert ({0: 3}, {0: 1, 1: 2}) == (dict(red.doors[0]), dict(red.doors[1]))
    assert (1, 1) == (red.teams(0), red.teams(1))
    said = in_words(cases, {p.key: n for p, n in people}, ids, 50, 10)
    assert any("doors hour 1: 3 > 1, hour 2: 0 > 2" in s for s in said)
    assert any(f"{1:032x}" in s for s in said)
    assert not any(f"{2:032x}" in s for s in said)
    gone = read(
        TEXT.replace(
            "do: [broadcast, cell_broadcast, area_sound, personal.all, supporter]", "do: [broadcast, personal.1]"
        )
    )
    lost = next(c for c in compare(POLICY, gone, people, WORKING, hazards=("storm",)) if c.tier == Tier.RED)
    assert "voice_mobile" not in lost.lost["b"]
    assert {"area_sound", "cell_broadcast"} <= set(lost.lost["b"])


def explained(*options: str, at: str = "02:30", tier: str = "red") -> str:
    """What the command says of a flash flood."""
    found = CliRunner().invoke(app, ["explain", "--tier", tier, "--hazard", "flash_flood", "--at", at, *options])
    assert found.exception is None, found.output
    return found.output


def test_the_command_can_ask_of_anybody(tmp_path: Path) -> None:
    """Each option changes what is said, by the register's own derivation; a file says the same as the options."""
    signer = ("--needs", "deaf_signing", "--channels", "sms,video_relay,bed_shaker")
    assert "at 0 min (02:30): cell broadcast, bed shaker, SMS" in explained(*signer, tier="orange")
    assert "loudspeakers and radio do not reach them" in explained(*signer)
    assert ": broadcast" not in explained(*signer)
    assert "no bed shaker" not in explained(*signer)
    assert ": broadcast" in explained()
    assert "numbers that nobody has verified get the public text alone: SMS" in explained("--unverified", "sms")
    assert "the person said no to it" in explained("--said-no", "voice_mobile")
    assert "SMS: not used, the number said STOP" in explained("--stop")
    assert "old and alone" in explained("--age", "80", "--alone")
    wheels = ("--needs", "mobility")
    assert "closes when leaving" in explained(*wheels, "--own-car")
    assert "closes when leaving" not in explained(*wheels)
    assert "is away: nobody goes to the door" in explained("--away", "--age", "80")
    assert "no special need" in explained("--languages", "ug;zh")
    assert "other language" in explained("--languages", "ug")
    assert "a supporter who lives with them" in explained("--channels", "sms,supporter_at_home", "--needs", "cognitive")
    power = ("--needs", "power_medical", "--hazard", "power_cut")
    assert "held at night" not in explained(*power, "--battery", "90", tier="yellow")
    assert "held at night" in explained(*power, "--battery", "1440", tier="yellow")
    assert "no team is sent there" in explained("--needs", "boat")
    file = tmp_path / "her.yaml"
    file.write_text("age: 80\nlives_alone: true\ncontacts: [sms, voice_mobile]\n")
    assert explained("--age", "80", "--alone") == explained("--person", str(file))
    for text, said in (
        ("contacts: [telepathy]", "contacts"),
        ("moves: flies", "moves"),
        ("tall: true", "tall"),
        ("[]", "age: 84"),
        ("facility: 7", "facility"),
    ):
        file.write_text(text)
        fault = CliRunner().invoke(app, ["explain", "--tier", "red", "--person", str(file)]).exception
        assert isinstance(fault, Refused), text
        assert said in fault.message


def test_a_million_people_are_planned_in_seconds() -> None:
    """At 40,000 here: the millionth costs what the first did, and a million are below ten seconds of CPU."""
    _, few = plan_people(POLICY, 20_000)
    demand, more = plan_people(POLICY, 40_000)
    assert 40_000 == demand.people
    assert (more - few) * 50 < 10, "a further 20,000, fifty times"


def test_the_commands(tmp_path: Path) -> None:
    """Each says what it did in words, and a wrong word is one sentence."""
    run = CliRunner().invoke
    good = run(app, ["check", str(SHIPPED)])
    assert (0, "default version 1: 23 groups, 4 tiers, no fault\n") == (good.exit_code, good.output)
    weak = tmp_path / "channels.yaml"
    weak.write_text("sms: {links: false}\n")
    refused = run(app, ["check", str(SHIPPED), "--channels", str(weak)]).exception
    assert isinstance(refused, Refused)
    assert "sms blocks links" in refused.message
    assert "sms:" in run(app, ["channels"]).output
    assert isinstance(run(app, ["table", "--hazard", "boredom"]).exception, Refused)
    page = tmp_path / "page.html"
    assert f"已写入:{page}\n" == run(app, ["table", "--out", str(page), "--lang", "zh"]).output
    assert "预警方案" in page.read_text(encoding="utf-8")
    same = run(app, ["compare", str(SHIPPED), str(SHIPPED), "--hazard", "storm"])
    assert same.output.startswith("0 of 45 people have another path")
    explained = run(app, ["explain", "--tier", "red", "--needs", "blind", "--at", "02:00", "--lang", "zh"])
    assert "全盲" in explained.output


@pytest.mark.parametrize(
    ("tier", "hazard", "start", "kinds", "groups", "flags", "helper"),
    [
        (Tier.RED, "flash_flood", NOON, ("sms", "voice_mobile", "email"), ("blind",), (), ""),
        (
            Tier.RED,
            "toxic_release",
            NOON,
            ("sms",),
            ("deafblind",),
            ("high_support", "cannot_judge", "door_first", "deaf"),
            "outside",
        ),
        (Tier.RED, "storm", MIDNIGHT, ("sms",), ("minor",), (), "outside"),
        (Tier.RED, "flash_flood", MIDNIGHT, ("sms",), ("cognitive",), ("high_support", "cannot_judge"), "outside"),
        (Tier.ORANGE, "flash_flood", MIDNIGHT, ("voice_landline", "sms"), ("older_alone",), (), "inside"),
        (
            Tier.ORANGE,
            "storm",
            MIDNIGHT,
            ("sms", "video_relay", "bed_shaker"),
            ("deaf_signing",),
            ("bed_shaker", "deaf"),
            "",
        ),
        (Tier.RED, "flash_flood", NOON, ("sms", "voice_mobile"), ("boat",), (), ""),
        (Tier.ORANGE, "storm", NOON, ("sms", "voice_mobile"), ("minor",), ("child_alone", "alone"), "inside"),
        (Tier.ORANGE, "power_cut", NOON, ("sms", "voice_mobile"), ("power_medical",), ("backup_240",), ""),
        (Tier.YELLOW, "landslide", MIDNIGHT, ("sms",), ("cognitive",), ("high_support", "cannot_judge"), "outside"),
        (
            Tier.RED,
            "storm",
            NOON,
            ("duty_phone_1", "duty_phone_2", "sms"),
            ("facility",),
            ("high_support", "cannot_leave"),
            "",
        ),
    ],
)
async def test_what_is_foreseen_is_what_is_sent(
    tmp_path: Path,
    tier: Tier,
    hazard: str,
    start: float,
    kinds: tuple[str, ...],
    groups: tuple[str, ...],
    flags: tuple[str, ...],
    helper: str,
) -> None:
    """A real person's ledger, nobody answering, holds at each minute what the tables and explanations say of the profile."""
    kind = "facility" if "facility" in groups else "resident"
    async with router_town(tmp_path, start) as there:
        who, profile = one(1, *kinds, groups=groups, flags=flags, kind=kind, helper=helper)
        lines_of = ("sms", "voice_mobile")  # as the register takes down a helper's mobile
        called = [replace(h, contacts=tuple(contact(k, "h") for k in lines_of)) for h in who.supporters]
        who = replace(who, supporters=tuple(called))
        warning = await there.issue(tier=tier, hazard=hazard, hours=24, doors="allowed")
        await there.page(warning, [(who, profile)], [worker("a", "g"), worker("b", "h", skills=["superior"])])
        await there.at(600, start)
        rows = [
            ((float(r.due_at) - start) / 60, r.channel)
            for r in await there.rows()
            if r.step.partition(".")[0] in ("facility", "deadline", *TIER_WORDS) and r.addressee_kind != "area"
        ]
    ctx = made_up_warning(POLICY, tier, hazard, int(start % 86400 / 60), WORKING, doors="allowed")
    names = {"supporter": "supporter_sms", "superior": "officer_sms", "moved_of_headcount": "voice_duty"}
    acts = [
        (a.minute, names.get(a.channel, a.channel.partition(":")[0]))
        for a in foresee(ctx, profile).acts
        if a.to != "area"
    ]
    assert len(rows) >= 3
    assert _first(rows) == _first(acts)


def _first(done: list[tuple[float, str]]) -> dict[str, float]:
    """Channel > the minute it is used first."""
    return {channel: round(minute, 2) for minute, channel in sorted(done, reverse=True)}
