"""Each service has its own role in the database and its own user on the broker: what it must not do fails, on real servers."""

from __future__ import annotations

import json
from pathlib import Path

import aio_pika
import psycopg
import pytest
from aio_pika.exceptions import ChannelClosed

from services.migrations.tables import metadata
from services.registry.resident import view
from services.rights import COLUMNS, RIGHTS, SAYS, WORDS, broker_definitions, may
from services.roles import ROLES
from services.router.report import shift
from services.shared.audit import trail
from services.shared.audit.shown import VIEWS
from services.shared.bus.outbox import SUBSCRIBERS
from services.shared.bus.rabbit_bus import RabbitBus
from services.shared.database.engine import Database
from tests.kit.own_rights import as_service, give_rights, give_users, signed_in
from tools import rights
from tools.servers.postgres import Postgres
from tools.servers.rabbit import Rabbit

DENIED = psycopg.errors.InsufficientPrivilege
# The register's rows are written table by table, the table in a variable: the code does not name it where it writes.
BY_NAME = {
    f"registry_{name}"
    for name in (
        "area", "conflict", "consent", "contact", "facility", "facts", "geocode", "person", "place", "risk_zone", "stay",
        "supporter", "worker",
    )
}  # fmt: skip
KEYS = {
    "house_key",
    "house_key_process",
    "sealing_key",
}  # learnt by those that hold keys; replaced by a command beside them


@pytest.mark.parametrize("service", ROLES)
def test_what_is_granted_is_what_the_code_does(service: str) -> None:
    """Neither more nor less, table by table; a new table, or a new use of one, is found here."""
    assert RIGHTS.keys() == metadata.tables.keys() | VIEWS.keys()
    used = {table: {word[0] for word in what} for table, what in rights.rights(service).items()}
    granted = {table: set(may(service, table)) for table in RIGHTS if may(service, table)}
    holds = service in ("registry", "channels")
    for table in BY_NAME:
        if service == "registry":
            used[table] = set("SIUD")
    for table in KEYS:
        assert holds == (table in granted), table
        used.pop(table, None)
        granted.pop(table, None)
    assert used == granted
    assert rights.says(service) == set(SAYS[service])


def test_every_column_that_is_named_is_there() -> None:
    """And of a right that is granted at all."""
    for (service, table, letter), named in COLUMNS.items():
        assert letter in may(service, table), (service, table)
        assert letter in WORDS
        assert set(named) - {"all but"} <= {column.name for column in metadata.tables[table].columns}
    assert {topic for topics in SAYS.values() for topic in topics} == SUBSCRIBERS.keys()


# Who reads a table of which a service is granted a few columns: each of these was looked at, that it asks for no other.
READ_IN_PART = {
    "audit_log": {"services.shared.audit.trail._APPEND", "services.shared.audit.trail._LAST"},
    "account_credential": {"services.shared.accounts.people._WAYS"},
}


def test_who_reads_a_table_in_part_asks_for_its_columns() -> None:
    """The database refuses a statement that names another column, in one process apart and nowhere else."""
    part = {
        (service, table)
        for (service, table, letter), named in COLUMNS.items()
        if letter == "S" and named[0] != "all but"
    }
    assert READ_IN_PART.keys() == {table for _, table in part}
    for service, table in sorted(part):
        assert READ_IN_PART[table] == {one.partition(":")[0] for one in rights.why(service, table)}, service


@pytest.fixture(scope="module")
def url(postgres: Postgres) -> str:
    """A database whose services have their roles; given twice, as after a migration."""
    url = postgres.database()
    for _ in range(2):
        give_rights(postgres, url)
    with postgres.connect(url) as db:
        db.execute(
            "INSERT INTO audit_log (n, at, actor, act, subject, reason, detail, hash) "
            "VALUES (1, 0, 'a', 'b', 'c', 'd', '{}', 'e')"
        )
    return url


