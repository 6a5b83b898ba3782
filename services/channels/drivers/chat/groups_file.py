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
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import quote

from pydantic import BeforeValidator, Field, field_validator, model_validator

from services.shared.errors import Refused
from services.shared.input.files import Entry, read_file, wrong

HERS = "{address}"
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,19}")
_ADDRESS = re.compile(r"[A-Za-z0-9@+._-]{1,80}")  # nothing that means something in a URL
_URL = re.compile(r"[a-z][a-z0-9]{1,20}://\S+")


class Organisation(Entry):
    """A group or webhook, told with the word `organisations`."""

    name: str = Field(min_length=1, max_length=80)
    url: str

    @field_validator("url")
    @classmethod
    def _webhook(cls, url: str) -> str:
        if not _URL.fullmatch(url) or HERS in url:
            wrong("no address of a group or webhook: write it as Apprise does, like slack://A/B/C/#alerts", "address")
        return url


class ChatFile(Entry):
    """`people`: service > address with {address} in it; `organisations`: groups and webhooks."""

    people: Annotated[dict[str, str], BeforeValidator(lambda given: given or {})] = Field(default_factory=dict)
    organisations: Annotated[tuple[Organisation, ...], BeforeValidator(lambda given: given or ())] = ()

    @field_validator("people")
    @classmethod
    def _services(cls, people: dict[str, str]) -> dict[str, str]:
        for name, url in people.items():
            if not _NAME.fullmatch(name):
                wrong("no name of a service: use up to 20 of a-z, 0-9, _ and -", "name", at=(name,))
            if not _URL.fullmatch(url) or url.count(HERS) != 1:
                said = f"no address with one {HERS} in it: write it like tgram://TOKEN/{HERS}"
                wrong(said, "address", at=(name,))
            if HERS in url.partition("://")[2].partition("/")[0]:
                said = f"it lets a resident choose the host: {HERS} stands before the first /; name the host yourself"
                wrong(said, "host", at=(name,))
        return people

    @model_validator(mode="after")
    def _own_names(self) -> Self:
        names = [one.name for one in self.organisations]
        for n, name in enumerate(names):
            if name in names[:n]:
                said = "it has the name of another: give each a name of its own"
                wrong(said, "unique", at=("organisations", n, "name"))
        return self

    @property
    def groups(self) -> dict[str, str]:
        """Name > address of organisations."""
        return {one.name: one.url for one in self.organisations}

    def url_for(self, to: str) -> str:
        """Where a resident's message goes; Refused where the address names no service here, or is no name there."""
        service, _, name = to.partition(":")
        pattern = self.people.get(service)
        if pattern is None:
            raise Refused(f"no service {service}", field="service", rule="known")
        if not _ADDRESS.fullmatch(name):
            raise Refused("address", field="address", rule="letters, digits, @ + . _ -")
        return pattern.replace(HERS, quote(name, safe="@+"))


def read_chat_file(file: Path) -> ChatFile:
    """The file; Refused names the entry that is wrong and never its secrets."""
    return read_file("TOCSIN_CHAT_FILE", file, ChatFile, secret=True)
