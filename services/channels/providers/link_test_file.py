"""The link tests an installation asks for: TOCSIN_LINK_TESTS, a YAML list, read and checked by entry and field.

- {channel: sms, to: "+8613800000000", every: 900, within: 120, proof: delivered}
- {channel: area_sound, to: all}
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_settings import SettingsConfigDict

from services.shared.errors import Refused
from services.shared.input.untrusted import yaml_of
from services.shared.ledger.ledger import Evidence
from services.shared.settings import Environment

PROOFS = {"accepted": Evidence.ACCEPTED, "delivered": Evidence.DELIVERED, "answered": Evidence.ANSWERED}


class LinkTest(BaseModel):
    """One channel's test. Seconds are of warning time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    channel: str
    to: str = Field(
        min_length=3,
        max_length=400,
        description="an address nobody else has: a modem, the operator's own. Of an area's channel: all, or names of operators, "
        "broadcasters' hosts, loudspeakers, with commas between",
    )
    every: float = Field(900.0, ge=60, le=86400)
    within: float = Field(120.0, ge=5, le=3600)
    proof: Literal["", "accepted", "delivered", "answered"] = Field(
        "", description="empty: the most the channel can give"
    )


class LinkTestSettings(Environment):
    """TOCSIN_LINK_TESTS: a YAML file, a list of tests; empty tries nothing."""

    model_config = SettingsConfigDict(env_prefix="TOCSIN_")

    link_tests: Path | None = None


_FILE = TypeAdapter(list[LinkTest])
NAME = "TOCSIN_LINK_TESTS"


def load_link_tests(channels: Mapping[str, str]) -> list[LinkTest]:
    """The tests asked for; Refused by entry and field. `channels`: those that lead to somebody > the most each can prove."""
    path = LinkTestSettings().link_tests
    if path is None:
        return []
    try:
        found = _FILE.validate_python(yaml_of(path.read_text(encoding="utf-8")) or [])
    except (OSError, UnicodeDecodeError) as problem:
        raise Refused(f"{NAME}={path} cannot be read ({problem})", field=NAME, given=str(path)) from problem
    except yaml.YAMLError as wrong:
        raise Refused(f"{path}: {wrong}", field=NAME, rule="yaml") from wrong
    except ValidationError as wrong:
        first = wrong.errors(include_url=False)[0]
        where = ".".join(str(int(p) + 1) if isinstance(p, int) else str(p) for p in first["loc"]) or "the file"
        raise Refused(
            f"{path}: entry {where}: {first['msg']}", field=NAME, rule=first["type"],
            remedy=f"a list of tests with {', '.join(LinkTest.model_fields)}",
        ) from wrong  # fmt: skip
    seen: set[str] = set()
    for n, one in enumerate(found, 1):
        if one.channel not in channels:
            known = ", ".join(sorted(channels))
            raise Refused(
                f"{path}: entry {n}: channel {one.channel!r} cannot be tried: use {known}",
                field=NAME,
                given=one.channel,
            )
        if one.channel in seen:
            raise Refused(f"{path}: entry {n}: {one.channel} has a test already", field=NAME, given=one.channel)
        most = channels[one.channel]
        if one.proof and PROOFS[one.proof] > PROOFS[most]:
            raise Refused(
                f"{path}: entry {n}: {one.channel} never says {one.proof}: use {most} or leave proof out", field=NAME,
                rule="proof", given=one.proof,
            )  # fmt: skip
        seen.add(one.channel)
    return [one.model_copy(update={"proof": one.proof or channels[one.channel]}) for one in found]
