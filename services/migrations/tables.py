"""Every table there is: importing a store puts its tables on the one metadata."""

from __future__ import annotations

from services.channels import key_rotation
from services.channels.drivers.mqtt import device_store
from services.channels.outcomes import multipart, opted_out
from services.channels.providers import provider_store, stations
from services.channels.sending import reconcile
from services.gateway import store as gateway
from services.gateway.approvals import store as approval_store
from services.gateway.drafting import sketch_store
from services.gateway.feeds import feed_store
from services.gateway.intake import chains, quarantine
from services.gateway.webhooks import webhook_store
from services.registry.store import lookup_tables, resident_tables
from services.registry.store import register as registry
from services.router.store import callouts, cases, handover
from services.router.store import tables as router
from services.shared import alarms
from services.shared.accounts import tables as accounts
from services.shared.audit import checkpoints, trail
from services.shared.bus import outbox
from services.shared.crypto import channels_keys, house_keys, sealing
from services.shared.database.engine import metadata
from services.shared.ledger import (
    answers,
    approvals,
    areas,
    channels,
    help_wanted,
    opened_calls,
    opened_lists,
    team_signs,
    warnings,
)
from services.shared.ledger import tables as ledger
from services.shared.operations import clock_watch
from services.shared.powers import pagers
from services.shared.web import auth, sessions, signed_requests

OWNERS = (
    accounts, alarms, answers, approvals, approval_store, areas, channels, warnings, trail, checkpoints, auth, callouts, cases,
    chains, clock_watch, help_wanted, handover, opened_calls,
    device_store, feed_store, gateway, ledger, lookup_tables, resident_tables, outbox, multipart, provider_store,
    quarantine, reconcile, registry, key_rotation, router, sealing, channels_keys, house_keys, sessions, signed_requests,
    stations, opted_out, opened_lists, pagers, sketch_store, team_signs, webhook_store,
)  # fmt: skip
__all__ = ["OWNERS", "metadata"]
