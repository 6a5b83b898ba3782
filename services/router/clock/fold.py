"""Folds evidence and answers into what becomes of one path: pure, nothing is read or written here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from services.router.clock.reactions import fell_out
from services.router.planning.paths import perceived
from services.router.policy.engine import Policy
from services.router.store import tables
from services.shared.ledger.answers import Logged
from services.shared.ledger.evidence import MAY_REOPEN, MAY_STILL_CLOSE, SERIOUSNESS, Answer, Evidence
from services.shared.ledger.states import SendState
from services.shared.ledger.tables import Delivery
from services.shared.messages import Profile


class Known(NamedTuple):
    """What was read about one event, under its locks: all that a path is folded from."""

    paths: Mapping[str, tables.Path]
    profiles: Mapping[str, Profile]
    deliveries: Mapping[str, Sequence[Delivery]]  # by person, shared phones included
    answers: Mapping[str, Sequence[Logged]]  # by delivery
    taken_back: Mapping[str, set[str]]  # by person: what an officer said at the door and took back


class Folded(NamedTuple):
    """What became of one path; nothing of it is written yet."""

    path: tables.Path
    deliveries: Sequence[Delivery]
    evidence: int
    milestones: int
    shown: tuple[str, str]  # the answer to show, and by whom
    help_at: float | None
    closing: Logged | None
    unsaid: bool  # what had closed it was taken back at the door
    reopens: bool
    react_at: float | None

    @property
    def closes(self) -> bool:
        """Whether the path gets its ending now."""
        state, ending = self.path.state, self.path.ending
        return self.closing is not None and ending != "closed" and (state == "open" or ending in MAY_STILL_CLOSE)

    @property
    def help_unsaid(self) -> bool:
        """Whether its call for help was taken back at the door."""
        return self.path.help_at is not None and self.help_at is None and self.closing is None

    @property
    def help_after_end(self) -> bool:
        """Whether help is called for on a path that stays ended: stopped, or with the rescue service already."""
        return self.help_at is not None and self.path.state == "ended" and not self.reopens


def fold(policy: Policy, known: Known, person_id: str, now: float) -> Folded:
    """What the evidence and the answers make of one path."""
    path, deliveries = known.paths[person_id], known.deliveries[person_id]
    taken_back = known.taken_back.get(person_id, set())
    said = _said(path, deliveries, known.answers)
    evidence = _evidence(path, deliveries, said)
    carried_at = None if Answer.HELP in taken_back else path.help_at
    profile = known.profiles[path.profile_key]
    closing, shown, help_at = _judge(policy, profile, said, carried_at, _unverified(path, profile))
    reached = (
        evidence >= Evidence[policy.reached.evidence_at_least.upper()]
        or (shown is not None and shown[0] in policy.reached.answers)
        or (policy.reached.supporter_spoke and any(a.answer == Answer.SPOKE for a, _ in said))
    )
    milestones = path.milestones
    if evidence >= Evidence.DELIVERED or reached:
        milestones |= tables.DELIVERED
    if reached:
        milestones |= tables.REACHED
    if closing is not None:
        milestones |= tables.CLOSED | tables.REACHED | tables.DELIVERED
    unsaid = bool(taken_back) and closing is None and path.state == "ended" and path.ending == "closed"
    reopens = unsaid or (help_at is not None and path.state == "ended" and path.ending in MAY_REOPEN)
    if reopens:
        milestones &= ~tables.CLOSED
    reacts = reopens or (path.state == "open" and closing is None and _wants_reaction(deliveries, said))
    return Folded(
        path=path,
        deliveries=deliveries,
        evidence=max(path.evidence, evidence),
        milestones=milestones,
        shown=shown or (("", "") if taken_back else (path.answer, path.answer_by)),
        help_at=help_at,
        closing=closing,
        unsaid=unsaid,
        reopens=reopens,
        react_at=now if reacts else None if closing is not None else path.react_at,
    )


def _said(
    path: tables.Path, deliveries: Sequence[Delivery], answers: Mapping[str, Sequence[Logged]]
) -> list[tuple[Logged, Delivery]]:
    """Answers that count for this person, oldest first, each with its delivery."""
    mine = (
        (a, d)
        for d in deliveries
        for a in answers.get(d.delivery_id, ())
        if d.person_id == path.person_id or a.covers >= d.covers
    )
    return sorted(mine, key=lambda one: (one[0].at, one[0].event_key))


def _evidence(path: tables.Path, deliveries: Sequence[Delivery], said: Sequence[tuple[Logged, Delivery]]) -> int:
    """The strongest evidence: on a shared phone the receipt is everybody's.

    The answer is only theirs who is named, or everybody's if they said so.
    """
    evidence = perceived(deliveries)
    if all(d.person_id == path.person_id for d in deliveries):
        return evidence
    return max(
        perceived([d for d in deliveries if d.person_id == path.person_id]),
        min(evidence, int(Evidence.DELIVERED)),
        *(int(Evidence.ACKNOWLEDGED) for _, d in said if d.person_id != path.person_id),
    )


def _unverified(path: tables.Path, profile: Profile) -> frozenset[str]:
    """Contacts of theirs that nobody has verified."""
    if not profile.unverified:
        return frozenset()
    return frozenset(c.contact_id for c in tables.decode_person(path.entry).contacts if c.unverified)


def _judge(
    policy: Policy,
    profile: Profile,
    said: Sequence[tuple[Logged, Delivery]],
    carried_at: float | None,
    unverified: frozenset[str],
) -> tuple[Logged | None, tuple[str, str] | None, float | None]:
    """The answer that closes the path, the one to show, and when help was asked for and is still open.

    After a call for help, only somebody who is there, or the person's own word that they are moving or safe, closes.
    `carried_at`: a call that stands on the path and in no answer was made under what this warning replaced. What comes from
    one of the `unverified` numbers closes nothing, for it may be a stranger's by now; a call for help from it is one.
    """
    flags = profile.flags
    closing_class = (
        "cannot_judge" if "cannot_judge" in flags else "cannot_leave" if "cannot_leave" in flags else "default"
    )
    closing = None
    shown: tuple[str, str] | None = None
    help_at = None if any(answer.answer == Answer.HELP for answer, _ in said) else carried_at
    for answer, d in said:
        if answer.answer == Answer.HELP:
            help_at = answer.at if help_at is None else help_at
            closing = None
        else:
            there = answer.by in ("officer", "supporter_with_person") or answer.answer in (Answer.MOVING, Answer.SAFE)
            theirs = d.contact_id not in unverified
            if (
                theirs
                and policy.closes(closing_class, answer.answer, answer.by)
                and (help_at is None or (there and answer.at >= help_at))
            ):
                closing, help_at = answer, None
        if shown is None or SERIOUSNESS[Answer(answer.answer)] >= SERIOUSNESS[Answer(shown[0])]:
            shown = (answer.answer, answer.by)
    if closing is not None:
        shown = (closing.answer, closing.by)
    return closing, shown, help_at


def _wants_reaction(deliveries: Sequence[Delivery], said: Sequence[tuple[Logged, Delivery]]) -> bool:
    news = any(d.send_state == SendState.UNKNOWN or fell_out(d) for d in deliveries)
    return news or any(
        a.answer in (Answer.HELP, Answer.NO_ANSWER, Answer.REFUSED, Answer.UNSAFE, Answer.CANNOT_REACH) for a, _ in said
    )
