"""Says what each service may do with the database and the broker: one table, from which the SQL and the broker's users are made.

`python -m tools.rights` derives the same from the code, and a test holds the two together: a right that nothing uses is taken
away, one that is missing would stop a warning. Migrations and the commands are run by the database's owner.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from services.roles import ROLES
from services.shared.audit.shown import VIEWS
from services.shared.bus.outbox import SUBSCRIBERS
from services.shared.tiers import TIER_WORDS

WORDS = {"S": "SELECT", "I": "INSERT", "U": "UPDATE", "D": "DELETE"}
RIGHTS: Mapping[str, tuple[str, str, str, str]] = {  # table or view > of gateway, registry, router, channels
    "acts_shown": ("", "", "S", ""),
    "account": ("SIU", "S", "S", "S"),
    "account_attempt": ("SID", "", "", ""),
    "account_credential": ("SIUD", "S", "S", "S"),
    "account_grant": ("SID", "S", "S", "S"),
    "account_invitation": ("SID", "", "", ""),
    "account_spent": ("SID", "", "", ""),
    "alarm": ("SIUD", "SIUD", "SIUD", "SIUD"),
    "answer_log": ("", "", "S", "SIU"),
    "api_key": ("S", "S", "S", "S"),
    "attempt": ("", "", "S", "SIU"),
    "audit_checkpoint": ("SI", "", "", ""),
    "audit_log": ("SI", "SI", "SI", "SI"),
    "auth_grant": ("S", "S", "S", "S"),
    "authority": ("SI", "S", "S", "S"),
    "authority_superior": ("S", "S", "S", "S"),
    "batch": ("S", "S", "SIU", "SIUD"),
    "channel": ("S", "S", "S", "SIUD"),
    "channels_announcement": ("", "", "", "SIUD"),
    "channels_asked": ("", "", "", "SIUD"),
    "channels_device": ("", "", "", "SIU"),
    "channels_device_command": ("", "", "", "SIUD"),
    "channels_link_test": ("", "", "", "SIUD"),
    "channels_list_link": ("", "", "S", "SIU"),
    "channels_opted_out": ("", "", "", "SIUD"),
    "channels_process": ("", "", "", "SIUD"),
    "channels_provider": ("", "", "", "SIU"),
    "channels_score": ("", "", "", "SIUD"),
    "channels_station": ("", "", "", "SIU"),
    "clock_beat": ("SIUD", "SIUD", "SIUD", "SIUD"),
    "dead_letter": ("SIUD", "SIUD", "SIUD", "SIUD"),
    "delivery": ("S", "S", "SIU", "SIU"),
    "delivery_cover": ("", "", "SI", ""),
    "flight": ("", "S", "S", "SIUD"),
    "gateway_feed": ("SIU", "", "", ""),
    "gateway_feed_entry": ("SIU", "", "", ""),
    "gateway_idempotency": ("SI", "", "", ""),
    "gateway_message": ("SIU", "", "", ""),
    "gateway_quarantine": ("SID", "", "", ""),
    "gateway_reference": ("SI", "", "", ""),
    "gateway_review": ("SIU", "", "", ""),
    "gateway_sketch": ("SIU", "", "", ""),
    "gateway_webhook": ("SU", "", "", ""),
    "gateway_webhook_event": ("SIUD", "", "", ""),
    "help_wanted": ("", "", "S", "SIU"),
    "house_key": ("", "SIU", "", "SIU"),
    "house_key_process": ("", "SIUD", "", "SIUD"),
    "inbox": ("SIUD", "SIUD", "SIUD", "SIUD"),
    "instance": ("SIU", "SIU", "SIU", "SIU"),
    "looks_shown": ("", "S", "", ""),
    "message_part": ("", "", "", "SIUD"),
    "opened_calls": ("", "", "SID", "S"),
    "outbox": ("SIUD", "SIUD", "SIUD", "SIUD"),
    "page_key": ("", "SI", "", "SIU"),
    "pager": ("S", "SIUD", "S", ""),
    "policy_in_force": ("S", "", "SIU", ""),
    "preapproval": ("SIU", "", "S", ""),
    "registry_area": ("S", "SIUD", "S", "S"),
    "registry_cell_count": ("", "SIUD", "", ""),
    "registry_challenge": ("", "SIUD", "", ""),
    "registry_conflict": ("", "SIUD", "", ""),
    "registry_consent": ("", "SIUD", "", ""),
    "registry_contact": ("", "SIUD", "", ""),
    "registry_counted": ("", "SID", "", ""),
    "registry_decoy": ("", "SIU", "", ""),
    "registry_errand": ("", "SIU", "", ""),
    "registry_facility": ("", "SIUD", "", ""),
    "registry_facts": ("", "SIUD", "", ""),
    "registry_geocode": ("S", "SIUD", "S", "S"),
    "registry_half_filled": ("", "SIUD", "", ""),
    "registry_held_change": ("", "SIUD", "", ""),
    "registry_job": ("", "SIU", "", ""),
    "registry_listing": ("", "SIU", "", ""),
    "registry_look": ("", "SIU", "", ""),
    "registry_notice": ("", "SI", "", ""),
    "registry_person": ("", "SIUD", "", ""),
    "registry_place": ("S", "SIUD", "", ""),
    "registry_profile": ("", "SI", "", ""),
    "registry_risk_zone": ("S", "SIUD", "", ""),
    "registry_roll": ("", "SI", "", ""),
    "registry_source": ("", "SIU", "", ""),
    "registry_stay": ("", "SIUD", "", ""),
    "registry_supporter": ("", "SIUD", "", ""),
    "registry_unlock": ("", "SIU", "", ""),
    "registry_worker": ("", "SIUD", "", ""),
    "request_nonce": ("SID", "SID", "SID", "SID"),
    "router_callout": ("", "", "SIU", ""),
    "router_case": ("", "", "SIU", ""),
    "router_case_event": ("", "", "SI", ""),
    "router_handover": ("", "", "SI", ""),
    "router_job": ("", "", "SIU", ""),
    "router_path": ("", "", "SIU", ""),
    "router_policy": ("", "", "SI", ""),
    "router_policy_proposed": ("", "", "SIUD", ""),
    "router_profile": ("", "", "SI", ""),
    "router_warning": ("", "", "SIU", ""),
    "router_watch": ("", "", "SIUD", ""),
    "router_worker": ("", "", "SIU", ""),
    "sealing_key": ("", "S", "", "SIU"),
    "sign_in": ("SIUD", "SIUD", "SU", "SU"),
    "tally": ("S", "", "SIU", "SIU"),
    "team_sign": ("", "", "SI", "SI"),
    "warning_asked": ("SIU", "", "S", ""),
    "warning_preview": ("S", "", "SIU", ""),
    "warning_scope": ("SIU", "S", "S", "S"),
    "warning_state": ("SIU", "S", "SU", "SU"),
    "warning_text": ("SIU", "", "S", "S"),
}
ALL_BUT = "all but"
# Where a right does not go over the whole row: service, table, letter > its columns, or those it leaves out.
COLUMNS: Mapping[tuple[str, str, str], tuple[str, ...]] = {
    # who writes an entry needs the last one's hash and number; the log is read by the gateway alone, the others have views
    **{(service, "audit_log", "S"): ("n", "hash") for service in ("registry", "router", "channels")},
    # it passes hints on and hears no message: these bring where people are found
    ("gateway", "outbox", "S"): (ALL_BUT, "body"),
    ("gateway", "dead_letter", "S"): (ALL_BUT, "body"),
    ("gateway", "delivery", "S"): (ALL_BUT, "sealed", "address_key", "dossier"),
    **{(service, "outbox", "U"): ("tries", "not_before", "published_at") for service in ROLES},
    # that somebody can sign in is asked before a person counts as one; how they do is the gateway's
    **{
        (service, "account_credential", "S"): ("person", "kind", "used_at")
        for service in ("registry", "router", "channels")
    },
    **{(service, "sign_in", "U"): ("seen_at",) for service in ("router", "channels")},
    # the word on doors, and that the newer message reaches people; a warning's state is the gateway's
    ("router", "warning_state", "U"): ("doors", "doors_by", "accepted_reaches"),
    # it only locks the row, for which PostgreSQL wants the right to update some column
    ("channels", "warning_state", "U"): ("doors_by",),
}
SAYS: Mapping[str, tuple[str, ...]] = {  # which messages a service may put into the outbox
    "gateway": ("NoticeRequested", "WarningIssued"),
    "registry": ("AudienceFound", "NoticeRequested"),
    "router": ("DeliveryDue", "EvidenceRecorded", "NoticeRequested"),
    "channels": ("EvidenceRecorded",),
}


def may(service: str, table: str) -> str:
    """Letters of what a service may do with a table."""
    return RIGHTS[table][ROLES.index(service)]


def role_of(service: str) -> str:
    """The name of a service's database role and broker user."""
    return f"tocsin_{service}"


