"""Times, language tags and plain text, one line of a table each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.gateway.cap import read as read_alerts
from services.gateway.cap.rules import Notes
from services.gateway.cap.text import plain, read_language, read_time, write_time
from tests.kit.cap_build import alert, bare, info
from tests.kit.examples import drawn

NOON = datetime(2026, 7, 9, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment", "codes"),
    [
        ("2026-07-09T20:00:00+08:00", NOON, set()),
        ("2026-07-09T12:00:00-00:00", NOON, set()),
        ("2026-07-09T12:00:00+00:00", NOON, set()),
        ("2026-07-09T12:00:00Z", NOON, {"time_zulu"}),
        ("2026-07-09T12:00:00.999Z", NOON, {"time_zulu", "time_fraction"}),
        ("2026-07-09T12:00:00.5-00:00", NOON, {"time_fraction"}),
        ("2026-07-09T20:00:00+0800", NOON, {"time_format"}),
        ("2026-07-09 20:00:00+08:00", NOON, {"time_format"}),
        ("2026-7-9T20:00+08:00", NOON, {"time_format"}),
        ("2026-07-08T24:00:00+00:00", NOON - timedelta(hours=12), {"time_format"}),
        ("2026-07-09T11:59:60-00:00", NOON, {"time_format"}),
        ("2569-07-09T19:00:00+07:00", NOON, {"time_calendar"}),
        ("2026-07-09T12:00:00", NOON, {"time_no_offset"}),
        ("2026-07-09T12:00:00,00:00", NOON, {"time_sign", "time_format"}),
        ("2026-07-09T12:00:00+77:00", NOON, {"time_no_offset"}),
        ("Thu, 09 Jul 2026 12:00:00 GMT", NOON, {"time_format"}),
        ("2026-02-30T12:00:00+00:00", None, set()),
        ("2026-13-01T12:00:00+00:00", None, set()),
        ("2026-07-09T25:00:00+00:00", None, set()),
        ("0001-01-01T00:00:00+14:00", None, set()),
        ("2400-01-01T00:00:00+00:00", datetime(1857, 1, 1, tzinfo=UTC), {"time_calendar"}),
        ("tonight", None, set()),
        ("", None, set()),
        ("Thu, 99 Jul 2026 12:00:00 GMT", None, set()),
        ("٢٠٢٦-07-09T12:00:00Z", None, set()),
    ],
)
def test_a_time_is_the_instant_that_was_meant(text, moment, codes):
    """The instant, and what was odd about the way it was written; None for what names no instant."""
    notes = Notes(strict=False)
    got = read_time(text, "/t", notes)
    assert moment == got
    if moment is not None:
        assert codes == {finding.code for finding in notes.found}


def test_a_source_without_offset_is_read_by_its_own_clock():
    """Mexico's earthquake alerts write local time."""
    notes = Notes(strict=False)
    assert NOON == read_time("2026-07-09T06:00:00", "/t", notes, timedelta(hours=-6))
    assert ["time_offset_assumed"] == [finding.code for finding in notes.found]


@given(st.integers(0, 4_000_000_000), st.integers(-14 * 60, 14 * 60))
@settings(max_examples=drawn(200), derandomize=True, deadline=None)
def test_a_time_written_reads_the_same(seconds, minutes):
    """Any instant in any offset comes back, in the standard's form."""
    moment = datetime.fromtimestamp(seconds, timezone(timedelta(minutes=minutes)))
    notes = Notes(strict=True)
    assert moment == read_time(write_time(moment), "/t", notes)
    assert [] == notes.found


@pytest.mark.parametrize(
    ("tag", "read"),
    [
        ("en-US", "en-US"),
        ("de-LS", "de-LS"),
        ("zh_CN", "zh-CN"),
        ("English", "en"),
        ("sr-Latn", "sr-Latn"),
        ("??", "und"),
    ],
)
def test_language_tags(tag, read):
    """A tag as meant; what is none is `und`."""
    assert read == read_language(tag, "/l", Notes(strict=False))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Gusts <60 km/h & rain", "Gusts <60 km/h & rain"),
        ("Stay in.<br/>Shut the windows.", "Stay in.\nShut the windows."),
        ('&quot;Probealarm&quot;<br/><a href="tel:112">112</a>', '"Probealarm"\n112'),
        ("&lt;b&gt;Now&lt;/b&gt;", "Now"),
        ("a\u202eb\u202c\u0007c", "abc"),
        ("  a \t b \r\n\r\n\r\n\r\n c ", "a b\n\nc"),
        ("مي\u200cخواهم \u200e12", "مي\u200cخواهم \u200e12"),
        ("<<b>script>alert(1)<</b>/script>", "alert(1)"),
    ],
)
def test_plain_text(text, shown):
    """HTML and second escapes go, words, lines and the joiners of scripts stay."""
    assert shown == plain(text, "/d", Notes(strict=False))


@given(st.text(alphabet=st.sampled_from("<>&;b/r #x3c!-\n\r\u202e\x01aé山amplt")) | st.text())
@settings(max_examples=drawn(600), derandomize=True, deadline=None)
def test_plain_text_stays_as_it_is(text):
    """What has been cleaned is clean: a second cleaning changes nothing, so what we pass on reads the same."""
    once = plain(text, "/d", Notes(strict=False))
    assert once == plain(once, "/d", Notes(strict=False))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("a<b and c>d", "a<b and c>d"),
        ("<2 m stay; >3 m go", "<2 m stay; >3 m go"),
        ("?area=12&region=5&copy=3 &amp; more", "?area=12&region=5&copy=3 & more"),
        ("&notit; &nothing; R&D", "&notit; &nothing; R&D"),
        ("26 &deg;C, &#176;, &eacute;", "26 °C, °, é"),
        ('<p class="x">Go</p><td nowrap>up<BR clear=all>now', "Go\nup\nnow"),
        ("<b>bold</b> <i>and</i> <a href='http://x/?a=1'>link</a>", "bold and link"),
    ],
)
def test_signs_are_told_from_markup(written: str, read: str) -> None:
    """A tag has a known name and attributes, an entity a known name and its semicolon; all else is text."""
    assert read == plain(written, "", Notes(strict=False))
    assert read == plain(read, "", Notes(strict=False))


def test_an_alert_that_came_escaped_keeps_its_links() -> None:
    """Twice escaped in an envelope's text: undone once, and nothing of a link is taken for an entity."""
    inner = bare(alert(info(instruction="See https://maps.example/?a=1&amp;region=2.")))
    once = inner.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    twice = once.replace("&", "&amp;")
    feed = f'<feed xmlns="http://www.w3.org/2005/Atom"><entry><content type="text">{twice}</content></entry></feed>'
    assert "See https://maps.example/?a=1&region=2." == read_alerts(feed.encode()).alerts[0].infos[0].instruction
