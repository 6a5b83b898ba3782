"""Which messages belong together: duplicates, updates, cancels, and until when each of them holds.

An event is a chain of messages that name each other. Names are matched as sender, identifier and instant; where the
instant does not fit, as sender and identifier; at last by the identifier alone. A message that comes late changes
nothing that a later one has settled.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from services.gateway.cap.model import Alert, Reference
from services.gateway.cap.sources import source_of

Kind = Literal["first", "duplicate", "reused", "follows"]
Why = Literal["expires", "cancelled", "superseded"]

SKEW = timedelta(minutes=5)
MOST_AGE = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class KnownMessage:
    """What is kept of a message to place others by. `expires` is the meaning's, never missing."""

    sender: str
    identifier: str
    sent: datetime
    msg_type: str
    fingerprint: str
    expires: datetime
    references: tuple[Reference, ...] = ()
    incident: str = ""

    @classmethod
    def of(cls, alert: Alert, expires: datetime) -> KnownMessage:
        """The record of an alert that ends, by its meaning, at `expires`."""
        incident = alert.incidents[0] if alert.incidents and source_of(alert).incident_is_event else ""
        return cls(
            sender=alert.sender,
            identifier=alert.identifier,
            sent=alert.sent,
            msg_type=alert.msg_type,
            fingerprint=fingerprint(alert),
            expires=expires,
            references=alert.references,
            incident=incident,
        )

    @property
    def key(self) -> tuple[str, str, datetime]:
        """Sender, identifier and instant."""
        return (self.sender, self.identifier, self.sent)

    @property
    def acts(self) -> bool:
        """Whether it changes the state of its chain: an Ack or Error does not."""
        return self.msg_type in ("Alert", "Update", "Cancel")


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a new message stands among those known.

    `kind`: `duplicate` (the same message again: nothing to do), `reused` (its key came before with other content:
    quarantine), `follows` (`predecessors` are those it names or continues) or `first`. `unknown`: references
    that name nothing we have. `settled_by`: a later message that already supersedes or cancels it, so that it must
    not go out. `strangers`: predecessors of another sender, for authority to be checked. `park`: a cancel of
    nothing we know, to be kept until its alert comes.
    """

    kind: Kind
    predecessors: tuple[KnownMessage, ...] = ()
    unknown: tuple[Reference, ...] = ()
    settled_by: KnownMessage | None = None
    strangers: tuple[KnownMessage, ...] = ()
    park: bool = False


@dataclass(frozen=True, slots=True)
class Life:
    """Until when a message holds, and what ends it: its expiry, or the message `by`."""

    until: datetime
    why: Why
    by: KnownMessage | None = None


def fingerprint(alert: Alert) -> str:
    """SHA-256 over what the alert says, times as instants: the same text in other white space or prefixes is equal."""
    bare = replace(alert, raw=b"", sha256="", signed=False, position=0)
    return hashlib.sha256(repr(_instants(bare)).encode("utf-8", "surrogatepass")).hexdigest()


def _instants(value: object) -> object:
    """Records as lists, times as instants. A ring is its own best form: most of a large alert is corners."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, tuple):
        first = value[0] if value else None
        ring = isinstance(first, tuple) and bool(first) and isinstance(first[0], float)
        return value if ring else [_instants(item) for item in value]
    if is_dataclass(value):
        return [_instants(getattr(value, field.name)) for field in fields(value)]
    return value


def place(message: KnownMessage, known: Iterable[KnownMessage]) -> Placement:
    """Where `message` stands among `known`, in whatever order these came."""
    known = tuple(known)
    same = [other for other in known if other.key == message.key]
    if same:
        alike = any(other.fingerprint == message.fingerprint for other in same)
        return Placement("duplicate" if alike else "reused", predecessors=tuple(same))
    index = _Index(known)
    named, unknown = index.named_by(message)
    predecessors = _unique([*named, *(other for other in index.earlier_versions(message) if other.sent < message.sent)])
    chain = next(c for c in chains([*known, message]) if message in c)
    life = life_of(message, chain)
    return Placement(
        kind="follows" if predecessors else "first",
        predecessors=predecessors,
        unknown=unknown,
        settled_by=life.by if message.msg_type != "Cancel" else None,
        strangers=tuple(other for other in predecessors if other.sender != message.sender),
        park=message.msg_type == "Cancel" and not predecessors,
    )


def chains(known: Iterable[KnownMessage]) -> list[tuple[KnownMessage, ...]]:
    """The known messages by event, each chain in the order sent; Acks and Errors stand with what they name."""
    messages = sorted(_unique(known), key=_order)
    index = _Index(messages)
    boss = {message.key: message.key for message in messages}

    def find(key: tuple[str, str, datetime]) -> tuple[str, str, datetime]:
        while boss[key] != key:
            boss[key] = boss[boss[key]]
            key = boss[key]
        return key

    for message in messages:
        for other in (*index.named_by(message)[0], *index.earlier_versions(message)):
            boss[find(other.key)] = find(message.key)
    out: dict[tuple[str, str, datetime], list[KnownMessage]] = defaultdict(list)
    for message in messages:
        out[find(message.key)].append(message)
    return [tuple(chain) for chain in out.values()]


