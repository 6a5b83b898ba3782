"""Fills a town with one of everything a page can show, and gives the addresses that no page links to."""

from __future__ import annotations

import sqlalchemy as sa
from playwright.async_api import Page

from services.gateway.intake.incoming import from_cap
from services.registry.importing.write import import_areas, import_people
from services.registry.model.facilities import AreaIn
from services.registry.model.given import PersonIn, SupporterIn, Wg, mobile
from services.registry.resident.changes import keep_notice
from services.registry.store.register import contact, supporter
from services.registry.store.resident_tables import challenge, notice
from services.router.store.cases import case
from services.shared.bus.outbox import new_id
from services.shared.crypto.one_time_codes import one_time_code
from services.shared.ledger.areas import risk_zone
from services.shared.ledger.params import Callout
from services.shared.ledger.tables import delivery
from tests.kit import alerts
from tests.kit.all_pages import Look
from tests.kit.staff import Browsing, invited, origin
from tests.kit.town import Town

ROLES = ("author", "duty officer", "commander", "registrar", "auditor", "administrator")
NUMBER, HELPER = "+99970001234", "+99970004321"
RESIDENT = PersonIn(
    person_id="5" * 32, call_name="Zhao Lan", address="3 Willow Yard", lat=30.02, lon=103.02, grid_id="G-1", zone_id="Z-1",
    birth_year=1951, wg=Wg(hear=4, walk=3), modes=("plain_text", "sign"), sign_lang="csl", moves="wheelchair",
    carriers_needed=2, lives_alone=True, contacts=mobile(NUMBER),
    supporters=(
        SupporterIn(name="Mei", contacts=mobile(HELPER), accepted=True, relation="neighbour", can=("relay", "wake")),
        SupporterIn(name="Guo", contacts=mobile("+99970004322")),
    ),
)  # fmt: skip

LISTED = PersonIn(
    person_id="7" * 32, call_name="Sun Qi", address="9 Quiet Street", lat=30.02, lon=103.02, grid_id="G-1",
    contacts=mobile("+99970001299", given_by="record"),
)  # fmt: skip


