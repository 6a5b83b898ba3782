"""Adds, changes and lifts contact rows, by source."""

from __future__ import annotations

from collections.abc import Sequence

from services.registry.model.facts import Provenance
from services.registry.model.given import ContactIn
from services.registry.people.from_storage import unchecked
from services.registry.people.rows import ContactRow, GivenBy
from services.registry.people.write_context import WriteContext
from services.shared.bus.outbox import id_of
from services.shared.crypto.sealing import address_key

REFUSED = ("said_no", "not_hers")
STRENGTH: dict[GivenBy, int] = {"record": 0, "officer": 1, "proxy": 2, "self": 3}
_contact = unchecked(ContactIn)


def as_given(row: ContactRow) -> ContactIn:
    """A stored row as a source would give it, without its address, which nobody here can open."""
    return _contact(
        kind=row["kind"],
        address="",
        order=row["position"],
        verified=bool(row["verified_on"]),
        given_by=row["given_by"],
        said_no=row["why_not"] in REFUSED,
        household=row["household"],
        safe=row["safe"],
    )


def why_not(row: ContactRow) -> str:
    """Why nothing is sent there: said_no, not_hers or not_verified; empty where it may be used."""
    if row["why_not"] in REFUSED:
        return str(row["why_not"])
    return "" if row["verified_on"] or row["given_by"] == "self" else "not_verified"


def take_contacts(
    rows: dict[str, ContactRow],
    owner_id: str,
    given: Sequence[ContactIn],
    who: Provenance,
    write_context: WriteContext,
    *,
    adds: bool = False,
) -> set[str]:
    """Adds or changes rows by what one source gives; returns the ids it named.

    Who only `adds` puts theirs behind those that are there, and leaves those as they are.
    """
    found = set()
    own = who.rank == 3 and not adds
    behind = 0 if own else max((row["position"] for row in rows.values()), default=-1) + 1
    for contact in sorted(given, key=lambda c: c.order):
        key = address_key(write_context.index, contact.kind, contact.address)
        contact_id = id_of("contact", owner_id, contact.kind, key)
        if contact_id in found:
            continue
        found.add(contact_id)
        old = rows.get(contact_id)
        if adds and old is not None and old["source_id"] != who.source_id:
            continue
        verified = contact.verified_on or (write_context.today if contact.verified else "")
        if old is None:
            rows[contact_id] = {
                "contact_id": contact_id,
                "owner_id": owner_id,
                "position": behind + len(found) - 1,
                "kind": contact.kind,
                "sealed": write_context.sealer.seal(contact.address.encode(), contact_id),
                "key_id": write_context.sealer.key_id,
                "mask": "…" if contact.kind == "push" else "…" + contact.address[-3:],
                "address_key": key,
                "why_not": contact.why_not,
                "given_by": contact.given_by,
                "given_on": who.on,
                "verified_on": verified,
                "hours": contact.hours,
                "household": contact.household,
                "safe": contact.safe and not adds,  # a safe one would take the place of all others
                "source_id": who.source_id,
            }
            continue
        same = own or old["source_id"] == who.source_id
        changed = old.copy()
        changed["given_on"] = max(old["given_on"], who.on)
        changed["verified_on"] = max(old["verified_on"], verified)
        changed["given_by"] = max(old["given_by"], contact.given_by, key=lambda g: STRENGTH[g])
        changed["source_id"] = who.source_id if old["source_id"] == who.source_id else ""
        # what a person said on a page holds until they say otherwise there; a list takes back what the same list said
        lifts = old["source_id"] == who.source_id if who.source_id else own
        if contact.said_no or (lifts and old["why_not"] in REFUSED):
            changed["why_not"] = contact.why_not
        if same:
            changed |= {"hours": contact.hours, "household": contact.household, "safe": contact.safe and not adds}
        if own:
            changed["position"] = len(found) - 1
        rows[contact_id] = changed
    return found
