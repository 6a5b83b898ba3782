"""Lists the sentences of a resident's own pages, by key."""

from __future__ import annotations

from services.shared.i18n import mark, mark_in, t

WORDS: dict[str, str] = {
    "title": mark("My entry in the register"),
    "promise": mark(
        "Registering helps us try to reach you. It is not a promise of rescue. In danger, go, or call {hotline}."
    ),
    "never": mark("It is never used for benefits, tenancy, licences, police or immigration."),
    "sign_in": mark("Sign in with your phone"),
    "no_phone": mark("No phone, or a phone that somebody else may read? Call {hotline} or ask your community officer."),
    "ask_number": mark("What is your phone number?"),
    "number_hint": mark("With + and country code, for example +86 138 0000 0000."),
    "send_code": mark("Send me a code"),
    "ask_code": mark("What is the code?"),
    "code_hint": mark(
        "If this number is in the register, a code of six digits is on its way. It works for 10 minutes. Nothing after 3 minutes? Call {hotline}."
    ),
    "code_wrong": mark(
        "That did not work: the code is wrong, too old, or was tried too often. Type it again, or ask for a new one."
    ),
    "number_wrong": mark("That is no phone number. Type it with + and the country code."),
    "again": mark("Ask for a new code"),
    "go_on": mark("Go on"),
    "who": mark("For whom do you come?"),
    "who_self": mark("For myself, {mask}"),
    "who_guardian": mark("As guardian of {mask}"),
    "who_helper": mark("As a helper of {mask}"),
    "who_hint": mark("Only the first letter of each name is shown."),
    "birth": mark("In which year were you born?"),
    "birth_hint": mark(
        "This number came to us from a list. The question keeps your entry from a stranger with your old number."
    ),
    "birth_wrong": mark("That is not what the register has. Call {hotline} if it is wrong there."),
    "not_proven": mark("We must know you first"),
    "not_proven_text": mark(
        "This number came from a list and nobody has verified it. Call {hotline} or ask your community officer; bring nothing."
    ),
    "home": mark("What would you like to do?"),
    "home_for": mark("You act as guardian of {mask}."),
    "stored": mark("See all that is stored about me"),
    "looks": mark("See who looked"),
    "channels": mark("Choose how I am warned, and test it"),
    "away": mark("Say that I am away"),
    "plan": mark("My plan: who comes, what they bring, where I go"),
    "helpers": mark("My helpers"),
    "purposes": mark("Limit what it is used for"),
    "not_mine": mark("This is not my number"),
    "withdraw": mark("Withdraw"),
    "out": mark("Sign out"),
    "back": mark("Back"),
    "change": mark("Change"),
    "change_what": mark("Change: {what}"),
    "add_fact": mark("Something is missing: answer a question"),
    "said_by": mark("{source}, {on}"),
    "contacts": mark("Numbers and addresses (only their end is shown)"),
    "no_contacts": mark("None. In a warning somebody comes to your door."),
    "consents": mark("What you agreed to"),
    "saved": mark("Saved."),
    "save": mark("Save"),
    "kept_other": mark("Kept, and shown to the register's office beside what another source says."),
    "looks_none": mark("Nobody has looked at your entry."),
    "looks_hint": mark("Every look is written down before anything is shown."),
    "look_listed": mark("saw you in a list (masked)"),
    "look_look": mark("looked at your page (masked)"),
    "look_open": mark("opened your name, address and numbers"),
    "look_called": mark("opened your name, address and numbers, as you asked for help"),
    "look_path": mark("looked how far a warning to you had come"),
    "look_list": mark("opened a list of doors with yours on it"),
    "look_revise": mark("changed your entry"),
    "look_emergency": mark("during an emergency unlock"),
    "role_office": mark("The duty office"),
    "role_officer": mark("A community officer"),
    "role_guardian": mark("Your guardian"),
    "role_supporter": mark("A helper"),
    "role_list": mark("The register's office, from a list"),
    "why": mark("Reason: {reason}"),
    "channels_hint": mark(
        "They are tried in this order. Say no to one, and it is never used. With none left, somebody comes to your door."
    ),
    "device": mark("Messages on this device"),
    "device_hint": mark(
        "A warning appears on this device's screen, also when it is locked: whoever holds it can read it. Messages go to one device, the last one chosen. It needs internet and may come late: keep your other channels."
    ),
    "device_yes": mark("Send messages to this device"),
    "device_busy": mark("Your browser may ask you: allow messages."),
    "device_is": mark("A device of yours gets messages. Test it on the page of your channels."),
    "device_stop": mark("No more messages on a device"),
    "device_off": mark("This is not offered here. Your other channels stay as they are."),
    "device_no_script": mark(
        "Your browser runs no script here, and this works only with one. Your other channels stay as they are."
    ),
    "device_unable": mark("This browser cannot get messages. Your other channels stay as they are."),
    "device_denied": mark(
        "Your browser was told not to allow messages from here. Allow them in its settings, then open this page again."
    ),
    "device_failed": mark("It did not work just now. Try again later. Your other channels stay as they are."),
    "device_wrong": mark("This device could not be added."),
    "channel_no": mark("Do not use it"),
    "channel_yes": mark("Use it"),
    "channel_up": mark("Try it earlier"),
    "channel_test": mark("Test it now"),
    "channel_never": mark("not used: you said no"),
    "channel_unverified": mark("not used yet: it was never verified"),
    "channel_unsafe": mark("not used: only safe numbers are"),
    "test_sent": mark("The test is on its way. Look at your phone, then open this page again."),
    "test_last": mark("Last test {at}: {state}"),
    "state_waiting": mark("on its way"),
    "state_accepted": mark("handed to the network, no receipt yet"),
    "state_delivered": mark("it arrived"),
    "state_failed": mark("it did not arrive: check the number"),
    "no_test": mark("No test: you said that no test message may be sent, or that only safe numbers are used."),
    "test_budget": mark("Five tests a day are enough: try again tomorrow."),
    "away_ask": mark("Until when are you away?"),
    "away_hint": mark(
        "The last day you are away. Your phone is still warned, and your home too if others live there. Leave it empty if you are back."
    ),
    "away_wrong": mark("Choose a day from today on, at most a year ahead."),
    "away_now": mark("You are away until {until}."),
    "plan_who": mark("Who comes"),
    "plan_bring": mark("What they bring and know"),
    "plan_where": mark("Where I go"),
    "plan_officer": mark(
        "A community officer of your area, if nothing else reaches you and it is safe to send somebody."
    ),
    "plan_nobody": mark("You have named no helper yet."),
    "plan_nothing": mark("Nothing special is known. Tell us what you need."),
    "plan_place": mark("{name}, {address}. {route} Go there only if the warning says that it is open."),
    "plan_no_place": mark("No place that suits you is in the register. The warning says where to go."),
    "can_relay": mark("passes the warning on"),
    "can_wake": mark("wakes you"),
    "can_interpret": mark("interprets"),
    "can_carry": mark("carries you"),
    "can_drive": mark("drives you"),
    "can_key": mark("has a key"),
    "helper_yes": mark("agreed on {on}"),
    "helper_wait": mark("was asked and has not agreed yet"),
    "helper_drop": mark("Take {mask} off"),
    "helper_add": mark("Add a helper"),
    "helpers_hint": mark(
        "A helper is phoned when you are warned. We ask them first; until they say yes they are not used. They never see your address here."
    ),
    "ask_helper_name": mark("What is your helper's name?"),
    "ask_helper_number": mark("What is your helper's phone number?"),
    "ask_helper_relation": mark("Who is it?"),
    "ask_helper_place": mark("Where does your helper live?"),
    "helper_with_me": mark("In my home"),
    "helper_near": mark("Near me: the same flood or fire may reach them"),
    "helper_far": mark("Farther away"),
    "rel_family": mark("Family"),
    "rel_neighbour": mark("A neighbour"),
    "rel_paid_carer": mark("A carer"),
    "rel_guardian": mark("A guardian"),
    "rel_peer": mark("A friend"),
    "rel_assigned_volunteer": mark("A volunteer"),
    "invited": mark("We ask your helper by SMS. Tell them that it is from you."),
    "invite_budget": mark("Five people a day are enough: try again tomorrow."),
    "invite_wrong": mark("That number cannot be asked: give a mobile number of this country."),
    "help_title": mark("Would you help {mask} in an emergency?"),
    "help_text": mark(
        "Somebody you know, whose name begins so, named you. In a warning you get a text of your own, phone first, and tell us by one digit. You need not go into danger. You can stop at any time."
    ),
    "help_yes": mark("Yes, I will help"),
    "help_no": mark_in("to help", "No"),
    "help_done_yes": mark("Thank you. You are a helper now."),
    "help_done_no": mark("Noted. You are not a helper. Nobody is told why."),
    "help_gone": mark(
        "This invitation is not open any more: they took it back, or it is older than a week. Ask them for a new one."
    ),
    "help_is": mark("You are a helper of {mask}."),
    "help_stop": mark("Stop being a helper"),
    "purposes_hint": mark("Choose for each. Whatever you choose, warnings to everybody still reach you."),
    "p_share_officer_peacetime": mark("Community officers may know of me in quiet times too"),
    "p_share_supporter_peacetime": mark("My helpers may know what I need in quiet times too"),
    "p_drill": mark("I take part in drills"),
    "p_statistics": mark("I am counted in statistics, without my name"),
    "p_emergency_share": mark("In an emergency, who helps may know where I am"),
    "given": mark_in("to agree", "Yes"),
    "refused": mark_in("to agree", "No"),
    "withdrawn": mark("No (withdrawn)"),
    "not_asked": mark("Nobody has asked you"),
    "not_mine_ask": mark("Is this phone not yours?"),
    "not_mine_text": mark(
        "We will never use this number for that person again, and you are signed out. Nothing is shown to you."
    ),
    "not_mine_yes": mark("It is not mine: take it off"),
    "not_mine_done": mark("Taken off. Thank you."),
    "withdraw_ask": mark("Withdraw from the register?"),
    "withdraw_text": mark(
        "Deleted now: your name, address, numbers, helpers and answers. Kept: that an entry was withdrawn, and the log of who looked. Warnings to everybody (sirens, phones in the area, radio, television) still reach you; nobody comes to your door because of the register any more. Your helpers are not told."
    ),
    "withdraw_yes": mark("Withdraw and delete"),
    "withdraw_done": mark("You have withdrawn. Warnings to everybody still reach you."),
    "guardian_only": mark("Your guardian decides this with you. Call {hotline} if you have none."),
    "she_decides": mark(
        "Only the person decides this. You can help to decide, and not instead: sit together and use their own phone."
    ),
    "she_said": mark("The person said this, so only the person changes it."),
    "text_call_name": mark("What should we call you?"),
    "text_address": mark("What is your address, as an officer must read it at night?"),
    "text_wake": mark("How can we wake you or make you hear the door?"),
    "text_talk": mark("How do we talk with you?"),
    "text_moves": mark("How do we help you to move?"),
    "text_note": mark("What else must somebody at your door know?"),
    "text_hint": mark(
        "It is locked at once: only who comes to your door can open it, so what stands there now cannot be shown."
    ),
    "number_between": mark("Type a number from {least} to {most}."),
    "choose_one": mark("Choose one."),
}


def words(key: str, **values: object) -> str:
    """One sentence, filled in."""
    return t(WORDS[key], **values)
