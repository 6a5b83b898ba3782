"""What a driver in a package of its own imports from Tocsin: this module and nothing else."""

from __future__ import annotations

from services.channels.model.channel import Channel
from services.channels.model.driver import (
    AreaTest,
    Asks,
    Connected,
    Driver,
    Receivers,
    Reports,
    Result,
    Spec,
    StatusAnswer,
    StatusQuestion,
    Tools,
    TriesArea,
)
from services.channels.model.http_call import Ambiguous, NotSent, Response, http_call
from services.channels.model.inbound import Inbound
from services.channels.model.outbound import Outbound
from services.channels.model.outcome import Outcome, Station
from services.channels.model.report import PartReceipt, Report
from services.shared.ledger.evidence import Answer, Evidence
from services.shared.ledger.states import SendState
from services.shared.settings import Environment

__all__ = [
    "Ambiguous",
    "Answer",
    "AreaTest",
    "Asks",
    "Channel",
    "Connected",
    "Driver",
    "Environment",
    "Evidence",
    "Inbound",
    "NotSent",
    "Outbound",
    "Outcome",
    "PartReceipt",
    "Receivers",
    "Report",
    "Reports",
    "Response",
    "Result",
    "SendState",
    "Spec",
    "Station",
    "StatusAnswer",
    "StatusQuestion",
    "Tools",
    "TriesArea",
    "http_call",
]