# What must not be: by whom, and what. Each is tried as that role, and passes as the owner.
FORBIDDEN = {
    "rewrite the log": ("*", "UPDATE audit_log SET reason = 'another'"),
    "cut the log": ("*", "DELETE FROM audit_log"),
    "empty the log": ("*", "TRUNCATE audit_log"),
    "drop the log": ("*", "DROP TABLE audit_log"),
    "read the log": ("registry router channels", "SELECT actor, reason FROM audit_log"),
    "read what was done about a warning": ("gateway registry channels", "SELECT act, reason FROM acts_shown"),
    "read who looked at whom": ("gateway router channels", "SELECT actor, subject FROM looks_shown"),
    "sign the log": ("registry router channels", "INSERT INTO audit_checkpoint (n) VALUES (9)"),
    "unsign the log": ("*", "DELETE FROM audit_checkpoint"),
    "read who lives where": ("gateway router channels", "SELECT lat, lon FROM registry_person"),
    "read numbers": ("gateway router channels", "SELECT sealed FROM registry_contact"),
    "read needs": ("gateway router channels", "SELECT body FROM registry_facts"),
    "declare somebody dead": ("gateway router channels", "UPDATE registry_person SET status = 'deceased'"),
    "read what providers call back": ("gateway registry router", "SELECT * FROM message_part"),
    "read who said STOP": ("gateway registry router", "SELECT address_key FROM channels_opted_out"),
    "say STOP for somebody": ("gateway registry router", "INSERT INTO channels_opted_out (address_key) VALUES ('x')"),
    "read what people answered": ("gateway registry", "SELECT note FROM answer_log"),
    "answer for people": ("gateway registry router", "UPDATE answer_log SET answer = 'safe'"),
    "read page keys": ("gateway router", "SELECT wrapped FROM page_key"),
    "have pages sealed for a key": ("gateway registry router", "UPDATE sealing_key SET state = 'current'"),
    "bring an ended key back": ("gateway router", "UPDATE house_key SET state = 'leaving'"),
    "open a path": ("gateway registry channels", "UPDATE router_path SET state = 'open'"),
    "read plans": ("gateway registry channels", "SELECT entry FROM router_path"),
    "end a warning": ("registry router channels", "UPDATE warning_state SET state = 'cancelled'"),
    "lower a tier": ("registry router channels", "UPDATE warning_state SET tier = 1"),
    "change a text": ("registry router channels", "UPDATE warning_text SET parts = '{}'"),
    "make a key": ("*", "INSERT INTO api_key (key_id) VALUES ('x')"),
    "read how people sign in": ("registry router channels", "SELECT secret FROM account_credential"),
    "make somebody a commander": ("registry router channels", "INSERT INTO account_grant SELECT * FROM account_grant"),
    "prove a person": ("router channels", "UPDATE sign_in SET proved_at = 0"),
    "approve beforehand": ("registry router channels", "UPDATE preapproval SET approved_by = 'x'"),
    "widen a grant": ("*", "UPDATE auth_grant SET max_tier = 4"),
    "bring a key back": ("*", "UPDATE api_key SET revoked_at = NULL"),
    "hide a delivery": ("*", "DELETE FROM delivery"),
    "read addresses from the ledger": ("gateway", "SELECT sealed, address_key FROM delivery"),
    "read the messages of others": ("gateway", "SELECT body FROM outbox"),
    "change a message": ("*", "UPDATE outbox SET body = ''"),
    "pass a message off as another": ("*", "UPDATE outbox SET topic = 'WarningIssued'"),
    "change the schema": ("*", "ALTER TABLE delivery ADD COLUMN x int"),
    "make a table": ("*", "CREATE TABLE of_its_own (x int)"),
    "take the rule away": ("*", "ALTER TABLE outbox DISABLE ROW LEVEL SECURITY"),
    "make a role": ("*", "CREATE ROLE another"),
}


@pytest.mark.parametrize("service", ROLES)
def test_what_a_service_must_not_do_fails(service: str, url: str, postgres: Postgres) -> None:
    """Each who must not is refused; who may is not, so that a statement with a fault of its own proves nothing."""
    wrong = []
    with signed_in(postgres, url, service) as db:
        for what, (who, statement) in FORBIDDEN.items():
            forbidden = who == "*" or service in who.split()
            try:
                with db.transaction(force_rollback=True):
                    db.execute(statement)
            except DENIED:
                wrong += [] if forbidden else [f"cannot {what}"]
            except psycopg.errors.IntegrityError:
                wrong += [f"can {what}"] if forbidden else []  # it may, and the values are none
            else:
                wrong += [f"can {what}"] if forbidden else []
    assert [] == wrong


@pytest.mark.parametrize("service", ROLES)
def test_a_service_says_its_own_messages_alone(service: str, url: str, postgres: Postgres) -> None:
    """A message in the outbox is taken as true: who plans, who found people and who heard of a receipt cannot be played."""
    row = "INSERT INTO outbox (msg_id, topic, tier, body, created_at) VALUES (%s, %s, 1, '', 0)"
    with signed_in(postgres, url, service) as db:
        for topic in SUBSCRIBERS:
            if topic in SAYS[service]:
                db.execute(row, (f"{service}{topic}"[:32], topic))
            else:
                with pytest.raises(DENIED, match="row-level security"):
                    db.execute(row, (f"{service}{topic}"[:32], topic))


