"""What tests of single drivers share: the tools a driver is given, and one message."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import aiohttp
from msgspec.structs import replace

from services.channels.model.driver import Connected, Driver, Receivers, Tools
from services.channels.model.outbound import Outbound
from services.shared.clock import StepClock
from services.shared.crypto.signing import Signer
from services.shared.settings import Settings
from services.shared.tiers import Tier

MESSAGE = Outbound(
    delivery_id="d" * 32, warning_id="a" * 32, channel="", to="", text="Leave now, uphill.\n离家,往高处走。",
    spoken="Leave now, uphill.", subject="Go now 马上走: flash flood", language="zh", link="https://warn.example.org/a/tok",
    seconds_left=1800, document=b"<alert/>", tier=int(Tier.RED), chain_id="c" * 32,
)  # fmt: skip


NOBODY = Receivers(cast(Any, None), cast(Any, None))  # for drivers that are told nothing


def message(**more: Any) -> Outbound:
    return replace(MESSAGE, **more)


@asynccontextmanager
async def driving(
    kind: Any, public_url: str = "https://warn.example.org", receivers: Receivers = NOBODY, **more: Any
) -> AsyncIterator[Any]:
    """One driver, made from the environment, started and ended as the service does it."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        given: dict[str, Any] = {"database": None} | more
        made: Driver = kind(
            Tools(
                session,
                signer=Signer(b"k" * 32),
                clock=StepClock(0.0),
                public_url=public_url,
                settings=Settings(),
                **given,
            )
        )
        if isinstance(made, Connected):
            await made.start(receivers)
        try:
            yield made
        finally:
            if isinstance(made, Connected):
                await made.stop()
