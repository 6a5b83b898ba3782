"""Lists the sentences of the pages on which residents register, by key."""

from __future__ import annotations

from services.shared.i18n import mark, mark_in, t

WORDS: dict[str, str] = {
    "title": mark("Register to be warned"),
    "promise": mark(
        "Registering helps us try to reach you. It is not a promise of rescue. In danger, go, or call {hotline}."
    ),
    "never": mark("It is never used for benefits, tenancy, licences, police or immigration."),
    "short": mark(
        "It takes about five minutes. You may leave every question open. Nobody asks for an identity number, a password or money."
    ),
    "kept": mark(
        "What you type is locked with a key in your browser alone. It is deleted if you stop, or two hours after your last answer."
    ),
    "begin": mark("Begin"),
    "go_on_where": mark("Go on where you were"),
    "other_ways": mark("You cannot do it here? Call {hotline}, or ask your community officer: they do it with you."),
    "have_entry": mark("I am in the register already: see or change my entry"),
    "go_on": mark("Go on"),
    "skip": mark("I would rather not say"),
    "back": mark("Back"),
    "stop": mark("Stop, and delete what I typed"),
    "stopped": mark("Deleted. Nothing was kept."),
    "again": mark("Send a new code"),
    "choose_one": mark("Choose one."),
    # whom
    "ask_whom": mark("Whom do you register?"),
    "whom_self": mark("Myself"),
    "whom_other": mark("Somebody else"),
    "whom_hint": mark("We tell whoever is registered by somebody else. They can say no."),
    "ask_you": mark("Who are you?"),
    "you_hint": mark(
        "You become their helper: in danger we write to you too, and ask you to speak with them. A code proves your phone."
    ),
    "your_name": mark("What should we call you?"),
    "your_number": mark("Your mobile, with + and country code"),
    "ask_relation": mark("Who are you to them?"),
    "rel_family": mark("Family"),
    "rel_neighbour": mark("A neighbour"),
    "rel_peer": mark("A friend"),
    "rel_paid_carer": mark("A paid carer"),
    "rel_guardian": mark("Their guardian"),
    # name, place, age
    "ask_name": mark("What should we call you?"),
    "ask_name_other": mark("What is their name?"),
    "name_hint": mark("It is locked at once: only who comes to the door can open it."),
    "ask_where": mark("Where do you live?"),
    "ask_where_other": mark("Where do they live?"),
    "village": mark("Village or neighbourhood"),
    "village_choose": mark("Choose the village"),
    "village_none": mark("It is not in this list, or I would rather not say"),
    "village_find": mark("Only some are shown. Type a part of its name to see others"),
    "find": mark("Show"),
    "found_none": mark("No village of that name was found. Type less of it."),
    "address": mark("Address, as an officer must read it at night"),
    "address_hint": mark(
        "Street, house, floor, a landmark. It is locked at once: only who comes to the door can open it."
    ),
    "village_wrong": mark("Choose a village of the list, or the last line."),
    "ask_born": mark("In which year were you born?"),
    "ask_born_other": mark("In which year were they born?"),
    "born_hint": mark(
        "Older people get more time and more ways. It also keeps your entry from a stranger with your old number."
    ),
    "born_wrong": mark("Type a year from {least} to {most}."),
    # needs
    "ask_needs": mark("What do you need?"),
    "ask_needs_other": mark("What do they need?"),
    "needs_hint": mark("Tick all that are true. It decides how we warn, and what somebody who comes brings along."),
    "group_see": mark("Seeing"),
    "low_vision": mark("It is hard to see, even with glasses"),
    "blind": mark("Blind"),
    "group_hear": mark("Hearing"),
    "hard_of_hearing": mark("It is hard to hear, even with a hearing aid"),
    "deaf": mark("Deaf"),
    "signs": mark("Sign language"),
    "group_move": mark("Moving"),
    "slow": mark("Slow, or with a stick or frame"),
    "wheelchair": mark("In a wheelchair"),
    "lying": mark("Cannot leave the bed alone"),
    "group_understand": mark("Understanding"),
    "remembers": mark("It is hard to remember or to concentrate"),
    "speech": mark("It is hard to understand others or to be understood"),
    "alarms": mark("Alarms or strangers at the door are very hard"),
    "group_medical": mark("Medical devices"),
    "device": mark("A device that runs on electricity keeps me alive"),
    "group_at_home": mark("At home"),
    "alone": mark("I live alone"),
    "newborn": mark("Somebody in late pregnancy, or a newborn"),
    "below": mark("The home lies below ground"),
    "group_no_need": mark("Otherwise"),
    "none": mark("None of these"),
    "none_alone": mark("You ticked “None of these” and something else. Take one of them away."),
    # languages
    "ask_languages": mark("Which languages do you read and understand best?"),
    "ask_languages_other": mark("Which languages do they read and understand best?"),
    # reach
    "ask_reach": mark("How can we reach you?"),
    "ask_reach_other": mark("How can we reach them?"),
    "reach_hint": mark(
        "Whoever cannot be reached by phone is visited: by an officer in danger, and once before, to get to know them."
    ),
    "reach_mobile": mark("A mobile phone: texts and calls"),
    "reach_landline": mark("A landline: calls"),
    "reach_email": mark("E-mail only"),
    "reach_none": mark("None of these: somebody has to come"),
    "no_calls": mark("Calls to landlines are not possible here just now: choose another way, or the last line."),
    "no_mail": mark("E-mail is not possible here just now: choose another way, or the last line."),
    "ask_mobile": mark("What is the mobile number?"),
    "ask_landline": mark("What is the landline number?"),
    "ask_email": mark("What is the e-mail address?"),
    "number_hint": mark("With + and country code, for example +86 138 0000 0000."),
    "number_wrong": mark(
        "That is no number we can use: type it with + and the country code. Numbers that cost extra are never used."
    ),
    "email_wrong": mark("That is no e-mail address: type it like name@example.org."),
    # helper
    "ask_helper": mark("Who helps you in an emergency?"),
    "helper_hint": mark("We ask them by text whether they agree. They learn neither your address nor what you need."),
    "helper_name": mark("Their name"),
    "helper_number": mark("Their mobile, with + and country code"),
    "helper_both": mark("Type a number too, or leave both open."),
    "ask_helper_relation": mark("Who are they to you?"),
    # consent
    "ask_agree": mark("Do you agree?"),
    "agree_what": mark(
        "We keep what you told us, to warn you and to help you in danger. Names, address and numbers are locked."
    ),
    "agree_who": mark(
        "Who sees it: in danger, the officers who come to your door. In quiet times, the register's office, with a reason, and you can read who looked."
    ),
    "agree_long": mark("How long: until you withdraw. Once a year we ask whether it is still true."),
    "agree_ask": mark("May we warn you by what you told us?"),
    "agree_yes": mark_in("to agree", "Yes"),
    "agree_no": mark("No: delete what I typed"),
    "also": mark("What else may be done with it? What you do not tick is a no."),
    "p_emergency_share": mark("In an emergency, who helps may know where I am"),
    "p_share_officer_peacetime": mark("Community officers may know of me in quiet times too"),
    "p_share_supporter_peacetime": mark("My helpers may know what I need in quiet times too"),
    "p_drill": mark("I take part in drills"),
    "p_statistics": mark("I am counted in statistics, without my name"),
    "ask_tell": mark("We tell them"),
    "tell_text": mark(
        "They are warned from now on. We write to their own phone, or somebody comes and tells them. They can say no at once; then everything is deleted. Nothing is shared in quiet times until they have agreed themselves."
    ),
    "tell_ask": mark("Shall we warn them?"),
    "tell_yes": mark("Yes, and tell them"),
    "ask_method": mark("How did they say yes?"),
    "by_in_person": mark("In person, to me"),
    "by_phone": mark("By phone, to me"),
    "by_sign_language": mark("In sign language"),
    "by_paper": mark("On paper"),
    # check, code
    "check": mark("Is this right?"),
    "change": mark("Change"),
    "open_left": mark("left open"),
    "send": mark("It is right: go on"),
    "send_beside": mark("It is right: put them into the register"),
    "row_whom": mark("Whom"),
    "row_you": mark("You"),
    "row_name": mark("Name"),
    "row_where": mark("Where"),
    "row_born": mark("Born"),
    "row_needs": mark("Needs"),
    "row_languages": mark("Languages"),
    "row_reach": mark("Reached by"),
    "row_helper": mark("Helper"),
    "row_agree": mark("Agreed"),
    "ask_code": mark("What is the code?"),
    "code_hint": mark(
        "A code of six digits is on its way to {mask}. It works for 10 minutes. Nothing after 3 minutes? Call {hotline}."
    ),
    "code_wrong": mark(
        "That did not work: the code is wrong, too old, or was tried too often. Type it again, or ask for a new one."
    ),
    "known": mark("This phone is in the register already"),
    "known_hint": mark("Several people may share a phone. Only the first letter of each name is shown."),
    "known_ask": mark("Who are you?"),
    "known_self": mark("I am {mask}: I want to see and change my entry"),
    "known_new": mark("I am somebody else and share this phone: register me"),
    "too_many": mark(
        "Many people are registered by this phone already. Call {hotline}: they register others with you."
    ),
    # done
    "done": mark("Done"),
    "done_self": mark("You are in the register. From now on we try to warn you by what you told us."),
    "done_other": mark("They are in the register, and you are their helper. We tell them now."),
    "done_visit": mark(
        "Kept. Somebody comes by to get to know you; until then you are not in the register. In danger, go, or call {hotline}."
    ),
    "done_beside": mark("They are in the register. It stands in the log that you did it, and they can read that."),
    "done_place": mark(
        "Kept. They are warned once their village is known: it stands on the list of whom to go and see."
    ),
    "next": mark("What happens next"),
    "next_test": mark("Test now whether a message reaches you, and see all that is stored: on your own page."),
    "next_helper": mark("If you named a helper, they are asked by text."),
    "next_year": mark("Once a year we ask whether it is still true."),
    "own_page": mark("My own page"),
    "another": mark("Register somebody else"),
    # told
    "told": mark("Somebody registered you"),
    "told_text": mark(
        "Somebody who knows you registered this phone, so that you are warned of danger. It costs nothing. Do you want it?"
    ),
    "told_yes": mark("Yes, warn me"),
    "told_no": mark("No, delete it"),
    "told_kept": mark("Kept. Sign in with this phone whenever you want to see or change what is stored."),
    "told_gone": mark("Deleted. Warnings to everybody still reach you."),
}


def words(key: str, **values: object) -> str:
    """One sentence, filled in."""
    return t(WORDS[key], **values)
