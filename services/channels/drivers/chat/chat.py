"""Chat services and webhooks through Apprise: to a resident by the operator's template, to organisations' own groups.

What can be known: Apprise says for each target yes or no. A yes is `accepted` and nothing more: nobody tells whether it was
delivered, so the channel takes no receipts. A no has no cause (a wrong name, a refused token, too many, a lost connection after
the message was written look alike), so it is `ambiguous`: the message is not sent again on this channel, and the person's
other channels go on. Apprise works in threads of its own, at most `concurrency` at once, with our time-outs on each.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.channels.drivers.chat.groups_file import ChatFile, read_chat_file
from services.channels.model.driver import Channel, Outcome, Result, Spec, Station, Tools
from services.channels.model.final_check import Overtaken, last_look
from services.channels.model.outbound import Outbound
from services.channels.model.outcome import LATE
from services.shared.errors import Refused
from services.shared.settings import Environment

if TYPE_CHECKING:  # it brings two hundred modules: loaded where the channel is configured, and nowhere else
    from apprise import NotifyBase

CONNECT_S, READ_S, WHOLE_S = 3.0, 5.0, 9.0
GROUPS_S = 9.5  # for all groups together: below what the sender waits for a call
log = structlog.get_logger("chat")
PERSON = Channel("chat", ("im",), two_way=True, links=True)
GROUPS = Channel("organisations", links=True)


class ChatSettings(Environment):
    """TOCSIN_CHAT_...; without a file the channels say `not_configured`."""

    model_config = SettingsConfigDict(env_prefix="TOCSIN_CHAT_")

    file: Path | None = Field(None, description="YAML file of services for people and groups of organisations")
    concurrency: int = Field(
        4, ge=1, le=5, description="calls at once; Apprise has five threads on the smallest machine"
    )


class Chat:
    """Two channels: to a resident, and to the organisations of the whole area."""

    name = "chat"
    channels: tuple[Channel, ...] = (PERSON, GROUPS)

    def __init__(self, tools: Tools) -> None:
        settings = tools.settings.part(ChatSettings)
        self.concurrency = settings.concurrency
        self._file = read_chat_file(settings.file) if settings.file is not None else ChatFile()
        wanted = ((PERSON, self._file.people), (GROUPS, self._file.groups))
        self._works = settings.file is not None
        if self._works:
            self.channels = tuple(channel for channel, there in wanted if there)
            self._make = _maker()
            self._calls = asyncio.Semaphore(self.concurrency)
            for name, url in self._file.groups.items():
                if self._make(url) is None:
                    raise Refused(
                        f"TOCSIN_CHAT_FILE={settings.file}: {name}: Apprise does not know such an address; look it up there",
                        field="TOCSIN_CHAT_FILE", rule=name,
                    )  # fmt: skip

    def why_not(self) -> str:
        return "" if self._works and self.channels else "not_configured"

    async def send(self, message: Outbound) -> Result:
        if not self._works:
            return Result(Outcome.NOT_SENT, code="not_configured")
        if message.channel == GROUPS.name:
            return await self._all(message)
        try:
            target = self._make(self._file.url_for(message.to))
        except Refused as wrong:
            return Result(Outcome.PERMANENT, code=wrong.message[:24])
        if target is None:
            return Result(Outcome.PERMANENT, code="no such address")
        said_yes = await self._call(target, message)
        return Result(Outcome.ACCEPTED, ref=message.delivery_id) if said_yes else Result(Outcome.AMBIGUOUS, code="no")

    async def _all(self, message: Outbound) -> Result:
        """Each organisation by itself, within the time of one call; accepted where all took it.

        Who took it does not get it again because another did not: a group would hear the same alarm twice. What came of
        each is told beside: a target, a receipt.
        """
        waiting = {name: url for name, url in self._file.groups.items() if name not in message.settled}
        found = {name: self._make(url) for name, url in waiting.items()}
        calls = {
            asyncio.create_task(self._call(target, message)): name
            for name, target in found.items()
            if target is not None
        }
        if not calls:
            return Result(Outcome.ACCEPTED, ref=message.delivery_id)
        done, late = await asyncio.wait(calls, timeout=GROUPS_S)
        for call in late:
            call.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        stopped = {calls[call] for call in done if isinstance(call.exception(), Overtaken)}
        told = {calls[call] for call in done if call.exception() is None and call.result()}
        silent = {calls[call] for call in late}

        def became(name: str) -> Station:
            if name in told:
                return Station(name, Outcome.ACCEPTED)
            if name in stopped:
                return Station(name, Outcome.NOT_SENT, LATE)
            return Station(name, Outcome.AMBIGUOUS, "no answer in time" if name in silent else "said no")

        stations = tuple(map(became, found))
        if not (missed := sorted(found.keys() - told)):
            return Result(Outcome.ACCEPTED, ref=message.delivery_id, stations=stations)
        if set(missed) == stopped:
            return Result(Outcome.NOT_SENT, code=LATE, stations=stations)
        log.error("organisations_not_told", warning_id=message.warning_id, names=missed)
        return Result(Outcome.AMBIGUOUS, code=f"{len(missed)} of {len(found)} said no", stations=stations)

    async def _call(self, target: NotifyBase, message: Outbound) -> bool:
        from apprise import Apprise, NotifyFormat, NotifyType

        one = Apprise()  # a target, an instance: its answer is this message's
        one.add(target)
        async with self._calls:
            await last_look()  # others may have been waited for
            return bool(
                await one.async_notify(
                    message.text, message.subject, NotifyType.WARNING, body_format=NotifyFormat.TEXT, timeout=WHOLE_S
                )
            )


def _maker() -> Callable[[str], NotifyBase | None]:
    """What makes a target of an address: our time-outs, nothing followed elsewhere, nothing kept on disk, nothing logged."""
    try:
        from apprise import Apprise, AppriseAsset, PersistentStoreMode
    except ModuleNotFoundError as missing:
        raise Refused(
            f"TOCSIN_CHAT_FILE is set and the package {missing.name} is not installed: pip install 'tocsin[chat]', "
            "or build the image with --build-arg LOCK=requirements-extras.lock, or leave TOCSIN_CHAT_FILE out",
            field="TOCSIN_CHAT_FILE", rule="extra.chat",
        ) from missing  # fmt: skip

    # it names hosts and people, urllib3 whole addresses
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    asset = AppriseAsset(
        app_id="Tocsin", app_desc="Tocsin", app_url="", image_url_mask="", image_url_logo="",  # nobody's pictures
        storage_mode=PersistentStoreMode.MEMORY,
    )  # fmt: skip

    def make(url: str) -> NotifyBase | None:
        target: NotifyBase | None = Apprise.instantiate(url, asset=asset)
        if target is not None:
            target.socket_connect_timeout, target.socket_read_timeout = CONNECT_S, READ_S
            target.redirects = False
        return target

    return make


DRIVER = Spec(Chat.name, Chat)
