"""What the console leads to is there, in every state a message can come to rest in, and looking changes nothing."""

from __future__ import annotations

import pytest

from tests.kit.square import SENT, cap
from tests.kit.town import Town

HTML = {"Accept": "text/html"}


async def look(desk: Town, path: str) -> tuple[int, str]:
    """A page as the duty officer's browser gets it, redirects followed."""
    headers = HTML | {"Authorization": f"Bearer {desk.key}"}
    async with desk.session.get(desk.url + path, headers=headers) as response:
        return response.status, await response.text()


async def paste(desk: Town, body: bytes) -> tuple[int, str]:
    """An alert pasted into the console; the page it leads to."""
    headers = HTML | {"Authorization": f"Bearer {desk.key}"}
    form = {"text": body.decode()}
    async with desk.session.post(f"{desk.url}/console/warnings", data=form, headers=headers) as response:
        return response.status, await response.text()


@pytest.mark.parametrize(
    ("body", "state", "why"),
    [
        (cap(minutes=-60 * 24 * 3), "stored", "it had expired when it came"),
        (cap("C-1", kind="Cancel", minutes=5, names=[("A-1", 1)], info=False), "parked", ""),
    ],
    ids=["expired", "a cancel of nothing known"],
)
@pytest.mark.parametrize("way", ["pasted", "posted"])
async def test_what_tells_nobody_has_its_pages_too(desk: Town, body: bytes, state: str, why: str, way: str):
    """The console lists it and why, and what it links to opens."""
    if way == "pasted":
        status, shown = await paste(desk, body)
        assert (200, True, True) == (status, f"This warning is {state}" in shown, why in shown), shown
    _, taken = await desk.post(body)
    assert state == taken["state"]
    status, console = await look(desk, "/console")
    assert (200, True) == (status, f"/live/{taken['warning_id']}" in console), console
    for page, said in (("", "Not sent: nobody is told"), ("/preview", "Nobody is told.")):
        status, shown = await look(desk, f"/live/{taken['warning_id']}{page}")
        assert (200, True, True) == (status, said in shown, why in shown), shown
    assert 404 == (await desk.get(f"/cap/{taken['warning_id']}.xml"))[0]


async def test_pasting_again_what_is_over_takes_nothing_back(desk: Town):
    """The document we published stays, and so does what was said of it."""
    _, taken = await desk.post(cap())
    body = {"ending": "sent_by_mistake", "reason": "wrong county"}
    await desk.call("POST", f"/api/v1/warnings/{taken['warning_id']}/cancel", body)
    before = await desk.get(f"/cap/{taken['warning_id']}.xml")
    assert 200 == before[0]
    desk.clock.advance_to(SENT + 60)
    status, shown = await paste(desk, cap())
    assert (200, True) == (status, "This warning is cancelled" in shown), shown
    assert before[:2] == (await desk.get(f"/cap/{taken['warning_id']}.xml"))[:2]


async def test_an_ending_of_what_never_went_out_has_its_pages(desk: Town):
    """A draft is taken back by its own sender's cancel: stored, told to nobody, and there to be looked at."""
    await desk.post(cap(), release="false")
    _, taken = await desk.post(cap("C-1", kind="Cancel", minutes=1, names=[("A-1", 0)], info=False))
    assert "stored" == taken["state"], taken
    status, shown = await look(desk, f"/live/{taken['warning_id']}")
    assert (200, True) == (status, "Not sent: nobody is told" in shown), shown
