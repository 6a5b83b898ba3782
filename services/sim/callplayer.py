"""Plays calls: rings, lets the callee hear the TwiML, carries keys to its action, and tells each status."""

from __future__ import annotations

from services.sim.agenda import Agenda
from services.sim.callees import Callees, CallFate, Ring
from services.sim.postman import Postman
from services.sim.shapes import Call, MessageResource
from services.sim.twiml import NotTwiml, Verb, play

DIALLED_S = 1.0
RINGING_S = 3.0
MOST_TURNS = 6
MACHINE_AFTER = "machine_start"
_EVENT = {"initiated": "initiated", "ringing": "ringing", "in-progress": "answered"}  # all others: completed


class CallPlayer:
    """One account's switch."""

    def __init__(self, agenda: Agenda, postman: Postman, people: Callees, account_sid: str) -> None:
        self._agenda = agenda
        self._postman = postman
        self._people = people
        self._account_sid = account_sid

    async def tell(self, item: MessageResource | Call, form: dict[str, str], *, last: bool) -> None:
        """Posts a status to the item's StatusCallback: twice, or all in reverse at the end, where that is asked."""
        url = item.form.get("StatusCallback")
        if not url:
            return
        item.held.append(form)
        if item.reversed and not last:
            return
        told, item.held = item.held[::-1], []
        for one in told:
            for _ in range(2 if item.duplicated else 1):
                status = one.get("MessageStatus") or one["CallStatus"]
                await self._postman.deliver(url, one, "callback", f"{item.sid}:{status}")

    def place(self, call: Call, ring: Ring) -> None:
        """Puts the whole call down in the agenda."""
        fate = self._people.ring(ring)
        at = ring.at
        steps = [(at + DIALLED_S, "initiated"), (at + RINGING_S, "ringing")]
        taken = fate.outcome in ("human", "machine") and fate.rings_s <= ring.timeout_s
        if taken:
            steps.append((at + RINGING_S + fate.rings_s, "in-progress"))
        else:
            untaken = "no-answer" if fate.outcome in ("human", "machine") else fate.outcome
            rings = ring.timeout_s if untaken == "no-answer" else min(fate.rings_s, ring.timeout_s)
            steps.append((at + RINGING_S + rings, untaken))
        self._agenda.at(steps[0][0], f"call:{ring.key}", lambda: self._advance(call, ring, fate, steps))

    async def _advance(self, call: Call, ring: Ring, fate: CallFate, steps: list[tuple[float, str]]) -> None:
        now = self._agenda.clock.now()
        while steps and steps[0][0] <= now:
            when, status = steps.pop(0)
            if status == "in-progress":
                call.started = when
                if call.form.get("MachineDetection"):
                    call.answered_by = MACHINE_AFTER if fate.outcome == "machine" else "human"
            await self._status(call, status, last=status not in _EVENT)
            if status == "in-progress":
                document = call.form.get("Twiml", "").encode() or await self._fetch(call, call.form.get("Url", ""), {})
                await self._act(call, ring, fate, document, 0.0, 0)
        if steps:
            self._agenda.at(steps[0][0], f"call:{ring.key}", lambda: self._advance(call, ring, fate, steps))

    async def _act(
        self, call: Call, ring: Ring, fate: CallFate, document: bytes | None, elapsed: float, turn: int
    ) -> None:
        """Says what the document says until a key is pressed, somebody hangs up, or it is through."""
        try:
            verbs = play(document) if document else [Verb("hangup")]
        except NotTwiml:
            verbs = [Verb("hangup")]  # the real provider says that an application error has occurred
            self._postman.counts["bad_twiml"] += 1
        for verb in verbs:
            if verb.name == "hangup" or turn >= MOST_TURNS:
                break
            if verb.name == "redirect":
                self._later(call, ring, fate, elapsed, turn, verb.action, {})
                return
            keys = verb.name == "gather"
            if fate.outcome == "machine":
                elapsed += verb.seconds + verb.timeout_s
                continue
            reaction = self._people.hears(ring, verb.said, verb.seconds, turn, keys)
            longest = verb.seconds + verb.timeout_s
            if keys and reaction.key and reaction.after_s <= longest:
                self._later(
                    call, ring, fate, elapsed + reaction.after_s, turn + 1, verb.action, {"Digits": reaction.key}
                )
                return
            if reaction.after_s < verb.seconds:
                elapsed += reaction.after_s
                break
            elapsed += longest
        started = call.started or 0.0
        self._agenda.at(started + elapsed, f"call:{ring.key}", lambda: self._complete(call, elapsed))

    def _later(
        self, call: Call, ring: Ring, fate: CallFate, elapsed: float, turn: int, url: str, more: dict[str, str]
    ) -> None:
        async def go_on() -> None:
            if more:
                self._postman.counts[f"key_{more['Digits']}"] += 1
            answered = await self._fetch(call, url, more)
            await self._act(call, ring, fate, answered, elapsed, turn)

        self._agenda.at((call.started or 0.0) + elapsed, f"call:{ring.key}", go_on)

    async def _complete(self, call: Call, elapsed: float) -> None:
        call.duration = int(elapsed)
        await self._status(call, "completed", last=True)

    async def _fetch(self, call: Call, url: str, more: dict[str, str]) -> bytes | None:
        """The next TwiML, asked for with a signed POST; one retry at once, as a caller is waiting."""
        if not url:
            return None
        form = self._form(call) | {"CallStatus": "in-progress"} | more
        body = await self._postman.post(url, form, "twiml")
        return body if body is not None else await self._postman.post(url, form, "twiml")

    def _form(self, call: Call) -> dict[str, str]:
        form = {
            "AccountSid": self._account_sid,
            "ApiVersion": "2010-04-01",
            "CallSid": call.sid,
            "Direction": "outbound-api",
            "From": call.form["From"],
            "To": call.form["To"],
        }
        if call.answered_by:
            form["AnsweredBy"] = call.answered_by
        return form

    async def _status(self, call: Call, status: str, *, last: bool) -> None:
        now = self._agenda.clock.now()
        call.status, call.updated = status, now
        if last:
            call.ended = now
        if _EVENT.get(status, "completed") not in call.events:
            return
        form = self._form(call) | {"CallStatus": status, "SequenceNumber": str(len(call.held))}
        if call.duration is not None:
            form["CallDuration"] = str(call.duration)
            form["Duration"] = str(-(-call.duration // 60))
        await self.tell(call, form, last=last)
