"""Names things for pages and answers: channels, answers, endings, reasons, need groups, teams."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from services.shared.act_words import ACTS as ACTS  # a table like those below
from services.shared.hazards import name_of
from services.shared.i18n import language, listed, mark, mark_in, t, tc

Words = Mapping[str, str]  # key > what is said of it

CHANNELS: Words = {
    "sms": mark("SMS"),
    "voice_mobile": mark("call to the mobile"),
    "voice_landline": mark("call to the landline"),
    "voice_duty": mark("call to the duty phone"),
    "email": mark("e-mail"),
    "supporter": mark("supporter told"),
    "supporter_sms": mark("SMS to a supporter"),
    "supporter_voice": mark("call to a supporter"),
    "officer_sms": mark("officer asked to contact"),
    "officer_voice": mark("call to an officer"),
    "superior": mark("superior asked"),
    "door": mark("officer at the door"),
    "fire_service_list": mark("fire service's list"),
    "broadcast": mark("broadcast"),
    "area_sound": mark("loudspeakers and sirens"),
    "cell_broadcast": mark("cell broadcast"),
    "organisations": mark("groups of organisations"),
    "sweep": mark("street sweep"),
    "street_sweep": mark("street sweep"),
    "video_relay": mark("video relay"),
    "bed_shaker": mark("bed shaker"),
    "push": mark("push message"),
    "chat": mark("chat message"),
    "im": mark("chat message"),
    "guardian": mark("guardian"),
    "known_officer": mark("known officer"),
    "sms_if_own_phone": mark("SMS to a phone of their own"),
    "voice": mark("call"),
    "moved_of_headcount": mark("asked how many are out"),
    "door at 0": mark("door at 0"),
    "fire_service_list at 0": mark("fire service list at 0"),
}
LEFT_OUT: Words = {
    "no_driver": mark("this installation has no such channel"),
    "no_contact": mark("no such contact is known"),
    "said_no": mark("the person said no to it"),
    "stopped": mark("the number said STOP"),
    "not_verified": mark("the contact was never verified"),
    "unfit": mark("it cannot be perceived in this need group, and the person did not ask for it"),
    "no_supporter": mark("nobody has agreed to help"),
    "not_configured": mark("the channel is not configured"),
    "link_test": mark("the channel fails its test"),
    "no_own_phone": mark("the number on record is the family's"),
    "not_listed": mark("the policy uses no other channel for this need than those it names"),
    "not_safe": mark("only contacts called safe are used"),
    "not_hers": mark("it is not their number"),
    "not_for_subscribers": mark("officers go to registered residents"),
    "hazard_forbids": mark("the hazard forbids sending people"),
    "hazard_needs_no_siren": mark("nobody is woken by a siren for this hazard"),
    "condition": mark("its condition did not hold"),
    "not for endings": mark("not for endings"),
}
ANSWERS: Words = {
    "leaving": mark("leaving"),
    "not_there": mark("not there"),
    "moving": mark("moving"),
    "safe": mark("safe"),
    "help": mark("NEEDS HELP"),
    "refused": mark("refused"),
    "unsafe": mark("unsafe to go there"),
    "no_answer": mark("no answer"),
    "spoke": mark("has been spoken with"),
    "cannot_reach": mark("cannot be reached"),
}
ENDINGS: Words = {
    "closed": mark("closed"),
    "sent": mark("ended: sent"),
    "officer_contact": mark("ended: an officer was asked to contact"),
    "unconfirmed": mark("ended: unconfirmed"),
    "no_capacity": mark("ended: no team of officers was free; named to the fire service"),
    "handed_to_rescue": mark("ended: handed to rescue by name"),
    "unsafe_by_commander": mark("ended: the commander said nobody may be sent; name with the fire service"),
    "refused": mark("ended: refused twice"),
    "superseded": mark("ended: replaced by an update"),
    "cancelled": mark("ended: the warning was cancelled"),
    "not_asked": mark("ended: not asked at this tier"),
}  # fmt: skip
STATES: Words = {
    "pending": mark("not sent yet"),
    "sending": mark("being sent"),
    "retry": mark("to be tried again"),
    "accepted": mark("handed over"),
    "unknown": mark("unknown whether it was accepted"),
    "delivered": mark("delivered"),
    "failed": mark("failed"),
    "unconfirmed": mark("handed over, never confirmed"),
    "expired": mark("expired before it was sent"),
    "cancelled": mark("stopped by the cancel"),
    "superseded": mark("taken back"),
    "suppressed": mark("not needed any more"),
}
VISITS: Words = {
    "accepted": mark("on the list"),
    "delivered": mark("visited"),
    "pending": mark("not on a list yet"),
}
EVIDENCE: Words = {
    "none": mark("nothing"),
    "accepted": mark("accepted"),
    "delivered": mark("delivered"),
    "opened": mark("opened"),
    "answered": mark("answered"),
    "heard": mark("heard"),
    "acknowledged": mark("acknowledged"),
    "human_contact": mark("human contact"),
}
BY: Words = {
    "person": mark("the person"),
    "supporter": mark("supporter"),
    "officer": mark("officer"),
    "supporter_with_person": mark("supporter with person"),
}
SIGNS: Words = {  # how a team was heard
    "list": mark("on its list"),
    "text": mark("by text"),
    "door": mark("at a door"),
}
CONDITIONS: Words = {
    "open": mark("nobody has answered for them"),
    "high_support": mark("much help needed"),
    "not_delivered_or_unknown": mark("not delivered, or not known"),
    "door_first": mark("a door comes first"),
    "cannot_leave": mark("cannot leave alone"),
    "cannot_judge": mark("cannot judge alone"),
    "no_usable_channel": mark("no usable channel"),
    "night": mark("night"),
    "deaf": mark("deaf"),
    "no_bed_shaker": mark("no bed shaker"),
    "zone_has_unregistered": mark("people not registered live there"),
    "no_person_spoke": mark("no person spoke"),
    "not_moving": mark("not moving yet"),
    "alone": mark("alone"),
    "child_alone": mark("a child alone at home"),
    "away": mark("away from home"),
    "unheard": mark("loudspeakers and radio do not reach them"),
    "helper_at_home": mark("the supporter lives with them"),
    "bed_shaker": mark_in("a fact", "bed shaker"),
    "minor_own_phone": mark("has a phone of their own"),
    "household_voice": mark("somebody at home hears"),
    "opt_in_blue": mark("asked for blue"),
    "opt_in_yellow": mark("asked for yellow"),
    "fewer_than_two_usable_channels": mark("fewer than two usable channels"),
    "head_start": mark("needs more time"),
}
GROUPS: Words = {
    "general": mark("no special need"),
    "deaf_signing": mark("deaf, signing"),
    "deaf_text": mark("deaf, reading"),
    "hard_of_hearing": mark("hard of hearing"),
    "blind": mark("blind"),
    "low_vision": mark("low vision"),
    "deafblind": mark("deafblind"),
    "mobility": mark("walks badly or not"),
    "lift_dependent": mark("needs the lift"),
    "cognitive": mark("understands slowly, dementia"),
    "psychosocial": mark("mental health, autism"),
    "speech": mark("speaks badly or not"),
    "older_alone": mark("old and alone"),
    "older_only_home": mark("only old people at home"),
    "older_not_alone": mark("old, the others out by day"),
    "no_phone": mark("no phone"),
    "power_medical": mark("needs power to live"),
    "newborn_or_late_pregnancy": mark("newborn or late pregnancy"),
    "basement": mark("basement"),
    "boat": mark("on a boat"),
    "other_language": mark("other language"),
    "minor": mark("under 18"),
    "facility": mark("house of many"),
}
TIERS: Words = {
    "blue": mark("blue"), "yellow": mark("yellow"), "orange": mark("orange"), "red": mark("red"),
    "facility": mark("house"),
}  # fmt: skip
TEAMS: Words = {
    "officer": mark("officer"),
    "known_officer": mark("known officer"),
    "two_officers": mark("two officers"),
    "lift_team": mark("lift team"),
    "liaison_team": mark("liaison team"),
    "custody_service": mark("custody service (who is held there is moved by it alone)"),
    "water_rescue": mark("water rescue or harbour (a boat is boarded by them alone)"),
    "phrase_card": mark("phrase card"),
    "large_print_card": mark("large print card"),
    "yes_no_card": mark("yes/no card"),
    "written_card": mark("written card"),
    "guide": mark("guide"),
    "sign_volunteer": mark("sign volunteer"),
    "tactile_interpreter": mark("tactile interpreter"),
    "nurse_or_lift": mark("nurse or lift team"),
}
CALLED: Words = {  # who is called out to go along, or to call by video
    "sign_volunteer": mark("sign volunteer"),
    "tactile_interpreter": mark("tactile interpreter"),
    "translator": mark("translator"),
}

OVER: Words = {  # of a warning that is not in force
    "draft": mark("This warning is a draft."), "stored": mark("This warning is stored."),
    "parked": mark("This warning is parked."),
    "held": mark("This warning is held."),
    "cancelled": mark("This warning is cancelled."), "superseded": mark("This warning is superseded."),
    "expired": mark("This warning is expired."), "withdrawn": mark("This warning is withdrawn."),
}  # fmt: skip
ENDED: Words = {  # what an ending says, to whoever asks whether it is real
    "danger_lower_stay_away": mark(
        "The danger is lower and not over. Go on as you were told. If you left, do not go home yet."
    ),
    "may_return": mark("It has ended. If you left, you may go home."),
    "may_return_part": mark("It has ended in a part of its place: who left there may go home. Elsewhere it goes on."),
    "sent_by_mistake": mark("It was our mistake. There is no danger of it. You need not do what it said."),
    "checking": mark("We are checking it. Until we write again do as it says."),
    "not_ours": mark("That message was not ours: do not rely on it. If you see danger, get away from it."),
}

REASONS: Words = {  # what steps and reactions write as their reason
    "other channel": mark("other channel"),
    "no other channel left, again": mark("no other channel left, again"),
    "supporter outside the zone": mark("supporter outside the zone"),
    "supporter in the same home": mark("the supporter lives in the same home: asked to take them along"),
    "supporter inside the zone, not sent": mark("the supporter is inside the zone too: told, and not asked to go"),
    "doors forbidden by hazard": mark("doors forbidden by hazard"),
    "commander: unsafe to send anybody": mark("commander: unsafe to send anybody"),
    "asked for help": mark("asked for help"),
    "supporter cannot reach": mark("supporter cannot reach"),
    "no answer at the first visit": mark("no answer at the first visit"),
    "no answer at two visits": mark("no answer at two visits"),
    "refused once: told of the danger again": mark("refused once: told of the danger again"),
    "more doors than teams can do": mark("more doors than teams can do"),
    "neighbour call": mark("neighbour call"),
    "channels down: no phone of the zone answers": mark("channels down: no phone of the zone answers"),
    "officer silent: given to another team": mark("officer silent: given to another team"),
    "the house does not answer": mark("the house does not answer"),
    "list not opened: given to another team": mark("list not opened: given to another team"),
    "the team cannot go: given to another team": mark("the team cannot go: given to another team"),
    "door check after the impact": mark("door check after the impact"),
    "another warning forbids doors there": mark("another warning forbids doors there"),
    "the other warning has ended": mark("the other warning has ended"),
    "ask": mark("ask"),
    "the number said STOP": mark("the number said STOP"),
    "no sign volunteer could call": mark("no sign volunteer could call"),
    "fewer than two channels left": mark("fewer than two channels left"),
    "help needed at the door": mark("help needed at the door"),
    "unsafe to go to the door": mark("unsafe to go to the door"),
    "deadline": mark("deadline"),
    "the path closed": mark("the path closed"),
}
WARNING_STATES: Words = {
    "draft": mark("draft"), "held": mark("held"), "active": mark("active"), "stored": mark("stored"), "parked": mark("parked"),
    "cancelled": mark("cancelled"), "superseded": mark("superseded"), "withdrawn": mark("withdrawn"),
    "expired": mark("expired"),
}  # fmt: skip
ENDING_KINDS: Words = {
    "danger_lower_stay_away": mark("danger lower, stay away"), "may_return": mark("may return"),
    "may_return_part": mark("a part may return"),
    "sent_by_mistake": mark("sent by mistake"), "checking": mark("checking"), "not_ours": mark("not ours"),
}  # fmt: skip
ENDED_AS: Words = {  # how a path ended, in a word
    "closed": mark_in("a path", "closed"), "sent": mark_in("a path", "sent"), "officer_contact": mark("officer contact"),
    "unconfirmed": mark("unconfirmed"), "no_capacity": mark("no capacity"), "handed_to_rescue": mark("handed to rescue"),
    "unsafe_by_commander": mark("unsafe by commander"), "refused": mark_in("a path", "refused"),
    "superseded": mark_in("a path", "superseded"), "cancelled": mark_in("a path", "cancelled"),
    "not_asked": mark("not asked"),
}  # fmt: skip
HELP_WANTED: Words = {
    "carry": mark("Somebody to carry or support us"), "medical": mark("Medical help, or power for a device"),
    "transport": mark("A vehicle to leave with"), "other": mark("Something else"),
}  # fmt: skip
CASES: Words = {"help": mark_in("a case", "Help"), "question": mark_in("a case", "Question")}
CASE_FROM: Words = {
    "person": mark("from their own phone"), "supporter": mark("from their supporter"), "worker": mark("from an officer"),
    "facility": mark("from the house"),
}  # fmt: skip
TEXTS: Words = {  # what a preview shows of each driver
    "sms": mark("SMS"), "sms_short": mark("SMS, short (deaf readers)"), "sms_easy": mark("SMS, easy read"),
    "sms_braille": mark("SMS, for a braille display"),
    "call": mark("Call"), "mail_subject": mark("E-mail subject"), "mail": mark("E-mail"),
    "loudspeaker": mark("Loudspeaker"), "cell_broadcast": mark("Cell broadcast"), "large_print": mark("Large print"),
    "crawl": mark("Line on television"), "helper": mark("SMS to a helper"), "officer": mark("SMS to an officer"),
}  # fmt: skip
KINDS: Words = {
    "resident": mark("resident"), "subscriber": mark("subscriber"), "facility": mark("house of many"),
}  # fmt: skip
STATUS: Words = {
    "active": mark_in("a person", "active"), "away": mark("away"), "suspended": mark("suspended"), "moved": mark("moved"),
    "deceased": mark("deceased"), "withdrawn": mark_in("a person", "withdrawn"),
}  # fmt: skip
RELATIONS: Words = {
    "family": mark("family"), "neighbour": mark("neighbour"), "paid_carer": mark("paid carer"), "guardian": mark("guardian"),
    "peer": mark("friend"), "assigned_volunteer": mark("assigned volunteer"),
}  # fmt: skip


def say(words: Words, key: str) -> str:
    """What a key is called; one nobody wrote down is said as it is."""
    found = words.get(key)
    return t(found) if found else key.replace("_", " ")


def team(name: str) -> str:
    """Who is sent."""
    return tc("between two who go together", " + ").join(say(TEAMS, part) for part in name.split("+"))


def all_of(words: Words, keys: Iterable[str]) -> str:
    """What several keys are called, in a row."""
    return listed(say(words, key) for key in keys)


def visit(channel: str, team_name: str) -> str:
    """What a channel is called; of a door with who is sent there."""
    channel = channel.partition(":")[0]
    name = say(CHANNELS, channel)
    return t("{channel} ({team})", channel=name, team=team(team_name)) if channel == "door" else name


def hazard(name: str) -> str:
    """A hazard's name, from its file; in English where the file has none in this language."""
    return name_of(name, language().split("-")[0])
