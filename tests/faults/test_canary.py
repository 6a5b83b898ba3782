"""A person with a name like nobody's is warned: where their name, number or address stands in the open, in any encoding.

The same search finds what does stand in the open, so that it could find them.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from services.gateway.intake.incoming import from_cap
from services.registry.importing.write import import_people
from services.registry.model.given import PersonIn, mobile
from services.registry.sample.sample import Community, mint
from services.shared import telemetry
from services.shared.ledger.tables import delivery
from tests.faults.harness import APART, Prepared, Rehearsal, build_town, rehearsal
from tests.faults.needles import files, forms, found_in, memory
from tests.integration.deploy.test_installation import NEEDS
from tests.kit import alerts
from tests.kit.own_rights import give_users
from tests.kit.town import SEED, open_town
from tools.servers.postgres import Postgres
from tools.servers.rabbit import Rabbit

NAME, ADDRESS = "Zephyrine Quillfeather 羽毛笔", "77 Marmalade Lane, third yellow gate"
SECRETS = ("Quillfeather", "羽毛笔", "Marmalade Lane")
CLOSED = ("gateway", "registry", "router-1", "router-2")  # processes that never see anybody's number


@pytest.mark.parametrize("text", [NAME, "+99971234567", "a", "ab", "abcd"])
@pytest.mark.parametrize("before", [b"", b"x", b"xy", b"xyz"])
def test_the_search_finds_a_text_however_it_was_written(text: str, before: bytes) -> None:
    """Each encoding in the middle of something else; the text itself in base64 wherever it begins."""
    for name, needle in forms(text).items():
        assert f"{text} as {name} in log" in found_in({"log": before + needle + b"tail"}, [text])
    whole = base64.b64encode(before + text.encode() + b"tail")
    assert len(text) < 4 or any("base64" in line for line in found_in({"log": whole}, [text]))
    assert [] == found_in({"log": b"nothing of it"}, ["+99971234567", NAME])


async def test_a_canary_in_one_process_stands_nowhere(capfd: pytest.CaptureFixture[str]) -> None:
    """Database files, logs and spans of a red warning in which they were sent to; their id is found in all three."""
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    telemetry.trace_to(provider)
    try:
        async with open_town(people=25) as tocsin:
            community = mint(from_cap(alerts.flood().encode(), strict=False).area, (), people=25, seed=SEED)
            neighbour = next(p for p in community.people if p.contacts)
            number = neighbour.contacts[0].address
            canary = PersonIn(
                person_id="00c0ffee" * 4, call_name=NAME, address=ADDRESS, lat=neighbour.lat, lon=neighbour.lon,
                contacts=mobile(number, verified=True), lives_alone=True,
            )  # fmt: skip
            platform = tocsin.node.platform
            await import_people(platform.database, platform.keys, [canary], year=2026, fictional=True)
            warning_id = await tocsin.warn(alerts.flood(), doors="safe")
            await tocsin.at("+4 min")
            mine = [r for r in await tocsin.rows(delivery.select()) if r.person_id == canary.person_id]
            assert {"accepted", "delivered"} & {r.send_state for r in mine}, "they were never sent to"
            folder = platform.settings.data_dir
            said = capfd.readouterr()
            places = dict(files(folder))
            places["logs"] = (said.out + said.err).encode()
            places["spans"] = "".join(span.to_json() for span in spans.get_finished_spans()).encode()
    finally:
        telemetry.trace_to(None)
    assert [] == found_in(places, [*SECRETS, number])
    assert {"tocsin.db"} <= {line.rpartition(" ")[2][:9] for line in found_in(places, [canary.person_id])}
    assert {"logs", "spans"} <= {
        line.rpartition(" ")[2] for line in found_in(places, [mine[0].delivery_id, warning_id])
    }


def _look(run: Rehearsal, names: Sequence[str], texts: Sequence[str], never: Sequence[str] = ()) -> set[str]:
    """Where anything else than `never` was found in the memory of these processes; that is found nowhere."""
    found: list[str] = []
    for name in names:
        process = run.processes[name].process
        assert process is not None
        places = list(memory(process.pid, name))
        assert sum(len(content) for _, content in places) > 20 << 20
        found += found_in(places, texts)
    assert [] == [line for line in found if line.partition(" as ")[0] in (never or texts)]
    return {line.partition(" in ")[2] for line in found}


def _plant(community: Community) -> None:
    at = next(n for n, p in enumerate(community.people) if p.contacts and p.supporters)
    community.people[at] = community.people[at].model_copy(update={"call_name": NAME, "address": ADDRESS})


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_a_canary_in_six_processes_stands_nowhere(
    tmp_path: Path, postgres: Postgres, rabbit: Rabbit, vhost: str
) -> None:
    """Each process with the keys, database role and broker user of its service alone: logs, broker's data, every row, the
    memory of all but channels.

    Their id stands in the router's memory and in the ledger, the warning's in the logs, the vhost's name in the broker's data.
    """
    town: Prepared = await build_town(tmp_path / "town", server=postgres, people=29, change=_plant)
    canary = next(p for p in town.community.people if p.call_name == NAME)
    number = canary.contacts[0].address
    secrets = [*SECRETS, number]
    (tmp_path / "users").mkdir()
    await asyncio.to_thread(give_users, rabbit, vhost, tmp_path / "users", "drill")
    async with rehearsal(
        town, tmp_path / "run", members=APART, amqp_url=vhost, keys_of=NEEDS, as_itself=True,
        environment={"TOCSIN_LOG_LEVEL": "DEBUG"},
    ) as run:  # fmt: skip
        warning_id = await run.warn()
        await run.until(
            lambda: bool(run.rows("SELECT 1 FROM delivery WHERE person_id = ? AND sent_at > 0", canary.person_id))
        )
        await asyncio.to_thread(_look, run, ("router-1", "router-2"), secrets)
        assert [] == found_in(files(rabbit.folder), secrets)
        found = await run.until_over(warning_id, 110)
        seen = await asyncio.to_thread(_look, run, CLOSED, [*secrets, canary.person_id], secrets)
        assert {"memory of router-1", "memory of router-2"} & seen
        assert 0 == found["open"], run.in_words()
        ledger = run.ground.at_rest()
        assert [] == found_in(ledger, secrets)
        assert any("delivery" in line for line in found_in(ledger, [canary.person_id]))
    for place in (tmp_path / "run", rabbit.folder):
        assert [] == found_in(files(place), secrets)
    assert found_in(files(tmp_path / "run"), [warning_id])
    assert found_in(files(rabbit.folder), [vhost.rpartition("/")[2]])