def hears(service: str) -> list[str]:
    """Topics a service is given."""
    return [topic for topic, consumers in SUBSCRIBERS.items() if service in consumers]


# ---- the database


def roles_sql(columns: Mapping[str, Iterable[str]], passwords: Mapping[str, str]) -> str:
    """SQL that gives each service's role what it needs and takes all else; to be run by the owner, again after each migration.

    `columns`: of every table. A role that is not there is made; without a password here it can sign in only once it has one.
    """
    roles = ", ".join(role_of(service) for service in ROLES)
    statements = ["BEGIN;"]
    for service in ROLES:
        role = role_of(service)
        there = f"EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}')"
        statements.append(f"DO $$ BEGIN IF NOT {there} THEN CREATE ROLE {role} LOGIN; END IF; END $$;")
        if service in passwords:
            statements += [f"ALTER ROLE {role} PASSWORD {_quoted(passwords[service])};"]
    statements += [
        "DO $$ BEGIN",
        "  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());",
        f"  EXECUTE format('GRANT CONNECT ON DATABASE %I TO {roles}', current_database());",
        "END $$;",
        "REVOKE ALL ON SCHEMA public FROM PUBLIC;",
        f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, {roles};",
        f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM PUBLIC, {roles};",
        f"GRANT USAGE ON SCHEMA public TO {roles};",
        f"GRANT SELECT ON alembic_version TO {roles};",
        f"GRANT USAGE ON SEQUENCE outbox_id_seq TO {roles};",
    ]
    for service in ROLES:
        for table in RIGHTS:
            if letters := may(service, table):
                granted = ", ".join(_granted(service, table, letter, columns[table]) for letter in letters)
                statements.append(f"GRANT {granted} ON {table} TO {role_of(service)};")
    statements += _statistics()
    statements += _outbox_policies()
    return "\n".join([*statements, "COMMIT;", ""])


