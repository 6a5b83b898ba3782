"""Notes what became of a visit, whatever brings it: a form of the list, or what a phone kept while it had no network."""

from __future__ import annotations

from services.channels.messages.list_links import AFTERWARDS_S, RESCUE, ListLink
from services.channels.model.report import Report
from services.channels.outcomes import fold
from services.channels.outcomes.visit_undo import lock, take_back
from services.channels.pages import store
from services.shared.audit import trail
from services.shared.bus.outbox import id_of
from services.shared.errors import Conflict, NotFound, Refused
from services.shared.i18n import mark
from services.shared.ledger import team_signs
from services.shared.ledger.evidence import Answer, Evidence
from services.shared.ledger.states import SendState
from services.shared.ledger.tables import DOOR_DRIVER
from services.shared.ledger.team_signs import SignKind
from services.shared.service import Platform

# outcome tapped > (answer, words on the button); what "seen" means depends on what people are asked to do
OUTCOMES: dict[str, tuple[Answer, str]] = {
    "can_go": (Answer.LEAVING, mark("Seen, can go")),
    "moving": (Answer.MOVING, mark("Seen, moving with help")),
    "safe_here": (Answer.SAFE, mark("Seen, safe here")),
    "gone": (Answer.NOT_THERE, mark("Gone or elsewhere")),
    "help": (Answer.HELP, mark("NEEDS HELP")),
    "no_answer": (Answer.NO_ANSWER, mark("No answer")),
    "refused": (Answer.REFUSED, mark("Won't go")),
    "unsafe": (Answer.UNSAFE, mark("Unsafe to go there")),
}
OUTCOME_OF = {answer.value: words for answer, words in OUTCOMES.values()}  # what was tapped is what is read back
NOBODY_MET = (Answer.NO_ANSWER, Answer.UNSAFE, Answer.NOT_THERE)
UNDO = "undo"


class AtTheDoor:
    """What an officer says of a door on their list; the same event said twice is one."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def note(self, link: ListLink, delivery_id: str, outcome: str, event: str, at: float, note: str = "") -> None:
        """One outcome, tapped at `at` (warning time), with its audit entry and the sign of life that it is, or none of them.

        Refused where the outcome is none, NotFound where the door is not on that list, Conflict where it was tapped after
        the list was closed.
        """
        if outcome not in OUTCOMES:
            choices = ", ".join((*OUTCOMES, UNDO))
            raise Refused(f"outcome: choose one of {choices}", field="outcome", rule="closed_list", given=outcome)
        await self._check(link, delivery_id, at)
        answer = OUTCOMES[outcome][0]
        met = answer not in NOBODY_MET
        at = min(at, self._platform.clock.now())
        report = Report(
            delivery_id,
            event_key=store.event_key(event),
            source="page",
            state=SendState.DELIVERED if met else None,
            evidence=Evidence.HUMAN_CONTACT if met else Evidence.NONE,
            answer=answer,
            by="officer",
            note=note[:400],
            at=at,
        )
        async with self._platform.database.write() as tx:
            await lock(tx, delivery_id)
            if await store.known_events(tx, [report.event_key]):
                return
            await fold.write(tx, [fold.storable(report)], self._platform.settings.plane)
            await trail.record(tx, f"officer:{link.slot}", "visit_outcome", delivery_id, outcome)
            if link.slot != RESCUE:  # whoever notes something gives a sign of life by it
                sign_id = id_of(link.warning_id, link.slot, "door", event)
                await team_signs.keep(tx, link.warning_id, link.slot, SignKind.HERE, at, "door", sign_id=sign_id)
        self._platform.bus.wake()

    async def undo(self, link: ListLink, delivery_id: str, at: float, event: str = "") -> None:
        """Takes back that event, or the last one where none is named. NotFound and Conflict as above, Conflict also where
        nothing was said."""
        await self._check(link, delivery_id, at)
        async with self._platform.database.write() as tx:
            key = store.event_key(event) if event else ""
            if words := await take_back(tx, delivery_id, self._platform.settings.plane, key):
                await trail.record(tx, f"officer:{link.slot}", "visit_undone", delivery_id, words)
        self._platform.bus.wake()

    async def _check(self, link: ListLink, delivery_id: str, at: float) -> None:
        async with self._platform.database.read() as db:
            row = await store.with_warning(db, delivery_id)
        if row is None or row.warning_id != link.warning_id or row.slot != link.slot or row.driver != DOOR_DRIVER:
            raise NotFound("this door is not on your list: open the list again", field="delivery_id", given=delivery_id)
        if at > row.expires_at_warning + AFTERWARDS_S:  # nobody is at that door under it any more
            raise Conflict("This list is closed: it names nobody any more.", field="link", rule="state")
