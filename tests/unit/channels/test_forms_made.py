"""Each form a policy may name is made by something: a word of the policy that changes nothing would be a promise."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from services.channels.messages.frames import frame_for
from services.channels.messages.prepare import SLOW
from services.channels.messages.render import render
from services.router.policy.vocabulary import FORM_EXTRAS, FORMS
from tests.unit.channels.test_render import PARTS, facts

SET = {**PARTS, "set": "flash_flood"}


@pytest.mark.parametrize(
    "form", [form for form in FORMS if form not in ("plain", "spoken")]
)  # what is spoken is so in every form
def test_a_form_is_another_message_than_the_plain_one(form: str) -> None:
    """In the text, in a page's lines, in what is spoken, or in how it is spoken."""
    house = form == "facility_brief"
    plain = facts(parts=SET, addressee="facility" if house else "person")
    other = dataclasses.replace(plain, form=form)
    if house:
        plain = dataclasses.replace(plain, addressee="person")
    page: dict[str, Any] = {"sms": False, "link": ""}
    made = [
        (render(dataclasses.replace(one, **more), "en").text, render(dataclasses.replace(one, **more), "en").spoken)
        for one in (plain, other)
        for more in (dict[str, Any](), page)
    ]
    assert made[:2] != made[2:] or form in SLOW


@pytest.mark.parametrize("extra", FORM_EXTRAS)
def test_what_a_form_adds_is_made(extra: str) -> None:
    """A sentence, a manner of speaking, words for a screen reader, or the film on the page."""
    added = extra in frame_for("en").extras or extra in SLOW
    assert added or extra == "screen_reader"
