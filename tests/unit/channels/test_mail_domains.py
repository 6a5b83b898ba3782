"""A mail goes to the domain its address names, as browsers and registries spell it: IDNA 2008 and UTS 46."""

from __future__ import annotations

import pytest

from services.channels.drivers.email.message import address_of
from services.shared.errors import Refused


@pytest.mark.parametrize(
    ("written", "sent_to"),
    [
        ("anna@straße.example", "anna@xn--strae-oqa.example"),  # and not strasse.example, which is somebody else's
        ("νίκος@φάρος.example", "νίκος@xn--hxa2bffq.example"),  # a final sigma stays one
        ("a@نامه‌ای.example", "a@xn--mgba3gch31f060k.example"),  # a joiner that the word needs
        ("x@BÜCHER.example", "x@xn--bcher-kva.example"),
        ("x@例え.example", "x@xn--r8jz45g.example"),
        ("x@ｅｘａｍｐｌｅ.org", "x@example.org"),
        ("x@mail_host.example", "x@mail_host.example"),
        ("A.B@Example.ORG", "A.B@Example.ORG"),
        ("Ann <a@xn--strae-oqa.example>", "a@xn--strae-oqa.example"),
    ],
)
def test_the_domain_is_the_one_that_is_meant(written: str, sent_to: str) -> None:
    assert sent_to == address_of(written).addr_spec


@pytest.mark.parametrize("written", ["x@" + "ä" * 64 + ".example", "x@a..example", "x@\u2603.example", "x@-ä.example"])
def test_a_domain_that_is_none_is_refused(written: str) -> None:
    with pytest.raises(Refused):
        address_of(written)
