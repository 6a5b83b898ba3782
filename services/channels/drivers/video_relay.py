"""Video relay: a sign language volunteer is called out, calls by video, and passes the person's own words on.

Handing over is asking for a volunteer, so accepted means that somebody is looked for; what counts is what they pass on.
"""

from __future__ import annotations

from pydantic_settings import SettingsConfigDict

from services.channels.model.driver import Channel, Outcome, Result, Spec, Tools
from services.channels.model.outbound import Outbound
from services.shared.settings import Environment


class VideoRelaySettings(Environment):
    """TOCSIN_VIDEO_RELAY=true where volunteers who sign are on shift; else the channel is never counted as one."""

    model_config = SettingsConfigDict(env_prefix="TOCSIN_")

    video_relay: bool = False


class VideoRelay:
    """One channel: to a resident who signs."""

    name = "video_relay"
    channels = (Channel("video_relay", ("video_relay",), two_way=True),)
    concurrency = 50

    def __init__(self, tools: Tools) -> None:
        self._settings = tools.settings.part(VideoRelaySettings)

    def why_not(self) -> str:
        return "" if self._settings.video_relay else "not_configured"

    async def send(self, message: Outbound) -> Result:
        return Result(Outcome.ACCEPTED, ref=message.delivery_id)


DRIVER = Spec(VideoRelay.name, VideoRelay)
