"""Defines the five messages between services, array-shaped: fields are appended, never moved or removed.

WarningIssued    gateway > registry, router    a warning, update or ending was released (or asks for a preview)
AudienceFound    registry > router             one numbered page of the people concerned, or counts for a preview
DeliveryDue      router > channels             hint: these deliveries are in the ledger and due
EvidenceRecorded channels > router             hint: the ledger knows more about these deliveries
NoticeRequested  any > channels                a link, code or page to one worker or user; never in coverage

People cross as a message (AudienceFound), work crosses as a hint of ids: losing or forging a hint costs latency.
No message carries an open address.
"""

from __future__ import annotations

import msgspec

from services.shared.tiers import Tier

VERSION = 1


class Message(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """What every message begins with: schema version, its own id (inbox key), the plane, the warning."""

    v: int = VERSION
    msg_id: str
    plane: str
    warning_id: str
    tier: int

    @property
    def urgency(self) -> int:
        """The tier among whose messages it waits."""
        return self.tier


class WarningIssued(Message, frozen=True, kw_only=True, array_like=True, tag="WarningIssued"):
    """`area` is GeoJSON in WGS 84 lon/lat or empty; times are seconds since 1970 UTC."""

    kind: str  # alert, update, ending
    purpose: str  # live, preview
    chain_id: str
    hazard: str
    respond: str
    sent: float
    expires: float
    impact: float | None = None
    area: str = ""
    geocodes: tuple[tuple[str, str], ...] = ()
    replaces: tuple[str, ...] = ()  # warning ids an update or ending speaks about
    ending: str = ""  # one of ENDING_KINDS
    utc_offset_min: int = 0  # local time of the jurisdiction, for night
    released: float = 0.0  # warning time of the release: the escalation's minute 0
    offset_changes: tuple[tuple[float, int], ...] = ()  # (from when, minutes) where the clocks change while it holds

    def offset_at(self, when: float) -> int:
        """Minutes east of UTC at a time."""
        later = [minutes for begin, minutes in self.offset_changes if begin <= when]
        return later[-1] if later else self.utc_offset_min

    @property
    def urgency(self) -> int:
        """A preview waits behind nothing: somebody sits before the page and can decide only when it is there."""
        return Tier.RED if self.purpose == "preview" else self.tier


class Profile(msgspec.Struct, array_like=True, frozen=True):
    """A person's policy-relevant facts, never their answers; a few hundred distinct ones in a county.

    `channels` are the contact kinds that reach the person, in their own order if they gave one; `left_out` are contact
    kinds they have but that may not be used, with the reason (said_no, not_verified).
    """

    key: str
    kind: str  # resident, subscriber, facility
    groups: tuple[str, ...]
    flags: tuple[
        str, ...
    ]  # high_support, cannot_leave, cannot_judge, opt_in_blue, opt_in_yellow, bed_shaker, alone ...
    language: str
    channels: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...] = ()
    own_order: bool = False
    asked_for: tuple[str, ...] = ()  # policy channel words they asked for although their groups call them unfit
    supporters: tuple[tuple[str, bool], ...] = ()  # (contact kind of the supporter's first channel, outside the zone)
    unverified: tuple[str, ...] = ()  # contact kinds of which no number is verified: for orange and red alone


class ContactEntry(msgspec.Struct, array_like=True, frozen=True):
    """One sealed address. `kind` is sms, voice_mobile, voice_landline, email, push, im, bed_shaker; key_id names the page key."""

    contact_id: str
    kind: str
    address_key: str
    sealed: bytes
    key_id: str
    usable: bool = True
    unverified: bool = False  # not usable, and only because nobody has verified it


class SupporterEntry(msgspec.Struct, array_like=True, frozen=True):
    """Somebody who agreed to help one person; not sent when inside the hazard zone, told all the same."""

    supporter_id: str
    outside_zone: bool
    language: str
    contacts: tuple[ContactEntry, ...]
    at_home: bool = False  # lives in the person's own home, and can take them along


class PersonEntry(msgspec.Struct, array_like=True, frozen=True):
    """One addressee of an audience page; `dossier` (name, address, how to wake, how to talk) is sealed."""

    person_id: str
    household_id: str
    profile: int  # index into the page's profiles
    zone_id: str
    grid_id: str
    walk_seq: int
    dossier: bytes
    key_id: str
    contacts: tuple[ContactEntry, ...] = ()
    supporters: tuple[SupporterEntry, ...] = ()


class WorkerEntry(msgspec.Struct, array_like=True, frozen=True):
    """A community officer on shift; `doors_per_hour` is a team's, from the register."""

    worker_id: str
    grids: tuple[str, ...]
    skills: tuple[str, ...]
    doors_per_hour: int
    language: str
    contacts: tuple[ContactEntry, ...]


class AudienceFound(Message, frozen=True, kw_only=True, array_like=True, tag="AudienceFound"):
    """Page `page` (from 0). The last one carries `total` people and a `digest` over all ids.

    `workers` on shift are in each: a step of minute 0 may ask an officer, whichever page comes first.

    A preview has one page: `counts` aligned with `profiles`, no people; `estimated` people lie in boundary cells. It
    brings the question it answers, so that questions and answers may come in any order.
    """

    purpose: str
    page: int
    last: bool
    profiles: tuple[Profile, ...]
    people: tuple[PersonEntry, ...] = ()
    workers: tuple[WorkerEntry, ...] = ()
    total: int = -1
    digest: str = ""
    counts: tuple[int, ...] = ()
    estimated: int = 0
    unresolved: tuple[tuple[str, str], ...] = ()  # geocodes no table of ours knows
    asked: WarningIssued | None = None  # of a preview

    @property
    def urgency(self) -> int:
        """As that of the question."""
        return self.tier if self.asked is None else self.asked.urgency


class DeliveryDue(Message, frozen=True, kw_only=True, array_like=True, tag="DeliveryDue"):
    """Some of the deliveries that are due, at most 200 ids: which are, their batches say."""

    ids: tuple[str, ...]


class EvidenceRecorded(Message, frozen=True, kw_only=True, array_like=True, tag="EvidenceRecorded"):
    """At most 200 delivery ids whose evidence, answer or send state changed."""

    ids: tuple[str, ...]


class NoticeRequested(Message, frozen=True, kw_only=True, array_like=True, tag="NoticeRequested"):
    """One message that is no warning: officer_link, turn_back, one_time_code, supporter_invitation,
    registered_for_you, channel_test.

    `params["channel"]` names the channel, officer_sms where it is left out. A code is not in it: see crypto.one_time_codes.
    """

    notice_id: str
    kind: str
    addressee_id: str
    contact: ContactEntry
    language: str
    expires: float
    params: dict[str, str] = {}


AnyMessage = WarningIssued | AudienceFound | DeliveryDue | EvidenceRecorded | NoticeRequested
TOPICS: dict[str, type[Message]] = {
    t.__name__: t for t in (WarningIssued, AudienceFound, DeliveryDue, EvidenceRecorded, NoticeRequested)
}

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[AnyMessage] = msgspec.msgpack.Decoder(AnyMessage)


def encode(message: Message) -> bytes:
    """msgpack, arrays only."""
    return _encoder.encode(message)


def decode(body: bytes) -> AnyMessage:
    """The message, or msgspec.ValidationError/DecodeError where the body is none of ours."""
    return _decoder.decode(body)


FIRST_PAGE_PEOPLE = 50  # the first message leaves when these are planned
PAGE_PEOPLE = 500
EVENT_IDS = 200
