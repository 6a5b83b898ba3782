"""Every table there is: importing a store puts its tables on the one metadata."""

from __future__ import annotations

from services.channels import device_store, part_store, provider_store, reconcile, rotation, station_store, stopped
from services.gateway import chain_store, feed_store, quarantine
from services.gateway import store as gateway
from services.registry import look_tables, me_tables
from services.registry import store as registry
from services.router import callout_store, case_store
from services.router import store as router
from services.shared import (
    alarms,
    audit,
    audit_checkpoints,
    auth,
    clock_watch,
    ledger,
    outbox,
    sealing,
    sealing_keys,
    sign_in,
)
from services.shared.db import metadata

OWNERS = (
    alarms, audit, audit_checkpoints, auth, callout_store, case_store, chain_store, clock_watch, device_store, feed_store,
    gateway, ledger, look_tables, me_tables, outbox, part_store, provider_store, quarantine, reconcile, registry, rotation,
    router, sealing, sealing_keys, sign_in, station_store, stopped,
)  # fmt: skip
__all__ = ["OWNERS", "metadata"]
