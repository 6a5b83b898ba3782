"""Plans deliveries: `NewDelivery` has one constructor a kind, and `add` is the one way into the ledger.

`Delivery` is a row as it stands. What is planned has the names a row has, so that planning reads both alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, TypeVar

import msgspec
import sqlalchemy as sa

from services.shared.database.batches import insert_new
from services.shared.database.engine import Connection
from services.shared.database.rows import rows_of
from services.shared.ledger.flights import add_batches, batched
from services.shared.ledger.kinds import DeliveryKind
from services.shared.ledger.params import Callout, Notice, Params, ProviderTried, Visit
from services.shared.ledger.states import SendState
from services.shared.ledger.tables import Delivery, delivery
from services.shared.messages import ContactEntry, NoticeRequested, PersonEntry, WarningIssued, WorkerEntry
from services.shared.tiers import Tier

REASON = 80  # characters


class Addressee(NamedTuple):
    """Who gets a delivery: `kind` is person, facility, supporter or worker."""

    kind: str
    addressee_id: str
    language: str


class NewDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that is planned and stands nowhere yet. Made by the constructor of its kind, never by hand."""

    delivery_id: str
    warning_id: str
    kind: DeliveryKind
    tier: int
    addressee_id: str
    addressee_kind: str
    step: str
    channel: str
    driver: str
    form: str
    language: str
    address_key: str
    reason: str
    due_at: float
    expires_at: float
    state_at: float
    person_id: str = ""
    about_id: str = ""
    try_no: int = 1
    contact_id: str = ""
    sealed: bytes | None = None
    key_id: str = ""
    dossier: bytes | None = None
    dossier_key_id: str = ""
    params: Params | None = None
    covers: int = 0
    slot: str = ""
    send_state: str = SendState.PENDING.value
    state_reason: str = ""
    ambiguous: int = 0
    evidence: int = 0
    answer: str = ""
    answer_at: float | None = None

    @classmethod
    def warning(
        cls,
        delivery_id: str,
        issued: WarningIssued,
        person: PersonEntry,
        to: Addressee,
        contact: ContactEntry,
        *,
        step: str,
        channel: str,
        driver: str,
        form: str,
        reason: str,
        due_at: float,
        about_id: str = "",
        try_no: int = 1,
        params: Params | None = None,
    ) -> NewDelivery:
        """The warning to a person, a facility, or to a supporter or officer who is asked to see to one.

        `about_id` is the person where the text speaks of them: it takes their dossier along, and shares no phone.
        """
        return cls(
            delivery_id=delivery_id, warning_id=issued.warning_id, kind=DeliveryKind.WARNING, tier=issued.tier,
            person_id=person.person_id, addressee_id=to.addressee_id, addressee_kind=to.kind, step=step, channel=channel,
            driver=driver, form=form, about_id=about_id, language=to.language, try_no=try_no,
            contact_id=contact.contact_id, address_key=contact.address_key, sealed=contact.sealed, key_id=contact.key_id,
            dossier=person.dossier if about_id else None, dossier_key_id=person.key_id if about_id else "",
            params=params, covers=1, reason=reason[:REASON], due_at=due_at, expires_at=issued.expires, state_at=due_at,
        )  # fmt: skip

    @classmethod
    def visit(
        cls,
        delivery_id: str,
        issued: WarningIssued,
        person: PersonEntry,
        language: str,
        params: Visit,
        *,
        step: str,
        driver: str,
        reason: str,
        due_at: float,
        try_no: int,
    ) -> NewDelivery:
        """A visit at the person's door; it stands on no team's list yet."""
        return cls(
            delivery_id=delivery_id, warning_id=issued.warning_id, kind=DeliveryKind.VISIT, tier=issued.tier,
            person_id=person.person_id, addressee_id=person.person_id, addressee_kind="door", step=step, channel="door",
            driver=driver, form="visit", language=language, try_no=try_no, address_key=f"door:{person.person_id}",
            dossier=person.dossier, dossier_key_id=person.key_id, params=params, covers=1, reason=reason[:REASON],
            due_at=due_at, expires_at=issued.expires, state_at=due_at,
        )  # fmt: skip

    @classmethod
    def rescue(
        cls,
        delivery_id: str,
        issued: WarningIssued,
        person: PersonEntry,
        language: str,
        params: Visit,
        *,
        step: str,
        driver: str,
        reason: str,
        due_at: float,
        slot: str,
    ) -> NewDelivery:
        """The person's name, place and needs on the fire service's list, which is `slot`."""
        return cls(
            delivery_id=delivery_id, warning_id=issued.warning_id, kind=DeliveryKind.RESCUE, tier=issued.tier,
            person_id=person.person_id, addressee_id=person.person_id, addressee_kind="door", step=step,
            channel="fire_service_list", driver=driver, form="visit", language=language,
            address_key=f"fire:{person.person_id}", dossier=person.dossier, dossier_key_id=person.key_id, params=params,
            covers=1, slot=slot, reason=reason[:REASON], due_at=due_at, expires_at=issued.expires, state_at=due_at,
        )  # fmt: skip

    @classmethod
    def area(
        cls,
        delivery_id: str,
        issued: WarningIssued,
        addressee_id: str,
        *,
        step: str,
        channel: str,
        driver: str,
        reason: str,
        due_at: float,
        try_no: int,
    ) -> NewDelivery:
        """The warning, update or ending to everybody in the area at once."""
        return cls(
            delivery_id=delivery_id, warning_id=issued.warning_id, kind=DeliveryKind.AREA, tier=issued.tier,
            addressee_id=addressee_id, addressee_kind="area", step=step, channel=channel, driver=driver,
            form="crawl" if channel == "broadcast" else "plain", language="", try_no=try_no,
            address_key=f"area:{channel}", reason=reason[:REASON], due_at=due_at, expires_at=issued.expires,
            state_at=due_at,
        )  # fmt: skip

    @classmethod
    def official(
        cls,
        delivery_id: str,
        issued: WarningIssued,
        worker: WorkerEntry,
        contact: ContactEntry,
        *,
        about_id: str,
        channel: str,
        driver: str,
        reason: str,
        due_at: float,
        try_no: int,
        by_phone: bool = False,
    ) -> NewDelivery:
        """A call or text to an official who has to speak; about another one where that one was silent.

        `by_phone`: nobody may go out, and the text says so.
        """
        form = ("official" if about_id == worker.worker_id else "official_above") + ("_phone" if by_phone else "")
        return cls(
            delivery_id=delivery_id, warning_id=issued.warning_id, kind=DeliveryKind.OFFICIAL, tier=issued.tier,
            addressee_id=worker.worker_id, addressee_kind="worker", step="official", channel=channel, driver=driver,
            form=form, about_id=about_id, language=worker.language, try_no=try_no, contact_id=contact.contact_id,
            address_key=contact.address_key, sealed=contact.sealed, key_id=contact.key_id, reason=reason[:REASON],
            due_at=due_at, expires_at=issued.expires, state_at=due_at,
        )  # fmt: skip

    @classmethod
    def callout(
        cls,
        delivery_id: str,
        issued: WarningIssued,
        worker: WorkerEntry,
        contact: ContactEntry,
        params: Callout,
        *,
        callout_id: str,
        channel: str,
        driver: str,
        reason: str,
        due_at: float,
    ) -> NewDelivery:
        """A volunteer with a skill is asked."""
        return cls(
            delivery_id=delivery_id, warning_id=issued.warning_id, kind=DeliveryKind.CALLOUT, tier=issued.tier,
            addressee_id=worker.worker_id, addressee_kind="worker", step="callout", channel=channel, driver=driver,
            form="callout", about_id=callout_id, language=worker.language, contact_id=contact.contact_id,
            address_key=contact.address_key, sealed=contact.sealed, key_id=contact.key_id, params=params,
            reason=reason[:REASON], due_at=due_at, expires_at=issued.expires, state_at=due_at,
        )  # fmt: skip

    @classmethod
    def ending(cls, delivery_id: str, issued: WarningIssued, old: Delivery, *, due_at: float) -> NewDelivery:
        """An ending or update to whoever may have got `old`, on the channel it came by; kept for a day at least."""
        return cls(
            delivery_id=delivery_id, warning_id=issued.warning_id, kind=DeliveryKind.ENDING, tier=issued.tier,
            person_id=old.person_id, addressee_id=old.addressee_id, addressee_kind=old.addressee_kind, step="ending",
            channel=old.channel, driver=old.driver, form="ending", about_id=old.delivery_id, language=old.language,
            contact_id=old.contact_id, address_key=old.address_key, sealed=old.sealed, key_id=old.key_id,
            dossier=old.dossier, dossier_key_id=old.dossier_key_id, covers=old.covers,
            reason=f"may have got the warning by {old.channel}", due_at=due_at,
            expires_at=max(issued.expires, due_at + 86400), state_at=due_at,
        )  # fmt: skip

    @classmethod
    def notice(
        cls, message: NoticeRequested, *, channel: str, driver: str, addressee_kind: str, due_at: float
    ) -> NewDelivery:
        """What is said to one phone and warns of nothing: a link to a list, a code, an answer."""
        return cls(
            delivery_id=message.notice_id, warning_id=message.warning_id, kind=DeliveryKind.NOTICE, tier=message.tier,
            addressee_id=message.addressee_id, addressee_kind=addressee_kind, step="notice", channel=channel,
            driver=driver, form="notice", about_id=message.notice_id, language=message.language,
            contact_id=message.contact.contact_id, address_key=message.contact.address_key, sealed=message.contact.sealed,
            key_id=message.contact.key_id, params=Notice(message.kind, message.params), covers=1, reason=message.kind,
            due_at=due_at, expires_at=message.expires, state_at=due_at,
        )  # fmt: skip

    @classmethod
    def link_test(
        cls,
        delivery_id: str,
        *,
        channel: str,
        provider: str,
        addressee_id: str,
        address_key: str,
        due_at: float,
        within: float,
    ) -> NewDelivery:
        """A message to a phone of the authority's own, which proves that a provider serves a channel."""
        return cls(
            delivery_id=delivery_id, warning_id="", kind=DeliveryKind.LINK_TEST, tier=int(Tier.BLUE), addressee_id=addressee_id,
            addressee_kind="test", step="link_test", channel=channel, driver=provider, form="notice",
            about_id=delivery_id, language="en", address_key=address_key, params=ProviderTried(provider), covers=1,
            reason="link test", due_at=due_at, expires_at=due_at + within, state_at=due_at,
        )  # fmt: skip


