"""What a program looks for on a page: structure, labels, contrast, size of targets, no sideways scroll. And the drill's word."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser

from tests.kit import alerts
from tests.kit.town import open_town

pytestmark = pytest.mark.asyncio(loop_scope="session")

# Runs in the page: what a person who cannot see, cannot aim or has a small phone would meet.
LOOK = """() => {
  const found = [], say = (what, e) => found.push(what + ': ' + e.outerHTML.slice(0, 120));
  const shown = e => e.checkVisibility() && e.getBoundingClientRect().width > 0;
  if (!document.documentElement.lang) found.push('no language');
  if (document.querySelectorAll('h1').length !== 1) found.push('not one h1');
  if (!document.title) found.push('no title');
  if (document.body.querySelector('a')?.getAttribute('href') !== '#main') found.push('no skip link first');
  if (document.documentElement.scrollWidth > innerWidth) found.push('scrolls sideways: ' + document.documentElement.scrollWidth);
  let level = 1;
  for (const h of document.querySelectorAll('h1,h2,h3,h4')) {
    const n = +h.tagName[1]; if (n > level + 1) say('heading skips a level', h); level = n;
  }
  const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
  if (new Set(ids).size !== ids.length) found.push('an id twice');
  for (const e of document.querySelectorAll('[aria-labelledby],[aria-describedby]'))
    for (const id of (e.getAttribute('aria-labelledby') || e.getAttribute('aria-describedby')).split(' '))
      if (!document.getElementById(id)) say('refers to nothing', e);
  for (const e of document.querySelectorAll('input:not([type=hidden]),textarea,select')) if (!e.labels.length) say('no label', e);
  for (const e of document.querySelectorAll('button,a')) if (!e.textContent.trim()) say('no name', e);
  const ticks = 'input[type=hidden],input[type=radio],input[type=checkbox]';
  for (const e of document.querySelectorAll(`button,.button,input:not(${ticks}),textarea,.choice,summary`))
    if (shown(e) && e.getBoundingClientRect().height < 43.9) say('lower than 44 px', e);
  for (const e of document.querySelectorAll('.buttons button'))
    if (shown(e) && e.getBoundingClientRect().height < 55.9) say('lower than 56 px', e);
  for (const e of document.querySelectorAll('main a')) if (shown(e) && e.getBoundingClientRect().height < 16) say('tiny link', e);
  const rgb = s => (s.match(/[\\d.]+/g) || []).map(Number);
  const light = c => {
    const [r, g, b] = c.map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = rgb(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] > 0) return c.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let t; t = walker.nextNode();) {
    const e = t.parentElement;
    if (!t.data.trim() || !shown(e)) continue;
    const a = light(rgb(getComputedStyle(e).color).slice(0, 3)), b = light(behind(e));
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) say('contrast ' + ratio.toFixed(2), e);
  }
  return [...new Set(found)];
}"""


@pytest.mark.long
async def test_the_drill_says_so_on_every_page(browser: Browser) -> None:
    """In the drill plane the word is in each title and above each page, for officers and residents too."""
    async with open_town(people=30, plane="drill") as drill:
        sent = await drill.warn(alerts.alert("DRILL-1", status="Exercise"), doors="safe")
        number = (await drill.warning(sent)).number
        context = await browser.new_context(
            java_script_enabled=False, extra_http_headers={"Authorization": f"Bearer {drill.key}"}
        )
        page = await context.new_page()
        for url in (
            f"{drill.url}/console/sign-in",
            f"{drill.url}/console",
            f"{drill.url}/live/{sent}?still=1",
            f"{drill.url}/console/warnings/{sent}/end",
            f"{drill.url}/public/check?number={number}",
            drill.list_link(sent, (await drill.officers_of(sent))[0]),
            drill.answer_link(await drill.delivery_of(sent, "person")),
        ):
            await page.goto(url)
            assert (await page.title()).startswith(("[DRILL] ", "[演练] ")), url
            assert await page.inner_text(".drill") in ("DRILL", "演练"), url
        await context.close()
