"""A warning to a resident's chat and to organisations' groups, from the alert to the words of their path."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from services.registry.model.given import ContactIn, mobile
from services.router.planning.contexts import SHIPPED
from services.shared.ledger.tables import delivery
from tests.integration.channels.test_chat import chat_file, receiver
from tests.integration.registry.test_me import somebody
from tests.kit import alerts
from tests.kit.town import open_town


async def test_a_warning_by_chat_and_to_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Theirs links to their answer and names nobody else; the groups read every language and hear the ending too."""
    shipped = SHIPPED.read_text("utf-8")
    changed = shipped.replace(
        "do: [broadcast, cell_broadcast, area_sound, personal", "do: [broadcast, organisations, personal"
    )
    assert shipped != changed
    policy = tmp_path / "policy.yaml"
    policy.write_text(changed, "utf-8")
    monkeypatch.setenv("TOCSIN_POLICY", str(policy))
    async with receiver() as there:
        groups = [{"name": "schools", "url": f"json://{there.place}/schools"}]
        people = {"desk": f"json://{there.place}/to/{{address}}"}
        chat_file(tmp_path, monkeypatch, {"people": people, "organisations": groups})
        async with open_town(people=4) as tocsin:
            own = ContactIn(kind="im", address="desk:mei", order=5)
            one = await somebody(tocsin, contacts=(*mobile("+99970009999"), own), own_channels=("im", "sms"))
            warning_id = await tocsin.warn(alerts.flood("CHAT-1"), "red", "safe")
            await tocsin.at("+30 s")
            [theirs] = there.of("/to/mei")
            [group] = there.of("/schools")
            assert f"{tocsin.url}/a/" in theirs["message"]
            assert "Leave now, on foot" in group["message"]
            assert "现在离家" in group["message"]
            assert "/a/" not in group["message"]
            assert "Reply" not in group["message"]
            rows = await tocsin.rows(
                sa.select(delivery.c.channel, delivery.c.send_state, delivery.c.driver)
                .where(delivery.c.warning_id == warning_id, delivery.c.driver == "chat")
                .where(delivery.c.person_id.in_(["", one.person_id]))
                .order_by(delivery.c.channel)
            )
            assert [("chat", "accepted", "chat"), ("organisations", "accepted", "chat")] == [tuple(r) for r in rows]
            await tocsin.cancel(warning_id, "may_return")
            await tocsin.at("+1 min")
            assert 2 == len(there.of("/schools"))
            assert "may go home" in there.of("/schools")[-1]["message"]
