"""Lists the words of the policy file, and what a channel must be able to do for each."""

from __future__ import annotations

# policy channel word > (contact kind, channel) in the order tried; an empty tuple is a channel that has no driver yet
WORDS: dict[str, tuple[tuple[str, str], ...]] = {
    "sms": (("sms", "sms"),),
    "sms_if_own_phone": (("sms", "sms"),),
    "voice": (("voice_mobile", "voice_mobile"), ("voice_landline", "voice_landline")),
    "voice_landline": (("voice_landline", "voice_landline"), ("voice_mobile", "voice_mobile")),
    "voice_loud_slow": (("voice_landline", "voice_landline"), ("voice_mobile", "voice_mobile")),
    "voice_keys_only": (("voice_mobile", "voice_mobile"), ("voice_landline", "voice_landline")),
    "email": (("email", "email"),),
    "duty_phone_1": (("duty_phone_1", "voice_duty"),),
    "duty_phone_2": (("duty_phone_2", "voice_duty"),),
    "push": (("push", "push"),),
    "chat": (("im", "chat"),),
    "video_relay": (("video_relay", "video_relay"),),
    "bed_shaker": (("bed_shaker", "bed_shaker"),),
}
HELPER_WORDS = ("supporter", "guardian")  # to somebody else, about the person
OFFICER_WORDS = ("known_officer",)
CHANNEL_WORDS_ALL = (*WORDS, *HELPER_WORDS, *OFFICER_WORDS)
UNFIT_WORDS = {"voice_robot": ("voice_mobile", "voice_landline")}
OWN_KINDS = ("sms", "voice_mobile", "voice_landline", "email", "push", "im", "video_relay", "bed_shaker")
KIND_WORD = {kind: {"voice_mobile": "voice", "im": "chat"}.get(kind, kind) for kind in OWN_KINDS}
KIND_CHANNEL = {kind: "chat" if kind == "im" else kind for kind in OWN_KINDS}
SUPPORTER, OFFICER = "supporter", "officer"  # kinds of a channel use that goes to somebody else
SHAKER = "bed_shaker"  # wakes and says nothing: no channel that a person is told by
PUBLIC_KINDS = {  # contact kind > channel of a plain text or call, to a number that nobody has verified
    "sms": "sms",
    "voice_mobile": "voice_mobile",
    "voice_landline": "voice_landline",
    "duty_phone_1": "voice_duty",
    "duty_phone_2": "voice_duty",
}

AREA_WORDS = ("broadcast", "cell_broadcast", "area_sound", "street_sweep", "organisations")
AREA_CHANNELS = {
    "broadcast": "broadcast",
    "area_sound": "area_sound",
    "cell_broadcast": "cell_broadcast",
    "street_sweep": "sweep",
    "organisations": "organisations",
}
PERSON_WORDS = (
    "personal.1",
    "personal.2",
    "personal.all",
    "retry_other_channel",
    "supporter",
    "officer_contact",
    "door",
)
FACILITY_WORDS = (
    "duty_phone_1", "duty_phone_2", "sms", "superior", "nearest_unit_goes", "transport_team", "officer_contact", "door",
)  # fmt: skip
EMPTY_NOW = "empty_now"  # a fact of a house: nobody is in it at this hour
MOVING_WORDS = ("nearest_unit_goes", "transport_team", "door")  # of a house's escalation: in orange and red alone
FORMS = (  # the first that any of a person's groups asks for
    "easy_read",
    "braille_line",
    "short_plain",
    "facility_brief",
    "slow_spoken",
    "spoken",
    "large_print",
    "large_print_card",
    "plain",
)
FORM_EXTRAS = (
    "sign_video",
    "screen_reader",
    "loud_slow",
    "ask_transport",
    "backup_hours",
)  # all that any of their groups asks for
TEAMS = (  # as a group names who goes to the door
    "officer",
    "officer+phrase_card",
    "officer+large_print_card",
    "officer+yes_no_card",
    "officer+written_card",
    "officer+guide",
    "known_officer",
    "two_officers",
    "officer+sign_volunteer",
    "officer+tactile_interpreter",
    "lift_team",
    "officer+nurse_or_lift",
    "liaison_team",
    "custody_service",
    "water_rescue",
)
HOUSE_TEAMS = {"custody": "custody_service", "boat": "water_rescue"}  # flag of a house > who moves it in a team's stead
BASES = ("officer", "two_officers", "known_officer", "lift_team", "liaison_team")  # heaviest last
IMPLIED = ("officer", "two_officers")  # in every team: whoever goes to a door goes in twos
SKILLS: dict[str, tuple[str, ...]] = {  # part of a team > skills of which the team should have one; heaviest last
    "phrase_card": ("phrase_card",),
    "guide": ("guide",),
    "sign_volunteer": ("sign_volunteer",),
    "tactile_interpreter": ("tactile_interpreter",),
    "nurse_or_lift": ("nurse", "lift_team"),
    "lift_team": ("lift_team",),
    "liaison_team": ("liaison_team",),
}
CALLED = {  # part of a team > skill that is called out where the team has not got it
    "sign_volunteer": "sign_volunteer",
    "tactile_interpreter": "tactile_interpreter",
    "phrase_card": "translator",
}
ASSIST_MIN = {"lift_team": 30, "nurse_or_lift": 30, "liaison_team": 30}  # part of a team > minutes at the door; else 7
VISIT_MIN, TRAVEL_MIN = 7, 5

ANSWERS = ("leaving", "not_there", "moving", "safe")
ANSWERERS = ("person", "supporter", "supporter_with_person", "officer")
PERSONAL = ("opt_in", "high_support_or_opt_in", "high_support_or_opt_in_or_unheard", "all")
EVIDENCE_ORDER = (
    "accepted",
    "delivered",
    "opened",
    "answered",
    "heard",
    "acknowledged",
    "human_contact",
)  # the ledger's
ACKS = ("none", "high_support", "all_registered")
TIER_ENDS = ("sent", "officer_contact", "closed", "closed_or_handed_to_rescue")
HIGH_SUPPORT = ("", "always", "day", "night", "when_alone")
HOLD_UNLESS = ("onset_before_morning", "deadly_before_morning", "facility")
ASKS = ("moved_of_headcount",)
UNTILS = ("all_safe",)
SHORTAGE_FACTS = (
    "facility",
    "no_usable_channel",
    "no_phone",
    "door_first",
    "deaf_asleep",
    "cannot_leave",
    "cannot_judge",
    "basement",
)
SHORTAGE_THEN = ("neighbour_call", "fire_service", "loudhailer")
DOWN_DO = ("doors_now", "area_sound")
ENDING_TO = ("all_attempted", "supporters", "shelters", "officers_out")
DOOR_ORDER = ("facility", "need", "slack_bucket_15min", "walk_route")  # need: as the shortage ranks people
COMMANDER_ENDINGS = ("unsafe_by_commander", "handed_to_rescue")

FIRE_SERVICE = "fireservice"  # stands where a team would: the visit is on the fire service's list
