"""The door: a visit on an officer's list, or a name on the fire service's list where nobody may be sent.

Handing over is putting it on the list, so accepted means listed; what counts is the outcome the officer taps.
"""

from __future__ import annotations

from services.channels.model.driver import Channel, Outcome, Result, Spec, Tools
from services.channels.model.outbound import Outbound


class DoorDriver:
    """Two channels: a team of officers, or the fire service's list."""

    name = "door"
    channels = (Channel("door", two_way=True), Channel("fire_service_list", two_way=True))
    concurrency = 200

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def why_not(self) -> str:
        return ""

    async def send(self, message: Outbound) -> Result:
        return Result(Outcome.ACCEPTED, ref=message.delivery_id)


DRIVER = Spec(DoorDriver.name, DoorDriver)
