"""Stores a team of officers: sealed under one page key, in the open what plans doors."""

from __future__ import annotations

import hashlib
import hmac

from services.registry.model.facilities import WorkerIn
from services.registry.model.facts import Provenance
from services.registry.model.given import Given
from services.registry.people.contacts import take_contacts
from services.registry.people.rows import ContactRow
from services.registry.people.write_context import WriteContext


def given_digest(index: bytes, one: Given) -> str:
    """Keyed, since a plain hash of a phone number is as good as the number."""
    return hmac.new(index, one.model_dump_json().encode(), hashlib.sha256).hexdigest()


def worker_row(write_context: WriteContext, one: WorkerIn) -> dict[str, object]:
    """The row of a team of officers."""
    return {
        "worker_id": one.worker_id,
        "status": one.status,
        "roles": list(one.roles),
        "grids": list(one.grids),
        "skills": list(one.skills),
        "doors_per_hour": one.doors_per_hour,
        "language": one.language,
        "shift": one.shift,
        "backup_id": one.backup_id,
        "vetted_on": one.vetted_on,
        "name": write_context.sealer.seal(one.name.encode(), one.worker_id),
        "key_id": write_context.sealer.key_id,
        "digest": given_digest(write_context.index, one),
    }


def worker_contacts(write_context: WriteContext, one: WorkerIn, who: Provenance) -> list[ContactRow]:
    """Rows in the order of use."""
    rows: dict[str, ContactRow] = {}
    take_contacts(rows, one.worker_id, one.contacts, who, write_context)
    return list(rows.values())