Planned = Delivery | NewDelivery
B = TypeVar("B", bound=NamedTuple)


async def add(
    tx: Connection, deliveries: Iterable[NewDelivery], profile_of: Mapping[str, str] = MappingProxyType({})
) -> int:
    """Puts deliveries into the ledger and into batches; returns how many went in. One that stands there already stays as
    it is. `profile_of`: person > the profile they are counted under."""
    ordered = sorted(deliveries, key=lambda one: one.delivery_id)
    made, batch_of = batched(one for one in ordered if one.send_state == SendState.PENDING)
    rows = [
        msgspec.structs.asdict(one)
        | {"batch_id": batch_of.get(one.delivery_id, ""), "profile_key": profile_of.get(one.person_id, "")}
        for one in ordered
    ]
    count = await insert_new(tx, delivery, rows)
    await add_batches(tx, made)
    return count


async def deliveries_where(db: Connection, *where: sa.ColumnElement[bool]) -> Sequence[Delivery]:
    """The deliveries that match, by id."""
    return await rows_of(db, Delivery, sa.select(delivery).where(*where).order_by(delivery.c.delivery_id))


async def with_more(
    db: Connection, beside: type[B], query: sa.Executable, values: Mapping[str, object] | None = None
) -> list[tuple[Delivery, B]]:
    """Each delivery of a query with what stands beside it: all columns of `delivery` first, then those of `beside`.

    TypeError where the columns are others.
    """
    result = await db.execute(query, values)
    width = len(Delivery._fields)
    if (found := tuple(result.keys())) != (*Delivery._fields, *beside._fields):
        raise TypeError(f"a query for Delivery and {beside.__name__} brings {', '.join(found)}")
    return [(Delivery._make(row[:width]), beside._make(row[width:])) for row in result]