class Everything:
    """The town, the plane its alerts are written for, and what was made."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.flood = ""
        self.officers_list = ""
        self.drill = town.node.platform.settings.plane == "drill"

    def written(self, cap: str) -> str:
        """An alert for the town's plane."""
        return cap.replace("<status>Actual<", "<status>Exercise<") if self.drill else cap

    async def addresses(self) -> list[str]:
        """Warnings in every state, people, calls for help, links; then what is to be looked at, beside what pages link to."""
        town = self.town
        await import_people(
            town.node.platform.database, town.node.platform.keys, [RESIDENT, LISTED], year=2026, fictional=True
        )
        area = from_cap(alerts.flood().encode(), strict=False).area
        await import_areas(
            town.node.platform.database, [AreaIn(value_name="村", code="510101", name="Hedong", geojson=area)]
        )
        gully = {"zone_id": "Z1", "hazard": "flash_flood", "class": 4, "name": "Willow Gully", "authority": "", "geojson": area,
                 "west": 103.0, "south": 30.0, "east": 103.1, "north": 30.1}  # fmt: skip
        async with town.node.platform.database.write() as tx:
            await tx.execute(sa.insert(risk_zone), [gully])
        flood = await town.warn(self.written(alerts.flood("A-FLOOD")))
        self.flood = flood
        await self.calls_for_help(flood)
        plume = await town.warn(self.written(alerts.plume("A-PLUME", alerts.NORTH)))
        over = await town.warn(self.written(alerts.flood("A-OVER")), doors="safe")
        answer = town.answer_link(await town.delivery_of(over, "person"))
        opened = town.list_link(over, (await town.officers_of(over))[0])
        ending = await town.cancel(over, "sent_by_mistake")
        heat = await town.warn(self.written(alerts.heat("A-HEAT")), doors="safe")
        held = await town.draft(self.written(alerts.held("A-HELD")))
        nowhere = await town.draft(self.written(alerts.far_away("A-NOBODY")))
        await town.settle()
        await town.post(b"this is no alert")
        uncounted = await town.draft(self.written(alerts.held("A-UNCOUNTED")))
        officer = self.officers_list = town.list_link(heat, (await town.officers_of(heat))[0])
        here = [town.answer_link(await town.delivery_of(flood, kind)) for kind in ("person", "supporter")]
        numbers = [(await town.warning(one)).number for one in (flood, plume, over, ending)]
        warnings = (flood, plume, over, ending, heat)
        links = [opened, officer, answer, *here, f"{town.url}/l/altered.link"]
        return [
            *(f"/live/{one}" for one in (*warnings, nowhere)),
            f"/live/{flood}?still=1",
            *(f"/live/{one}/preview" for one in (flood, held, nowhere)),
            f"/live/{uncounted}/preview?waited=99",
            *(f"/live/{flood}/{more}" for more in ("all", "shift", "cases", "doors", "not-reached")),
            f"/live/{flood}/path/{await self.somebody(flood)}",
            f"/live/{heat}/cases",
            *(f"/console/warnings/{one}/end" for one in (flood, over, ending, held)),
            f"/console/warnings/{held}/return",
            f"/console/warnings/{held}/preapproval",
            *(f"/channels/lists/{one}" for one in (flood, heat)),
            f"/channels/stations/{flood}",
            *(f"/public/warnings/{one}" for one in (flood, over, ending)),
            "/public/warnings?page=9",
            *(f"/public/check?number={number}" for number in (*numbers, "0001")),
            "/nothing", f"/people/{RESIDENT.person_id}", "/me/purposes/drills", "/me/text/address", "/me/answer/moves",
            *(link.removeprefix(town.url) for link in links),
            "/send", "/send/new?template=flash_flood.red.leave", *await self.sketches(flood),
            f"/a/v/{town.node.platform.signer('links').token('callout', await self.called_out(flood))}",
        ]  # fmt: skip

    async def sketches(self, warning_id: str) -> list[str]:
        """What is being written, and its check: a new one that lacks a place, and an update."""
        town, found = self.town, []
        headers = {"Authorization": f"Bearer {town.key}", "Accept": "text/html"}
        for path, fields in (
            ("/send/new", {"template": "flash_flood.red.leave", "impact": "23:50"}),
            (f"/send/update/{warning_id}", {}),
        ):
            asked = town.session.post(town.url + path, data=fields, headers=headers, allow_redirects=False)
            async with asked as answer:
                found += [answer.headers["Location"], f"{answer.headers['Location']}/check?waited=99"]
        await town.settle()
        return found

    async def somebody(self, warning_id: str) -> str:
        """Who called for help under it."""
        return str((await self.town.rows(sa.select(case.c.person_id).where(case.c.warning_id == warning_id)))[0][0])

    async def called_out(self, warning_id: str) -> str:
        """Somebody who signs has taken a video call with a person there."""
        call = await self.town.delivery_of(warning_id, "person")
        mine = delivery.c.warning_id == warning_id
        (asked,) = await self.town.rows(
            sa.select(delivery.c.delivery_id).where(mine, delivery.c.step == "official").limit(1)
        )
        values = {
            "kind": "callout", "form": "callout", "params": Callout("sign_volunteer", call, video=True, holds=True),
        }  # fmt: skip
        async with self.town.node.platform.database.write() as tx:
            await tx.execute(sa.update(delivery).where(delivery.c.delivery_id == asked.delivery_id).values(**values))
        return str(asked.delivery_id)

    async def calls_for_help(self, warning_id: str) -> None:
        """Two calls and a question, by text."""
        mine = sa.select(delivery.c.delivery_id).where(
            delivery.c.warning_id == warning_id, delivery.c.channel == "sms", delivery.c.covers == 1,
            delivery.c.addressee_kind == "person", delivery.c.attempts > 0,
        )  # fmt: skip
        found = await self.town.rows(mine.order_by(delivery.c.delivery_id).limit(3))
        said = ("help please, my mother cannot walk", "help", "which road is open?")
        for n, (row, text) in enumerate(zip(found, said, strict=True)):
            await self.town.phone_of(row.delivery_id).writes(text, f"SMeverything{n}")

    async def resident_signs_in(self, page: Page) -> None:
        """By a code to the resident's phone, in that browser."""
        await self.phone_signs_in(page, NUMBER)
        await page.wait_for_url("**/me/home")

    async def phone_signs_in(self, page: Page, number: str) -> None:
        """Whoever has that number."""
        async with self.town.node.platform.database.write() as tx:
            await tx.execute(challenge.delete())
        await page.goto(f"{origin(self.town)}/me/start")
        await page.fill("#number", number)
        await page.locator("main button").last.click()
        await page.wait_for_url("**/me/code*")
        code = one_time_code(self.town.node.platform.signer("residents"), page.url.partition("c=")[2])
        await page.fill("#code", code)
        async with page.expect_navigation(wait_until="load"):
            await page.locator("main button").last.click()

    async def pressed(self, page: Page, look: Look) -> None:
        """What is only shown as the answer to a form that was filled in, or to another phone."""
        at = origin(self.town)

        async def seen(what: str, selector: str = "main button", **fields: str) -> None:
            for field, value in fields.items():
                await page.fill(f"#{field}", value)
            async with page.expect_navigation(wait_until="load"):
                await page.locator(selector).last.click()
            await look(page, what)

        for person_id, name in ((RESIDENT.person_id, "a person, masked"), ("6" * 32, "nobody")):
            await page.goto(f"{at}/people/{person_id}")
            await seen(name, reason="case 12: new door code")
        await page.goto(f"{at}/people/{RESIDENT.person_id}")
        await seen("a person, masked", reason="case 12: new door code")
        await seen("a person, opened", reason="case 12: new door code")
        await page.goto(f"{at}/people")
        await page.locator("[name=by][value=grid]").check()
        await seen("people found", "main form button", value="G-1", reason="case 12: new door code")
        await page.goto(f"{at}/live/{self.flood}/cases")
        await seen("calls for help, by name", ".names button", reason="I call back whoever asks")
        await page.goto(f"{at}/console/people/new")
        for chosen in ("[name=roles]", "[name=max_tier]", "[name=alone]", "[name=where]"):
            await page.locator(chosen).first.check()
        await seen("a link for somebody new", name="Qian Lin", login="qianlin")
        await page.goto(f"{at}/console/account/ways")
        await page.locator("[name=beside][value=paper]").check()
        await seen("codes on paper", password="river lamp quiet nineteen")
        await self.town.open_list(page, self.officers_list)
        await seen("whoever cannot go is asked once again", "button[value=cannot]")

    async def helper(self, page: Page, look: Look) -> None:
        """The pages of who is asked to help, of who helps, and of a phone that is not proven."""
        at, town = origin(self.town), self.town
        async with town.node.platform.database.write() as tx:
            found = sa.select(supporter.c.supporter_id, contact.c.contact_id).join(
                contact, contact.c.owner_id == supporter.c.supporter_id
            )
            theirs = (await tx.execute(found.where(supporter.c.accepted_on == ""))).first()
            assert theirs is not None
            await keep_notice(tx, new_id(), RESIDENT.person_id, "supporter_invitation", theirs.contact_id)
        token = town.node.platform.signer("residents").token("helper", theirs.supporter_id)
        await page.goto(f"{at}/me/helper/{token}")
        await look(page, "an invitation to help")
        async with page.expect_navigation(wait_until="load"):
            await page.locator("button[value=yes]").click()
        await look(page, "a helper has said yes")
        await self.phone_signs_in(page, HELPER)
        await page.goto(f"{at}/me/helping")
        await look(page, "whom a helper helps")
        await self.phone_signs_in(page, LISTED.contacts[0].address)
        await page.goto(f"{at}/me/who")
        await look(page, "a phone that is not proven")

    async def registers(self, page: Page, look: Look) -> None:
        """Somebody registers their mother, who is told; somebody without a phone registers, and stands on the list of visits."""
        at, town = origin(self.town), self.town
        mother, daughter = "+99970007001", "+99970007002"

        async def on(what: str, *, skip: bool = False, **fields: str) -> None:
            for field, value in fields.items():
                await page.fill(f"#{field}", value)
            async with page.expect_navigation(wait_until="load"):
                await page.locator("main form[method=post] button").nth(1 if skip else 0).click()
            if what:
                await look(page, what)

        async def anew(base: str) -> None:
            await page.goto(f"{at}{base}")
            async with page.expect_navigation(wait_until="load"):
                await page.locator("form[action$=stop] button").click()
            await page.goto(f"{at}{base}")

        await anew("/register/whom")
        await page.check("#whom-other")
        await on("who registers somebody else")
        await page.check("#relation-family")
        await on("", your_name="Mei", your_number=daughter)
        await on("where they live", name="Zhao Lan")
        await page.select_option("#village", index=1)
        await on("when they were born")
        await on("what they need", skip=True)
        await page.check("#needs-deaf")
        await on("which languages they read")
        await on("how they are reached", skip=True)
        await page.check("#reach-mobile")
        await on("their number")
        await on("they are told", number=mother)
        await page.check("#agree-yes")
        await on("is this right?")
        await on("the code")
        code = one_time_code(town.node.platform.signer("residents"), await self._asked())
        await on("somebody else is registered", code=code)
        told = sa.select(notice.c.person_id).where(notice.c.kind == "registered_for_you")
        person_id = (await town.rows(told))[0].person_id
        await page.goto(f"{at}/register/told/{town.node.platform.signer('residents').token('told', person_id)}")
        await look(page, "somebody was registered by somebody else")
        async with page.expect_navigation(wait_until="load"):
            await page.locator("button[value=yes]").click()
        await look(page, "they want it")
        await anew("/register/whom")
        await page.check("#whom-self")
        await on("")
        for step in ("name", "where", "born", "needs", "languages", "reach", "helper"):
            await on("who helps" if step == "reach" else "", skip=True)
        await page.check("#agree-yes")
        await on("")
        await on("somebody comes by")
        await page.goto(f"{at}/people/errands")
        await look(page, "whom to go and see")
        await anew("/people/register/name")
        for _ in range(7):
            await on("", skip=True)
        await look(page, "do they agree?")

    async def _asked(self) -> str:
        """The newest code that was asked for."""
        asked = sa.select(challenge.c.challenge_id).order_by(challenge.c.asked_at.desc()).limit(1)
        return str((await self.town.rows(asked))[0].challenge_id)

    async def joins(self, who: Browsing, name: str = "Zhou Yi") -> None:
        """Somebody with every role, signed in by a passkey; and a colleague whose link is not opened yet."""
        await who.join(await invited(self.town, name, *ROLES, alone=3))