def life_of(message: KnownMessage, chain: Sequence[KnownMessage]) -> Life:
    """min(its expiry, its cancel, its successor), by the times at which these were sent."""
    ends = [Life(message.expires, "expires")]
    ancestors = _ancestors(chain)
    mine = ancestors[message.key] | {message.key}
    for other in chain:
        if not other.acts or other.key == message.key:
            continue
        named = message.key in ancestors[other.key]
        akin = bool(mine & ancestors[other.key]) and _order(other) > _order(message)
        if (named and other.sent >= message.sent) or akin:
            ends.append(Life(other.sent, "cancelled" if other.msg_type == "Cancel" else "superseded", other))
    # What a message has settled is said before what time would have settled at the same instant.
    return min(ends, key=lambda end: (end.until, end.by is None, end.by.identifier if end.by else ""))


def in_force(chain: Sequence[KnownMessage], now: datetime) -> tuple[KnownMessage, ...]:
    """The messages of a chain that hold at `now`: usually one; none after a cancel or the last expiry."""
    return tuple(
        message
        for message in chain
        if message.msg_type in ("Alert", "Update")
        and message.sent <= now + SKEW
        and life_of(message, chain).until > now
    )


def freshness(sent: datetime, expires: datetime, now: datetime) -> Literal["fresh", "future", "stale", "expired"]:
    """Whether a message that comes in at `now` may be acted on. It is not expired, and sent at most 5 min ahead or 24
    h ago."""
    if sent > now + SKEW:
        return "future"
    if expires <= now:
        return "expired"
    return "stale" if sent < now - MOST_AGE else "fresh"


def _order(message: KnownMessage) -> tuple[datetime, bool, str, str]:
    """By time sent; at the same instant a cancel comes last."""
    return (message.sent, message.msg_type == "Cancel", message.identifier, message.sender)


def _unique(messages: Iterable[KnownMessage]) -> tuple[KnownMessage, ...]:
    return tuple({message.key: message for message in messages}.values())


def _ancestors(chain: Sequence[KnownMessage]) -> dict[tuple[str, str, datetime], set[tuple[str, str, datetime]]]:
    """For each message the keys of all it names, directly or through what it names. Circles end where they close."""
    index = _Index(chain)
    parents = {
        message.key: [
            other.key
            for other in (*index.named_by(message)[0], *index.earlier_versions(message))
            if other.key != message.key and other.sent <= message.sent
        ]
        for message in chain
    }
    out: dict[tuple[str, str, datetime], set[tuple[str, str, datetime]]] = {}
    for key in parents:
        seen: set[tuple[str, str, datetime]] = set()
        todo = list(parents[key])
        while todo:
            parent = todo.pop()
            if parent not in seen:
                seen.add(parent)
                todo += parents[parent]
        out[key] = seen - {key}
    return out


class _Index:
    """Known messages by the names others may call them."""

    def __init__(self, known: Iterable[KnownMessage]) -> None:
        self._by_pair: dict[tuple[str, str], list[KnownMessage]] = defaultdict(list)
        self._by_identifier: dict[str, list[KnownMessage]] = defaultdict(list)
        self._by_incident: dict[tuple[str, str], list[KnownMessage]] = defaultdict(list)
        for message in known:
            self._by_pair[(message.sender, message.identifier)].append(message)
            self._by_identifier[message.identifier].append(message)
            if message.incident:
                self._by_incident[(message.sender, message.incident)].append(message)

    def named_by(self, message: KnownMessage) -> tuple[list[KnownMessage], tuple[Reference, ...]]:
        """Those the message's references name, itself aside, and the references that name nothing."""
        found: list[KnownMessage] = []
        unknown: list[Reference] = []
        for ref in message.references:
            versions = self._by_pair.get((ref.sender, ref.identifier)) or self._by_identifier.get(ref.identifier, [])
            versions = [other for other in versions if other.key != message.key]
            exact = [other for other in versions if other.sent == ref.sent]
            if versions:
                found += exact or versions
            else:
                unknown.append(ref)
        return found, tuple(unknown)

    def earlier_versions(self, message: KnownMessage) -> list[KnownMessage]:
        """The messages it continues without naming them: those sent before of its identifier, or of its incident. Of
        its incident only where a source's incidents are its events."""
        same = self._by_pair.get((message.sender, message.identifier), [])
        if message.incident:
            same = [*same, *self._by_incident.get((message.sender, message.incident), [])]
        return [other for other in same if other.key != message.key and other.sent <= message.sent]
