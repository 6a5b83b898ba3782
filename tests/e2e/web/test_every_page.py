"""Every page there is, in every state, language and plane: judged by axe, by our own looks, at every width, in the dark."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from services.shared import i18n
from tests.e2e.web.test_accessible import LOOK
from tests.kit import pseudo
from tests.kit.all_pages import Walk, keep_names
from tests.kit.one_of_everything import Everything
from tests.kit.staff import browsing, invited, origin, stale
from tests.kit.town import open_town
from tools.peers import judge

pytestmark = pytest.mark.asyncio(loop_scope="session")
LANGUAGES = ("en", "zh-Hans", pseudo.TAG)
# The widths of a desk, a phone and a small phone, in pixels.
WIDE, PHONE, SMALL = 1280, 390, 320


# Runs in the page too: what is shown there at any width, and who goes along it by keyboard.
SIDEWAYS = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
LARGER = "size => { document.documentElement.style.fontSize = size; }"
UNSEEN_FOCUS = """() => {
  const found = [];
  for (const e of document.querySelectorAll('a[href],button,input:not([type=hidden]),textarea,select,summary,[tabindex="0"]')) {
    if (e.disabled || !e.checkVisibility() || !e.getClientRects().length) continue;
    e.focus();
    const style = getComputedStyle(e);
    if (document.activeElement === e && (style.outlineStyle === 'none' || parseFloat(style.outlineWidth) < 2))
      found.push('focus is not seen: ' + e.outerHTML.slice(0, 120));
  }
  return found;
}"""
# A browser that takes its own few colours: there only a border says what can be pressed.
UNSEEN_SHAPES = """() => [...document.querySelectorAll('button,.button,.tier')]
  .filter(e => e.checkVisibility() && e.getClientRects().length && parseFloat(getComputedStyle(e).borderTopWidth) < 1)
  .map(e => 'no border: ' + e.outerHTML.slice(0, 120))"""
AXE = Path(judge.__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
JUDGED = """async tags => {
  const said = await axe.run(document, { runOnly: { type: 'tag', values: tags }, resultTypes: ['violations', 'incomplete'] });
  const short = (kind, rule) => rule.nodes.map(n => kind + ' ' + rule.id + ': ' + n.html.slice(0, 140) + ' | ' +
    [...n.any, ...n.all, ...n.none].map(c => c.message).join('; ').slice(0, 160));
  return [...said.violations.flatMap(r => short('axe', r)), ...said.incomplete.flatMap(r => short('axe cannot tell', r))];
}"""
# LOOK reckons the contrast of every text; axe cannot where a table's own scrolling hides it, nor over a drill's stripes.
NOT_TOLD = re.compile(r"axe cannot tell color-contrast: ")
# What other sites embed has nothing to be skipped.
EMBEDDED = "/public/status"


class Looks:
    """What a program finds on the pages it is shown, by what they are called. `whole`: in every way there is."""

    def __init__(self, *, whole: bool = False) -> None:
        self.found: dict[str, list[str]] = {}
        self._whole = whole

    async def at(self, page: Page, name: str) -> None:
        """At the width of a desk and of a small phone, and in the dark; `whole`: on a phone too, in large letters, and in a
        browser's own few colours."""
        found: list[str] = []
        for width in (PHONE, SMALL, WIDE) if self._whole else (SMALL, WIDE):
            await page.set_viewport_size({"width": width, "height": 800})
            found += [f"{width} px: {one}" for one in await page.evaluate(LOOK)]
        found += await page.evaluate(JUDGED, TAGS)
        await page.emulate_media(color_scheme="dark")
        found += [f"dark: {one}" for one in await page.evaluate(LOOK)]
        await page.emulate_media(color_scheme="light")
        await page.keyboard.press("Tab")
        found += await page.evaluate(UNSEEN_FOCUS)
        if self._whole:
            found += await self._otherwise(page)
        rightly = [one for one in found if not (name.startswith(EMBEDDED) and "skip link" in one)]
        if told := sorted({one for one in rightly if not NOT_TOLD.match(one)}):
            self.found[name] = told

    async def _otherwise(self, page: Page) -> list[str]:
        await page.emulate_media(forced_colors="active")
        found = [f"the browser's own colours: {one}" for one in await page.evaluate(UNSEEN_FOCUS)]
        found += await page.evaluate(UNSEEN_SHAPES)
        await page.emulate_media(forced_colors="none")
        for width in (WIDE, PHONE):
            await page.set_viewport_size({"width": width, "height": 800})
            await page.evaluate(LARGER, "200%")
            if wide := await page.evaluate(SIDEWAYS):
                found.append(f"letters twice as large, {width} px: scrolls sideways by {wide}")
            await page.evaluate(LARGER, "")
        return found


@pytest.fixture(scope="module")
def languages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Those that are shipped, and one from right to left."""
    folder = tmp_path_factory.mktemp("languages") / "locale"
    shutil.copytree(i18n.FOLDER, folder)
    pseudo.write(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(i18n, "FOLDER", folder)
        yield


async def walked(
    browser: Browser, looks: Looks, shown: set[str], read: Sequence[str], *, people: int = 40, plane: str = "live"
) -> list[str]:
    """All pages of a town with one of everything, or of an empty one; what nobody came to."""
    async with open_town(people=people, plane=plane, looks_at_once=True) as town, browsing(browser, town) as who:
        await who.page.add_init_script(path=AXE)
        everything = Everything(town)
        seeds = await everything.addresses() if people else []
        who.page.context.set_default_timeout(30_000)
        await everything.joins(who)
        await stale(town, seconds=-3600.0)  # nobody is asked again who they are, however slow the machine is
        if people:
            await everything.resident_signs_in(who.page)
            seeds.append((await invited(town, "Sun Li", "author")).removeprefix(origin(town)))
        walk = Walk(who.page, origin(town), town.node.runner.app, looks.at, read, most=1)
        await walk.walk(seeds)
        if people:
            await walk.faults()
            for more in (everything.pressed, everything.helper, everything.registers):
                await more(who.page, walk.come_to)
        return walk.never_seen(shown)


@pytest.mark.timeout(600)
async def test_every_page_is_everybodys(browser: Browser, languages: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page once, in one language or another; a page that nobody comes to is a fault."""
    looks = Looks()
    shown = keep_names(monkeypatch)
    never = await walked(browser, looks, shown, LANGUAGES)
    assert {} == looks.found
    assert [] == never, never


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("plane", ["live", "drill"])
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("people", [40, 0], ids=["filled", "empty"])
async def test_every_page_in_every_way(
    browser: Browser, languages: None, monkeypatch: pytest.MonkeyPatch, language: str, plane: str, people: int
) -> None:
    """In each language and plane, with one of everything and with nothing at all."""
    looks = Looks(whole=True)
    await walked(browser, looks, keep_names(monkeypatch), [language], people=people, plane=plane)
    assert {} == looks.found
