"""The world outside Tocsin in one object: provider, phones, officers, mailbox, broadcaster, on loopback ports."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from aiohttp import web

from services.registry.sample.sample import Community
from services.shared.clock import Clock, LinearClock, wall
from services.sim.agenda import Agenda
from services.sim.behaviour import Behaviour
from services.sim.broadcaster import Broadcaster
from services.sim.browser import Browser
from services.sim.chance import hexes, words_key
from services.sim.duty import DutyDesk
from services.sim.habits import Habits
from services.sim.inbox import Inbox
from services.sim.mailbox import Mail, Mailbox
from services.sim.neighbourhood import Neighbourhood
from services.sim.officers import Officers
from services.sim.phones import Phones
from services.sim.postman import Postman
from services.sim.records import Accept
from services.sim.sandbox import Sandbox

FROM_NUMBER = "+99970000001"


class World:
    """Start it, give `environment` to Tocsin, `set_target` to where Tocsin listens, then let `agenda` run.

    Everything random comes from `seed`; `quantum_s` above 0 rounds event times up; `utc_offset_min` is local time.
    Without a community every number is a general adult's.
    """

    def __init__(
        self,
        community: Community | None,
        clock: Clock,
        seed: int = 0,
        quantum_s: float = 0.0,
        *,
        utc_offset_min: int = 0,
        behaviour: Behaviour | None = None,
        habits: Habits | None = None,
        account_sid: str = "",
        auth_token: str = "",
    ) -> None:
        self.agenda = Agenda(clock, quantum_s)
        self.behaviour = behaviour or Behaviour(seed=seed)
        self.account_sid = account_sid or "AC" + hexes(seed, "account")
        self.auth_token = auth_token or hexes(seed, "token")
        habits = habits or Habits()
        self.around = Neighbourhood(community, datetime.fromtimestamp(clock.now(), UTC).year)
        self.postman = Postman(self.agenda, self.auth_token)
        self.browser = Browser(self.postman)
        self.officers = Officers(self.agenda, seed, habits, self.browser, self.around, utc_offset_min)
        self.duty = DutyDesk(self.agenda, seed, habits, self.postman)
        self.phones = Phones(
            self.around, self.agenda, seed, self.officers, self.duty, self.browser, habits, utc_offset_min
        )
        self.sandbox = Sandbox(
            self.agenda,
            account_sid=self.account_sid,
            auth_token=self.auth_token,
            people=self.phones,
            behaviour=self.behaviour,
            from_number=FROM_NUMBER,
            postman=self.postman,
        )
        self.broadcaster = Broadcaster()
        self.sandbox.app.add_routes(self.broadcaster.routes())
        self.mailbox = Mailbox(self._mailed)
        self.sandbox.app.add_routes(Inbox(self.sandbox, self.mailbox).routes())
        self._mails: Counter[str] = Counter()
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self, host: str = "127.0.0.1", port: int = 0, smtp_port: int = 0) -> None:
        """Listens; port 0 takes a free one. Afterwards `url`, `mailbox.port` and `environment` hold."""
        self._runner = web.AppRunner(self.sandbox.app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        bound = self._runner.addresses[0][1]
        self.url = f"http://{host}:{bound}"
        await self.mailbox.start(host, smtp_port)

    async def stop(self) -> None:
        """Lets go of what hangs and closes everything."""
        self.sandbox.release()
        await self.mailbox.stop()
        if self._runner is not None:
            await self._runner.cleanup()
        await self.sandbox.close()

    @property
    def environment(self) -> dict[str, str]:
        """What the drivers read, as TOCSIN_... variables; known once it listens."""
        return {
            "TOCSIN_TWILIO_BASE_URL": self.url,
            "TOCSIN_TWILIO_ACCOUNT_SID": self.account_sid,
            "TOCSIN_TWILIO_AUTH_TOKEN": self.auth_token,
            "TOCSIN_TWILIO_FROM_NUMBER": FROM_NUMBER,
            "TOCSIN_SMTP_HOST": self.url.partition("//")[2].rpartition(":")[0],
            "TOCSIN_SMTP_PORT": str(self.mailbox.port),
            "TOCSIN_SMTP_SECURITY": "none",
            "TOCSIN_BROADCAST_URLS": f"{self.url}/sandbox/broadcast",
        }

    def set_target(self, tocsin_url: str) -> None:
        """Where inbound texts go."""
        self.sandbox.set_target(tocsin_url)

    @property
    def busy(self) -> bool:
        """Whether anything here is under way: then time must stand still."""
        return self.agenda.busy or self.sandbox.busy or self.browser.busy or self.duty.busy

    @property
    def accepts(self) -> list[Accept]:
        """Everything taken, texts, calls and e-mail, in order of acceptance."""
        return self.sandbox.accepts

    def _mailed(self, mail: Mail) -> None:
        self.accepts.append(Accept("email", mail.delivery, mail.to, mail.delivery, wall(), self.agenda.clock.now()))
        words = words_key(mail.to, mail.subject, mail.body)
        self._mails[words] += 1
        self.phones.mail(mail.to, f"mail:{words}:{self._mails[words]}", mail.link)

    def doubles(self) -> dict[str, int]:
        """Deliveries that were accepted more than once, and how often."""
        return {d: n for d, n in sorted(self.sandbox.accepts_per_delivery().items()) if n > 1}

    def summary(self) -> dict[str, int]:
        """Counts of what happened out here, by name; the same from the same seed."""
        found: Counter[str] = Counter(f"accepted_{a.kind}" for a in self.accepts)
        found["doubles"] = len(self.doubles())
        found["broadcasts"] = len(self.broadcaster.identifiers)
        found.update(f"sms_{m.status}" for m in self.sandbox.messages.values())
        found.update(f"call_{c.answered_by or c.status}" for c in self.sandbox.calls.values())
        found.update({f"door_{name}": n for name, n in self.officers.outcomes.items()})
        found.update({f"case_{name}": n for name, n in self.duty.outcomes.items()})
        found.update(self.phones.counts)
        found.update(self.postman.counts)
        return dict(sorted(found.items()))


async def serve_sandbox(
    host: str,
    port: int,
    target: str,
    *,
    limit_per_second: float = 0.0,
    faults: Mapping[str, float] | None = None,
    seed: int = 0,
    account_sid: str = "",
    auth_token: str = "",
    smtp_port: int = 0,
    stop: asyncio.Event | None = None,
    ready: Callable[[World], None] | None = None,
) -> None:
    """Runs the stand-in on the wall clock until `stop` is set; every number is a general adult's, ...0000 nobody's.

    `target` is Tocsin's URL, `faults` mode > share of requests (see behaviour.MODES); `ready` is told once it listens.
    """
    behaviour = Behaviour(seed=seed, rates=dict(faults or {}), limit_per_second=limit_per_second)
    world = World(None, LinearClock(), seed, behaviour=behaviour, account_sid=account_sid, auth_token=auth_token)
    world.set_target(target)
    await world.start(host, port, smtp_port)
    try:
        if ready is not None:
            ready(world)
        await world.agenda.run_live(stop or asyncio.Event())
    finally:
        await world.stop()
