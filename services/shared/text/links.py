"""Takes links to other hosts than those allowed out of a text: a warning in our name must lead nobody astray.

What a phone makes a link of counts: an address with its scheme, one that begins with www., and a bare host of a common
ending. What is not sure to lead to an allowed host is taken out. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

# up to a blank or a sign of Chinese or Japanese, whose words follow an address without a blank
_SIGN = r"[^\s\u2e80-\u9fff\uac00-\ud7af\uff00-\uffef]"
_ENDINGS = (
    "app|biz|cc|cn|club|co|com|dev|edu|eu|gov|info|int|io|link|live|mobi|net|news|online|org|ru|shop|site|store|tk|top|tv|uk|"
    "us|vip|wang|xin|xyz|example"
)
_LINK = re.compile(
    rf"[a-z][a-z0-9+.-]{{0,30}}://{_SIGN}+|(?<![a-z0-9@.-])www\.{_SIGN}+"
    rf"|(?<![a-z0-9@.-])(?:[a-z0-9-]{{1,63}}\.){{1,8}}(?:(?:{_ENDINGS})(?![a-z0-9-])(?::\d+)?(?:/{_SIGN}*)?|[a-z]{{2,24}}/{_SIGN}+)",
    re.IGNORECASE | re.ASCII,
)
_AFTER = ".,;:!?)]}>'\"’”»"  # ends a sentence or a bracket, not an address
HOST = re.compile(r"(?:[a-z0-9_-]{1,63}\.){0,20}[a-z0-9_-]{1,63}", re.ASCII | re.IGNORECASE)
_BLANKS = re.compile(r"[^\S\n]{2,}")
_BEFORE_STOP = re.compile(r"[^\S\n]+(?=[.,;:!?)](?:\s|$))")


class LinkHosts:
    """The hosts a text may lead to, with all below them."""

    def __init__(self, hosts: Iterable[str]) -> None:
        self._hosts = frozenset(host.casefold() for host in hosts)

    @property
    def names(self) -> tuple[str, ...]:
        """The allowed hosts."""
        return tuple(sorted(self._hosts))

    def allow(self, link: str) -> bool:
        """Whether a link surely leads to an allowed host."""
        parts = link if "://" in link else f"http://{link}"
        scheme, _, rest = parts.partition("://")
        if scheme.casefold() not in ("http", "https") or "\\" in rest or "@" in re.split("[/?#]", rest, maxsplit=1)[0]:
            return False
        try:
            host = (urlsplit(f"{scheme}://{rest}").hostname or "").rstrip(".")
        except ValueError:
            return False
        if not HOST.fullmatch(host):
            return False
        return any(host == one or host.endswith(f".{one}") for one in self._hosts)

    def strange(self, text: str) -> list[str]:
        """Its links that are not allowed, each once."""
        return list(
            dict.fromkeys(link for found in _LINK.finditer(text) if not self.allow(link := _bare(found.group())))
        )

    def kept(self, text: str) -> str:
        """The text without them; one that has none comes out as it is."""
        if not self.strange(text):
            return text

        def cut(found: re.Match[str]) -> str:
            link = _bare(found.group())
            return found.group() if self.allow(link) else found.group()[len(link) :]

        return _BEFORE_STOP.sub("", _BLANKS.sub(" ", _LINK.sub(cut, text))).strip()


def _bare(link: str) -> str:
    return link.rstrip(_AFTER)