def _granted(service: str, table: str, letter: str, columns: Iterable[str]) -> str:
    only = COLUMNS.get((service, table, letter))
    if only is None:
        return WORDS[letter]
    if only[0] == ALL_BUT:
        only = tuple(one for one in columns if one not in only)
    return f"{WORDS[letter]} ({', '.join(only)})"


def _statistics() -> list[str]:
    """Who fills tables quickly may have them counted, where PostgreSQL knows that right (17)."""
    registry = [table for table in RIGHTS if "I" in may("registry", table) and table.startswith("registry_")]
    left = ("auth", "audit", "api_key", *VIEWS)
    router = [table for table in RIGHTS if may("router", table) and not table.startswith(left)]
    return [
        "DO $$ BEGIN IF current_setting('server_version_num')::int >= 170000 THEN",
        f"  EXECUTE 'GRANT MAINTAIN ON {', '.join(registry)} TO {role_of('registry')}';",
        f"  EXECUTE 'GRANT MAINTAIN ON {', '.join(router)} TO {role_of('router')}';",
        "END IF; END $$;",
    ]


def _outbox_policies() -> list[str]:
    """A message is taken as true because it lies in the outbox: so nobody puts one there that is not theirs to say."""
    statements = ["ALTER TABLE outbox ENABLE ROW LEVEL SECURITY;"]
    for service in ROLES:
        role = role_of(service)
        said = ", ".join(_quoted(topic) for topic in SAYS[service])
        for name, rule in (
            ("says", f"FOR INSERT TO {role} WITH CHECK (topic IN ({said}))"),
            ("reads", f"FOR SELECT TO {role} USING (true)"),
            ("notes", f"FOR UPDATE TO {role} USING (true)"),
            ("forgets", f"FOR DELETE TO {role} USING (true)"),
        ):
            statements += [
                f"DROP POLICY IF EXISTS {service}_{name} ON outbox;",
                f"CREATE POLICY {service}_{name} ON outbox {rule};",
            ]
    return statements


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