@pytest.mark.parametrize("service", ["router", "registry"])
async def test_a_service_shows_its_part_of_the_log(service: str, url: str) -> None:
    """What was done about a warning, and who looked at somebody, as the role of the service that shows it."""
    database = Database(as_service(url, service))
    try:
        async with database.read() as db:
            if service == "router":
                assert [] == await shift.acts(db, ["no warning"])
            if service == "registry":
                assert [] == await view.looks_at(db, "nobody")
    finally:
        await database.close()


@pytest.mark.parametrize("service", ROLES)
async def test_every_service_writes_into_the_log(service: str, url: str) -> None:
    """Though it cannot read what others wrote."""
    database = Database(as_service(url, service))
    async with database.write() as tx:
        await trail.record(tx, service, "test", "it", "tried")
    await database.close()


def test_the_definitions_that_are_shipped_are_what_the_code_says() -> None:
    """deploy/prepare.sh fills in the hashes and the plane."""
    shipped = Path(__file__).parents[3] / "deploy" / "rabbitmq.json"
    assert broker_definitions("@plane@", {name: f"@{name}@" for name in ("admin", *ROLES)}) == shipped.read_text(
        "utf-8"
    )


@pytest.fixture(scope="module")
def broker(rabbit: Rabbit, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A vhost with the services' users, and nothing in it that they had not made."""
    address = rabbit.vhost("ownrights")
    give_users(rabbit, address, tmp_path_factory.mktemp("users"), "live")
    return address


async def test_a_service_publishes_and_hears_its_own(broker: str, url: str) -> None:
    """All four come up as themselves; then each is refused the others' queues and topics, and to take queues away."""
    buses = {}
    for service in (*ROLES, *ROLES):  # the second time all is there
        database = Database(as_service(url, service))
        bus = buses[service] = RabbitBus(database, as_service(broker, service), "live")
        for topic, consumers in SUBSCRIBERS.items():
            if service in consumers:
                bus.subscribe(service, topic, _nothing)
        await bus.start()
        assert bus.health()["connected"], service
        await bus.close()
        await database.close()
    refused: dict[str, set[str]] = {}
    for service in ROLES:
        connection = await aio_pika.connect(as_service(broker, service))
        async with connection:
            for topic in SUBSCRIBERS:
                if not await _may(connection, lambda channel, topic=topic: _publish(channel, topic)):
                    refused.setdefault(service, set()).add(topic)
            for consumer in ("registry", "router", "channels"):
                for act in (_hear, _take_away, _send_directly):
                    allowed = await _may(connection, lambda channel, act=act, of=consumer: act(channel, f"{of}.red"))
                    assert allowed == (consumer == service and act is not _send_directly), (service, act, consumer)
            assert not await _may(connection, lambda channel: channel.exchange_delete("tocsin"))
            assert not await _may(connection, lambda channel: channel.declare_queue("another"))
    assert {
        "gateway": {"AudienceFound", "DeliveryDue", "EvidenceRecorded"},
        "registry": {"DeliveryDue", "EvidenceRecorded"},
        "channels": {"WarningIssued", "AudienceFound"},
    } == refused


async def _nothing(*_: object) -> None:
    """No message comes."""


async def _may(connection: aio_pika.abc.AbstractConnection, act: object) -> bool:
    channel = await connection.channel()
    try:
        await act(channel)  # type: ignore[operator]
    except ChannelClosed as problem:
        if "ACCESS_REFUSED" not in str(problem):
            raise
        return False
    finally:
        if not channel.is_closed:
            await channel.close()
    return True


async def _publish(channel: aio_pika.abc.AbstractChannel, topic: str) -> None:
    exchange = await channel.get_exchange("tocsin", ensure=False)
    await exchange.publish(aio_pika.Message(b"{}"), f"{topic}.blue", mandatory=False, timeout=5)


async def _hear(channel: aio_pika.abc.AbstractChannel, name: str) -> None:
    queue = await channel.get_queue(name, ensure=False)
    await queue.get(fail=False, timeout=5)


async def _take_away(channel: aio_pika.abc.AbstractChannel, name: str) -> None:
    await channel.queue_delete(name, timeout=5)


async def _send_directly(channel: aio_pika.abc.AbstractChannel, name: str) -> None:
    await channel.default_exchange.publish(aio_pika.Message(b"{}"), name, mandatory=False, timeout=5)


def test_the_hashes_are_those_that_were_given() -> None:
    """One user each, none of them with a tag but the administrator."""
    made = json.loads(broker_definitions("drill", {name: f"of {name}" for name in ("admin", *ROLES)}))
    assert {"tocsin_admin": "of admin", **{f"tocsin_{one}": f"of {one}" for one in ROLES}} == {
        user["name"]: user["password_hash"] for user in made["users"]
    }
    assert [["administrator"], [], [], [], []] == [user["tags"] for user in made["users"]]
    assert {"tocsin-drill"} == {permission["vhost"] for permission in made["permissions"]}
