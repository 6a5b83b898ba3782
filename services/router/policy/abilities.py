"""Checks that each channel can do what the policy's steps ask of it.

A channel declares `two_way, links, repeats_per_day, templates_only, voice`. A channel that is not there at all is no fault
(it is left out with its reason); a channel that is there and cannot do what a step counts on would fail in silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import StrictBool

from services.router.policy.engine import Policy
from services.router.policy.rules import Group
from services.router.policy.vocabulary import OFFICER_WORDS, WORDS
from services.shared.errors import Refused
from services.shared.input.fields import Between
from services.shared.input.files import Document, Entry, Place, read_file
from services.shared.tiers import Tier

FREE_FORMS = ("easy_read", "facility_brief")  # their sentences are written for one warning


class Abilities(Entry):
    """What a channel can do; `repeats_per_day` is how often the same words may come, 0 for no limit."""

    two_way: StrictBool = True
    links: StrictBool = True
    voice: StrictBool = False
    repeats_per_day: Annotated[int, Between(0, 1000, whole=True)] = 0
    templates_only: StrictBool = False


def read_channels(path: Path) -> dict[str, Abilities]:
    """Channels declared in a file: channel: {two_way: ..., links: ..., voice: ..., repeats_per_day: ..., templates_only: ...}."""
    return read_file("", path, dict[str, Abilities])


def check_channels(policy: Policy, channels: Mapping[str, Abilities]) -> None:
    """Refused with line, rule and remedy at the first step that needs what its channel lacks."""
    for fault in faults(policy, channels):
        raise fault


def faults(policy: Policy, channels: Mapping[str, Abilities]) -> Iterator[Refused]:
    """Every step that needs what its channel lacks."""
    lines = Document(policy.text)
    waits = [t.word for t in Tier if policy.tiers[t].ack != "none"]
    for name, group in policy.groups.items():
        mine = [(word, channel) for word in (*group.personal, *group.night_adds) for _, channel in WORDS.get(word, ())]
        there = [(word, channel) for word, channel in mine if channel in channels]
        for word, channel in there:
            yield from _one(policy, lines, name, group, word, channel, channels[channel])
        answers = [channel for _, channel in there if channels[channel].two_way and channel in channels]
        others = [w for w in group.personal if w not in WORDS and w not in OFFICER_WORDS]
        if waits and there and not answers and not others:
            yield lines.fault(
                ("groups", name, "personal"), "two_way",
                f"{', '.join(waits)} wait for an answer (ack), and {' and '.join(sorted({r for _, r in there}))} "
                "cannot take one; add a two-way channel, or officers will be sent to everybody",
            )  # fmt: skip
    for step in policy.facility:
        if step.ask and "voice_duty" in channels and not channels["voice_duty"].two_way:
            yield lines.fault(
                ("facility_escalation",),
                "two_way",
                "ask needs an answer, and voice_duty cannot take one; leave ask out",
            )
        if step.every and "voice_duty" in channels and 0 < channels["voice_duty"].repeats_per_day < 86400 / step.every:
            limit = channels["voice_duty"].repeats_per_day
            yield lines.fault(
                ("facility_escalation",), "repeats_per_day",
                f"every {step.every / 60:.0f} min is more than the {limit} times a day voice_duty may be used; ask less often",
            )  # fmt: skip
    for channel in ("supporter_sms", "officer_sms"):
        if channel in channels and not channels[channel].two_way:
            place, words = (
                (("tiers", "red", "steps"), "supporter")
                if channel == "supporter_sms"
                else (("official_escalation",), "an officer")
            )
            yield lines.fault(
                place, "two_way", f"{words} is asked to answer 4, 2 or 5, and {channel} cannot take an answer; "
                "use a two-way channel",
            )  # fmt: skip


def _one(
    policy: Policy, lines: Document, name: str, group: Group, word: str, channel: str, can: Abilities
) -> Iterator[Refused]:
    where: Place = ("groups", name, "personal" if word in group.personal else "night_adds")
    if word.startswith("voice") and not can.voice:
        yield lines.fault(where, "voice", f"{word} needs a voice, and {channel} has none; take {word} out")
    if word.startswith("duty_phone") and not can.voice:
        yield lines.fault(where, "voice", f"{word} needs a voice, and {channel} has none; use sms for this facility")
    if word == "voice_keys_only" and not can.two_way:
        yield lines.fault(where, "two_way", f"{word} needs keys, and {channel} takes none; take {word} out")
    if "sign_video" in group.extras and word == "sms" and not can.links:
        yield lines.fault(
            ("groups", name, "form"), "links",
            f"sign_video needs a link, and {channel} blocks links; take +sign_video out and give a card number instead",
        )  # fmt: skip
    if can.voice and 0 < can.repeats_per_day < policy.voice_call.tries:
        yield lines.fault(
            ("voice_call", "tries"), "repeats_per_day",
            f"{policy.voice_call.tries} calls with the same words are more than the {can.repeats_per_day} a day {channel} lets "
            "through; lower tries or use another channel",
        )  # fmt: skip
    if (
        not can.voice
        and can.repeats_per_day == 1
        and any("retry_other_channel" in s.do for s in policy.steps_of(Tier.ORANGE))
    ):
        yield lines.fault(
            ("tiers", "orange", "steps"), "repeats_per_day",
            f"retry_other_channel may send the same words twice, and {channel} lets them through once a day; take it out",
        )  # fmt: skip
    if can.templates_only and (group.form in FREE_FORMS or group.extras):
        yield lines.fault(
            ("groups", name, "form"), "templates_only",
            f"{channel} sends approved templates only, and the form {group.form} is written for each warning; use form: "
            "plain or short_plain without additions",
        )  # fmt: skip


def installed(specs: Mapping[str, object]) -> dict[str, Abilities]:
    """The abilities of drivers' channels: driver name > anything with `channels`. Of two that share a channel, what both can."""
    found: dict[str, Abilities] = {}
    for made in specs.values():
        for channel in getattr(made, "channels", ()):
            can = Abilities(**{key: getattr(channel, key) for key in Abilities.model_fields})
            found[channel.name] = can if channel.name not in found else _both(found[channel.name], can)
    return found


def _both(a: Abilities, b: Abilities) -> Abilities:
    return Abilities(
        two_way=a.two_way and b.two_way,
        links=a.links and b.links,
        voice=a.voice and b.voice,
        repeats_per_day=min((n for n in (a.repeats_per_day, b.repeats_per_day) if n), default=0),
        templates_only=a.templates_only or b.templates_only,
    )


def as_yaml(channels: Mapping[str, Abilities]) -> str:
    """Channels in the form `read_channels` takes."""
    return yaml.safe_dump(
        {name: {key: getattr(can, key) for key in Abilities.model_fields} for name, can in sorted(channels.items())},
        sort_keys=False,
    )
