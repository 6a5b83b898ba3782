"""Links in a warning's text: only what surely leads to an allowed host stays, and no word beside it goes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.shared.text.links import LinkHosts

HOSTS = LinkHosts(["warn.example.org", "qingshui.gov.cn"])
STAYS = [
    "https://warn.example.org/public/check?number=4721",
    "http://WARN.example.org",
    "https://www.qingshui.gov.cn:8443/a",
    "warn.example.org/a",
    "www.qingshui.gov.cn",
]
GOES = [
    "http://evil.test/pay",
    "https://warn.example.org.evil.test/",
    "https://warn.example.org@evil.test/",
    "https://evil.test\\@warn.example.org/",
    "https://evil.test/?warn.example.org",
    "http://evilwarn.example.org",
    "http://[::1]/",
    "ftp://warn.example.org/a",
    "www.evil.test",
    "evil.com",
    "sub.evil.com/pay",
    "evil.test/pay",
    "https://evil.test#warn.example.org",
    "http://warn.example.org%2eevil.test/",
    "http://evil。test@warn.example.org",
    "intent://scan/#Intent;scheme=http;end",
    "https://wаrn.example.org/",  # a Cyrillic letter
]


@pytest.mark.parametrize("link", STAYS)
def test_an_allowed_one_stays(link: str) -> None:
    for text in (f"See {link} now.", f"请看{link}。现在走。", f"({link})", link):
        assert [] == HOSTS.strange(text)
        assert text == HOSTS.kept(text)


@pytest.mark.parametrize("link", GOES)
def test_any_other_goes_and_the_words_stay(link: str) -> None:
    """Also between Chinese words, where no blank ends an address."""
    assert HOSTS.strange(f"See {link} now.")
    kept = HOSTS.kept(f"Go uphill. See {link} now. Do not drive.")
    assert "evil.test" not in kept
    assert "://" not in kept
    assert kept.startswith("Go uphill. See ")
    assert kept.endswith("now. Do not drive.")
    assert "马上往高处走。看" in HOSTS.kept(f"马上往高处走。看{link}。不要开车。")
    assert "。不要开车。" in HOSTS.kept(f"马上往高处走。看{link}。不要开车。")


@pytest.mark.parametrize(
    "text",
    [
        "Rises by 1.5 m.Go uphill", "at 3.30 p.m. today", "No. 4721", "Leave now!Do not wait", "e.g. the school",
        "Call 12345 or write to desk@qingshui.gov", "立即转移到南岭学校。不要过水", "A/B roads, 24/7", "Dr.Smith's house",
    ],
)  # fmt: skip
def test_what_is_no_link_stays(text: str) -> None:
    assert text == HOSTS.kept(text)


@given(
    st.lists(st.sampled_from([*STAYS, *GOES, "Leave now.", "马上走。", "1.5 m", "\n", " "]), max_size=8).map(" ".join)
)
def test_what_comes_out_leads_nowhere_else(text: str) -> None:
    """And comes out unchanged a second time."""
    kept = HOSTS.kept(text)
    assert [] == HOSTS.strange(kept)
    assert kept == HOSTS.kept(kept)


@given(st.text(max_size=200))
def test_any_text_is_taken(text: str) -> None:
    assert [] == HOSTS.strange(HOSTS.kept(text))
