"""Area sound written to the log, where no loudspeakers are configured: for trying the system out. It reaches nobody."""

from __future__ import annotations

import structlog

from services.channels.model.driver import Channel, Outcome, Result, Spec, Tools
from services.channels.model.outbound import Outbound
from services.shared.ledger.channels import LOG_DRIVER

log = structlog.get_logger("area_sound")


class Log:
    """One channel for the whole area."""

    name = LOG_DRIVER
    channels = (Channel("area_sound", voice=True, links=False),)
    concurrency = 4

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def why_not(self) -> str:
        return ""

    async def send(self, message: Outbound) -> Result:
        log.info("area_sound", warning_id=message.warning_id, text=message.spoken)
        return Result(Outcome.ACCEPTED, ref=message.delivery_id)


DRIVER = Spec(Log.name, Log)