# ---- the broker


def broker_definitions(plane: str, hashes: Mapping[str, str]) -> str:
    """What a RabbitMQ loads when it starts: users with their rights, the plane's exchanges and the queue of what died.

    `hashes`: of each service's password, and of `admin`, who may do everything. A consumer declares its own queues.
    """
    vhost = f"tocsin-{plane}"
    users = [{"name": "tocsin_admin", "tags": ["administrator"], "password_hash": hashes["admin"]}]
    users += [{"name": role_of(one), "tags": [], "password_hash": hashes[one]} for one in ROLES]
    permissions = [{"user": "tocsin_admin", "vhost": vhost, "configure": ".*", "write": ".*", "read": ".*"}]
    permissions += [{"user": role_of(one), "vhost": vhost} | _broker_rights(one) for one in ROLES]
    topics = [
        {
            "user": role_of(one),
            "vhost": vhost,
            "exchange": "tocsin",
            "write": _topics(one, said=True),
            "read": _topics(one),
        }
        for one in ROLES
    ]
    exchanges = [("tocsin", "topic"), ("tocsin.dead", "fanout"), (f"plane.{plane}", "fanout")]
    made = {
        "users": [user | {"hashing_algorithm": "rabbit_password_hashing_sha256", "limits": {}} for user in users],
        "vhosts": [{"name": vhost}],
        "permissions": permissions,
        "topic_permissions": topics,
        "exchanges": [
            {
                "name": name, "vhost": vhost, "type": kind, "durable": True, "auto_delete": False, "internal": False,
                "arguments": {},
            }
            for name, kind in exchanges
        ],
        "queues": [
            {
                "name": "tocsin.dead", "vhost": vhost, "durable": True, "auto_delete": False,
                "arguments": {"x-queue-type": "quorum", "x-quorum-initial-group-size": 3, "x-max-length": 100_000},
            }
        ],
        "bindings": [
            {
                "source": "tocsin.dead", "vhost": vhost, "destination": "tocsin.dead", "destination_type": "queue",
                "routing_key": "", "arguments": {},
            }
        ],
    }  # fmt: skip
    return json.dumps(made, indent=1) + "\n"


def _broker_rights(service: str) -> dict[str, str]:
    """Its own queues it makes and hears; it publishes to the one exchange, where topics are held to `_topics`."""
    own = rf"{service}\.({'|'.join(TIER_WORDS)})"
    mine = f"|{own}" if hears(service) else ""
    return {
        "configure": f"^({own})$" if hears(service) else "^$",
        "write": rf"^(tocsin|tocsin\.dead{mine})$" if hears(service) else "^tocsin$",
        "read": rf"^(tocsin|tocsin\.dead{mine})$" if hears(service) else "^$",
    }


def _topics(service: str, *, said: bool = False) -> str:
    """Routing keys: those it hears, for a hint nobody relayed, and where `said` those it says."""
    topics = sorted({*hears(service), *(SAYS[service] if said else ())})
    return rf"^({'|'.join(re.escape(topic) for topic in topics)})\." if topics else "^$"
