"""The operator's list of chat services and groups (TOCSIN_CHAT_FILE): nobody else decides which service or host is called.

    people:                                    # a resident's address is service:name, like telegram:12345678
      telegram: tgram://123456789:TOKEN/{address}
    organisations:                             # groups and webhooks of organisations, told with the word `organisations`
      - name: river schools
        url: slack://TOKEN_A/TOKEN_B/TOKEN_C/#alerts

The addresses are Apprise's. They hold secrets: the file belongs to the user Tocsin runs as, and no message names one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from services.shared.errors import Refused
from services.shared.input.untrusted import yaml_of

HERS = "{address}"
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,19}")
_ADDRESS = re.compile(r"[A-Za-z0-9@+._-]{1,80}")  # nothing that means something in a URL
_URL = re.compile(r"[a-z][a-z0-9]{1,20}://\S+")


@dataclass(frozen=True)
class ChatFile:
    """`people`: service > address with {address} in it; `organisations`: name > address."""

    people: Mapping[str, str] = field(default_factory=dict)
    organisations: Mapping[str, str] = field(default_factory=dict)

    def url_for(self, to: str) -> str:
        """Where a resident's message goes; Refused where her address names no service here, or is no name there."""
        service, _, name = to.partition(":")
        pattern = self.people.get(service)
        if pattern is None:
            raise Refused(f"no service {service}", field="service", rule="known")
        if not _ADDRESS.fullmatch(name):
            raise Refused("address", field="address", rule="letters, digits, @ + . _ -")
        return pattern.replace(HERS, quote(name, safe="@+"))


def read_chat_file(file: Path) -> ChatFile:
    """The file; Refused names the entry that is wrong and never its secrets."""
    try:
        data = yaml_of(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as wrong:
        kind = "no YAML" if isinstance(wrong, yaml.YAMLError) else "not readable"
        raise _wrong(file, "the file", kind, "write people: and organisations: as README shows") from wrong
    if not isinstance(data, dict) or not data or set(data) - {"people", "organisations"}:
        raise _wrong(
            file, "the file", "holds something else", "it has people, organisations, or both, and nothing more"
        )
    return ChatFile(_people(file, data.get("people") or {}), _organisations(file, data.get("organisations") or []))


def _people(file: Path, given: Any) -> dict[str, str]:
    if not isinstance(given, dict):
        raise _wrong(
            file, "people", "is no list of services", "write a line for each, like telegram: tgram://TOKEN/{address}"
        )
    for name, url in given.items():
        where = f"people.{name}"[:60]
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise _wrong(file, where, "is no name of a service", "use up to 20 of a-z, 0-9, _ and -")
        if not isinstance(url, str) or not _URL.fullmatch(url) or url.count(HERS) != 1:
            raise _wrong(file, where, f"is no address with one {HERS} in it", "write it like tgram://TOKEN/{address}")
        if HERS in url.partition("://")[2].partition("/")[0]:
            raise _wrong(
                file,
                where,
                f"lets a resident choose the host: {HERS} stands before the first /",
                "name the host yourself",
            )
    return dict(given)


def _organisations(file: Path, given: Any) -> dict[str, str]:
    if not isinstance(given, list):
        raise _wrong(file, "organisations", "is no list", "write - name: and url: for each")
    found: dict[str, str] = {}
    for n, one in enumerate(given, 1):
        where = f"organisations, number {n}"
        if (
            not isinstance(one, dict)
            or set(one) != {"name", "url"}
            or not all(isinstance(v, str) for v in one.values())
        ):
            raise _wrong(file, where, "has not just a name and a url", "write both, and nothing more")
        if one["name"] in found or not one["name"].strip():
            raise _wrong(file, where, "has the name of another, or none", "give each a name of its own")
        if len(one["name"]) > 80:
            raise _wrong(file, where, "has a name of more than 80 letters", "write a shorter one")
        if not _URL.fullmatch(one["url"]) or HERS in one["url"]:
            raise _wrong(
                file,
                where,
                "is no address of a group or webhook",
                "write it as Apprise does, like slack://A/B/C/#alerts",
            )
        found[one["name"]] = one["url"]
    return found


def _wrong(file: Path, where: str, what: str, remedy: str) -> Refused:
    return Refused(
        f"TOCSIN_CHAT_FILE={file}: {where} {what}: {remedy}", field="TOCSIN_CHAT_FILE", rule=where, remedy=remedy
    )
