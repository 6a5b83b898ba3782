"""Prepares a message from a ledger row: opens the sealed address and renders the text, for the time of one call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import sqlalchemy as sa

from services.channels.messages import list_links
from services.channels.messages.message_facts import MessageFacts, Parts
from services.channels.messages.notices import Notices
from services.channels.messages.render import Rendered, render, says_what_is_asked
from services.channels.model.channel import SMS_CHANNELS, Channel
from services.channels.model.outbound import Outbound
from services.channels.model.outcome import Outcome
from services.channels.providers.country_limits import CountryLimits
from services.channels.providers.stations import settled
from services.shared.clock import Clock
from services.shared.crypto.dossier import assemble, owner_of, unpack
from services.shared.crypto.sealing import Dossier, Opener, page_key
from services.shared.crypto.signing import Signer
from services.shared.database.engine import Database
from services.shared.database.rows import columns, row_of
from services.shared.errors import Broken, Refused
from services.shared.ledger.kinds import SAYS_NO_WARNING, DeliveryKind
from services.shared.ledger.params import Callout, CallTimes, Notice
from services.shared.ledger.tables import Delivery
from services.shared.ledger.warnings import warning_state, warning_text
from services.shared.people import phone_numbers
from services.shared.tiers import Tier

BY_LINK = ("email", "push", "chat")  # nobody reads what is written back there: the answer comes by the link
NO_ADDRESS = ("area", "door")


class WarningText(NamedTuple):
    """What texts are made of: the warning and its words."""

    chain_id: str
    tier: int
    kind: str
    ending: str
    number: str
    parts: Parts
    cap_xml: bytes


SLOW = {"slow_spoken", "loud_slow"}  # a form, and what another form may add


class Preparer:
    """Channels' own: the only place where addresses are opened for sending."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        opener: Opener,
        signer: Signer,
        public_url: str,
        hotline: str,
        drill: bool,
        notices: Notices,
        limits: CountryLimits,
        channels: Mapping[str, Channel],
        channels_of: Mapping[str, Mapping[str, Channel]],
        test_addresses: Mapping[str, str],
    ) -> None:
        self._database = database
        self._clock = clock
        self._opener = opener
        self._signer = signer
        self._public_url = public_url
        self._hotline = hotline
        self._drill = drill
        self._notices = notices
        self._texts: dict[str, WarningText] = {}
        self._as_recorded: dict[str, bool] = {}
        self._channels = channels  # what each channel lacks
        self._channels_of = channels_of  # the same by driver, where it is known who sends
        self._limits = limits
        self._test_addresses = test_addresses  # channel > where its link test goes
        self._rendered_once: dict[tuple[object, ...], Rendered] = {}

    async def open(self, sealed: bytes, key_id: str, owner: str) -> bytes:
        """The value of one sealed blob, fetching its page key where it is not known yet."""
        if not self._opener.knows(key_id):
            async with self._database.read() as db:
                wrapped = await db.scalar(sa.select(page_key.c.wrapped).where(page_key.c.key_id == key_id))
            if wrapped is None:
                raise Broken(f"page key {key_id} is not in the database: restore it from a backup")
            self._opener.learn(key_id, wrapped)
        return self._opener.open(sealed, key_id, owner)

    async def dossier(self, sealed: bytes, owner: str) -> Dossier:
        """A person's opened dossier: each part under the key it was sealed with."""
        parts = unpack(sealed)
        return assemble([(p.name, await self.open(p.sealed, p.key_id.hex(), owner_of(owner, p.name))) for p in parts])

    async def warning(self, warning_id: str) -> WarningText:
        """The warning's state row and texts; texts never change, so they are read once."""
        found = self._texts.get(warning_id)
        if found is None:
            async with self._database.read() as db:
                mine = (
                    sa.select(*columns(WarningText, warning_state, warning_text))
                    .join(warning_text, warning_text.c.warning_id == warning_state.c.warning_id)
                    .where(warning_state.c.warning_id == warning_id)
                )
                found = await row_of(db, WarningText, mine)
            if found is None:
                raise Broken(f"warning {warning_id} has no text")
            if len(self._texts) > 200:
                self._texts.clear()
                self._rendered_once.clear()
                self._as_recorded.clear()
            self._texts[warning_id] = found
            self._as_recorded[warning_id] = bool(found.ending) or says_what_is_asked(found.parts)
        return found

    async def prepare(self, row: Delivery, driver: str = "") -> Outbound:
        """The message of one delivery row as `driver` carries it; Broken where a blob does not open, Refused where
        nothing is ever sent to such a number, or that driver does not reach its country."""
        to = self._test_addresses.get(row.channel, "") if row.kind == DeliveryKind.LINK_TEST else ""
        if row.kind == DeliveryKind.LINK_TEST and not to:
            raise Broken(f"no address is set any more for a test of {row.channel}")
        if row.addressee_kind not in NO_ADDRESS and row.sealed is not None:
            to = (await self.open(row.sealed, row.key_id, row.contact_id)).decode()
        if why := phone_numbers.never(to):  # the last look: it may have been stored before lists refused it
            raise Refused(f"{why} is never called or written to", field="contact", rule="person's number")
        channel = self._channels_of.get(driver, self._channels).get(row.channel)
        if row.kind in SAYS_NO_WARNING and not row.warning_id:
            seconds = max(1, int(min(row.expires_at - self._clock.now(), 36000)))
            return self._notices.outbound(row, to, seconds, channel.speaks if channel is not None else ())
        warning = await self.warning(row.warning_id)
        if channel is not None and driver and to:
            channel = self._limits.for_number(driver, channel, to)
        of_many = self._of_many(row)
        rendered = await self._rendered(row, warning, channel, of_many)
        is_area = row.kind == DeliveryKind.AREA
        return Outbound(
            delivery_id=row.delivery_id,
            warning_id=row.warning_id,
            channel=row.channel,
            to=to,
            text=rendered.text,
            spoken=rendered.spoken,
            subject=rendered.subject,
            language=rendered.language,
            link="" if of_many else f"{self._public_url}/a/{self._signer.token('answer', row.delivery_id)}",
            seconds_left=max(1, int(min(row.expires_at - self._clock.now(), 36000))),
            document=warning.cap_xml if is_area else b"",
            tier=row.tier,
            chain_id=warning.chain_id,
            call=row.params if isinstance(row.params, CallTimes) else None,
            hazard=str(warning.parts.get("set", "")),
            as_recorded=self._as_recorded[row.warning_id],
            ending=warning.ending,
            instruction=str(warning.parts.get("instruction", "")),
            slow=SLOW & {*row.form.split("+")} != set(),
            of_many=of_many,
            again=row.attempts > 0,
            settled=await self._settled(row) if is_area else {},
            spoken_in=await self._spoken_in(row, warning) if is_area else {},
        )

    async def _settled(self, row: Delivery) -> Mapping[str, Outcome]:
        """Stations of an area's message that are not to be asked again, whichever process asked them."""
        if not row.attempts:
            return {}
        async with self._database.read() as db:
            return await settled(db, row.delivery_id)

    async def _spoken_in(self, row: Delivery, warning: WarningText) -> dict[str, str]:
        """To the whole area, in every language the warning brings."""
        channel = self._channels.get(row.channel)
        if channel is None or not channel.voice:
            return {}
        return {
            language: (await self._render(row, warning, channel, "", language)).spoken
            for language in warning.parts["languages"]
        }

    async def _rendered(self, row: Delivery, warning: WarningText, channel: Channel | None, of_many: bool) -> Rendered:
        """The text of one row; what speaks of no single person is made once for all who get the same."""
        if not of_many:
            return await self._render(row, warning, channel, await self._link(row))
        lacks = (channel.links, channel.two_way) if channel is not None else None
        alike = (row.warning_id, row.kind, row.addressee_kind, row.form, row.language, row.channel, lacks)
        found = self._rendered_once.get(alike)
        if found is None:
            found = await self._render(row, warning, channel, "")
            if row.channel == "organisations":  # a group reads all languages of the warning
                others = [one for one in warning.parts["languages"] if one != found.language]
                texts = [found.text, *[(await self._render(row, warning, channel, "", one)).text for one in others]]
                found = replace(found, text="\n\n".join(texts))
            self._rendered_once[alike] = found
        return found

    def _of_many(self, row: Delivery) -> bool:
        """Whether the words are the warning's alone: no person's name or place, no link of their own."""
        one_persons = row.kind == DeliveryKind.NOTICE or row.addressee_kind in ("supporter", "worker")
        return not one_persons and not self._has_link(row)

    async def _render(
        self, row: Delivery, warning: WarningText, channel: Channel | None, link: str, language: str | None = None
    ) -> Rendered:
        about = None
        if row.dossier is not None and row.addressee_kind in ("supporter", "worker"):
            about = await self.dossier(row.dossier, row.person_id)
        facts = MessageFacts(
            kind=DeliveryKind(row.kind),
            links=channel is None or channel.links,
            two_way=channel is None or channel.two_way,
            speaks=channel.speaks if channel is not None else (),
            addressee=row.addressee_kind,
            ending=warning.ending or ("not_for_you" if warning.kind == "ending" else ""),
            form=row.form,
            tier=Tier(warning.tier) if warning.tier else Tier.BLUE,
            parts=warning.parts,
            number=warning.number,
            ref=reference(row.delivery_id),
            hotline=self._hotline,
            about=about.call_name if about else "",
            about_place=about.address
            if about
            else row.params.words.get("where", "")
            if isinstance(row.params, Notice)
            else "",
            link=link,
            link_apart=row.channel == "push",
            sms=row.channel in SMS_CHANNELS,
            notice=row.params.notice if isinstance(row.params, Notice) else "",
            skill=row.params.skill if isinstance(row.params, Callout) else "",
            by_video=isinstance(row.params, Callout) and row.params.video,
            drill=self._drill,
        )
        return render(facts, row.language if language is None else language)

    def aloud(self, warning_id: str, warning: WarningText, language: str) -> str:
        """What a call to a resident says of a warning, in a language it brings."""
        key = ("aloud", warning_id, language)
        if (found := self._rendered_once.get(key)) is not None:  # thousands open their page in the same minute
            return found.spoken
        tier = Tier(warning.tier) if warning.tier else Tier.BLUE
        facts = MessageFacts(
            kind=DeliveryKind.WARNING, addressee="person", form="plain", tier=tier, parts=warning.parts, number=warning.number,
            ref="", hotline=self._hotline, links=False, drill=self._drill,
        )  # fmt: skip
        self._rendered_once[key] = made = render(facts, language)
        return made.spoken

    def easy(self, warning_id: str, warning: WarningText, language: str) -> str:
        """The warning in easy words, for a page: it answers by buttons and asks for no reply."""
        key = ("easy", warning_id, language)
        if (found := self._rendered_once.get(key)) is not None:
            return found.text
        tier = Tier(warning.tier) if warning.tier else Tier.BLUE
        facts = MessageFacts(
            kind=DeliveryKind.WARNING, addressee="person", form="easy_read", tier=tier, parts=warning.parts,
            number=warning.number, ref="", hotline=self._hotline, links=False, two_way=False, drill=self._drill,
        )  # fmt: skip
        self._rendered_once[key] = made = render(facts, language)
        return made.text

    @staticmethod
    def _has_link(row: Delivery) -> bool:
        return (
            row.kind in (DeliveryKind.CALLOUT, DeliveryKind.NOTICE)
            or row.addressee_kind in ("worker", "supporter")
            or (row.channel in BY_LINK)
        )

    async def _link(self, row: Delivery) -> str:
        if row.kind == DeliveryKind.CALLOUT:
            return f"{self._public_url}/a/v/{self._signer.token('callout', row.delivery_id)}"
        if row.kind == DeliveryKind.NOTICE or row.addressee_kind == "worker":
            async with self._database.read() as db:
                n = await list_links.newest_of(db, row.warning_id, row.addressee_id)
            return f"{self._public_url}{list_links.path_of(self._signer, row.warning_id, row.addressee_id, n)}"
        if self._has_link(row):
            return f"{self._public_url}/a/{self._signer.token('answer', row.delivery_id)}"
        return ""


def reference(delivery_id: str) -> str:
    """Four digits that tell one delivery from another on the same phone."""
    return str(int(delivery_id[:8], 16) % 9000 + 1000)
