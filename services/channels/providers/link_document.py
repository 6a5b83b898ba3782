"""Writes the CAP document of a link test, for the machines on the way alone.

Its status is System ("for messages that support alert network internal functions", CAP 1.2, 3.2.1), its scope Private, and
it has no info block: there are no words, no area and no identifier in it that anybody could be shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import urlsplit

from lxml import etree

from services.channels.model.driver import AreaTest, Result
from services.channels.model.outcome import Outcome
from services.shared.bus.outbox import new_id
from services.shared.clock import wall

_NS = "urn:oasis:names:tc:emergency:cap:1.2"
TYPE = "application/cap+xml"


def link_document(public_url: str) -> bytes:
    """One more, with a name of its own; the sender is the host residents know us by."""
    alert = etree.Element(f"{{{_NS}}}alert", nsmap={None: _NS})
    sent = datetime.fromtimestamp(int(wall()), UTC).isoformat().replace("+00:00", "-00:00")
    for name, text in (
        ("identifier", f"link-test-{new_id()}"), ("sender", urlsplit(public_url).hostname or "tocsin"), ("sent", sent),
        ("status", "System"), ("msgType", "Alert"), ("scope", "Private"), ("addresses", "link-test"),
        ("note", "Link test: show nothing, broadcast nothing."),
    ):  # fmt: skip
        etree.SubElement(alert, f"{{{_NS}}}{name}").text = text
    return etree.tostring(alert, xml_declaration=True, encoding="UTF-8")


def judged(routes: Iterable[tuple[str, Result]]) -> AreaTest:
    """Of (route, answer): passed where every station took it by every route."""
    found = list(routes)
    wrong = [f"{name}: {one.code or one.outcome.value}" for name, one in found if one.outcome is not Outcome.ACCEPTED]
    return AreaTest(not wrong, "; ".join(wrong) if wrong else f"taken by all {len(found)}")
