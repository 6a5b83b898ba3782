"""How people behave in the simulation: figures with their source. A model to try policies in, never a forecast.

Sources: [H] telephone survey of answered calls by kind of caller; [T] surveys of how soon a text is read; [M] Marshall
Fire 2021, 20 % of warnings confirmed; [P] Camp Fire 2018, some 25 to 30 % of Paradise enrolled to be warned, as the Los
Angeles Times found; [B] Bruck and Thomas 2009, waking deaf sleepers; [F] fire-service home visits;
[J] judgement, to be argued locally.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Habits:
    """Shares are of 0-1, times in seconds of warning time. `_night` holds from 23 to 5, `_day` from 8 to 20."""

    # the register
    registered: float = 0.30  # of households; the others hear what goes to everybody, and nobody knows of them [P]

    # texts
    stale: float = 0.06  # contacts that lead nowhere by now: 7-15 % a year [J], half of it found by verifying
    delivered_median_s: float = 4.0  # [J]
    delivered_sigma: float = 0.8
    noticed_day: float = 0.85  # [T]
    noticed_night: float = 0.30  # [J]
    noticed_older_day: float = 0.40  # [J]
    noticed_older_night: float = 0.12  # [J]
    noticed_blind: float = 0.6  # factor: by screen reader, if the phone has one [J]
    noticed_deafblind: float = 0.25  # factor: by braille display [J]
    wakes_with_shaker: float = 0.82  # [B]
    wakes_deaf_without: float = 0.08  # a phone that lies on the table vibrates [J]
    notice_median_s: float = 240.0  # [T]
    notice_sigma: float = 1.0
    answer_resident: float = 0.45  # of those who noticed; 0.20 of all sent [M]
    answer_subscriber: float = 0.32
    answer_cognitive: float = 0.10  # [J]
    typing_median_s: float = 40.0  # [J]
    counts_heads: float = 0.6  # answers "how many are with you?" [J]

    # what they say
    help_if_cannot_leave: float = 0.65  # [J]
    help_otherwise: float = 0.06  # [J]
    not_there: float = 0.07  # [J]

    # calls
    never_answers: float = 0.15  # [J]
    answers_day: float = 0.60  # per try, those who never do included [H]
    answers_night: float = 0.47  # [H], [J]
    answers_older_more: float = 0.10  # [J]
    machine: float = 0.15  # [J]
    busy: float = 0.03  # [J]
    hears_through_hardness: float = 0.5  # of hard-of-hearing people: follows a call and finds the key [J]
    hangs_up_early: float = 0.18  # [J]
    key_resident: float = 0.60  # of those who listen [J]
    key_subscriber: float = 0.45  # [J]
    key_cognitive: float = 0.12  # [J]
    asks_again: float = 0.04  # presses 9 [J]
    duty_answers: float = 0.95  # [J]

    # helpers
    helper_relays: float = 0.70  # reaches the person and tells them [J]
    helper_relay_median_s: float = 780.0  # 12-16 min [J]
    helper_by_link: float = 0.30  # answers on the page instead of by text [J]
    helper_with_person: float = 0.5  # of those living near [J]

    # e-mail
    mail_read_day: float = 0.35  # [J]
    mail_read_night: float = 0.06  # [J]
    mail_median_s: float = 1500.0  # [J]
    mail_answers: float = 0.40  # [J]

    # officers
    officer_notices: float = 0.98  # on duty; the others look half an hour later [J]
    officer_notice_median_s: float = 90.0  # [J]
    travel_s: float = 120.0  # between two doors [J], about 8-12 homes an hour a pair
    visit_s: float = 300.0  # [J]
    lift_s: float = 1200.0  # 20-40 min with a lift team [J]
    at_home_day: float = 0.58  # [F] 0.53-0.62
    at_home_night: float = 0.70  # [J]
    at_home_older_day: float = 0.75  # [J]
    at_home_older_night: float = 0.85  # [J]
    at_home_cannot_leave: float = 0.92  # [J]
    deaf_opens_day: float = 0.55  # without a bell light [J]
    deaf_opens_night: float = 0.40  # [J]
    neighbour_knows: float = 0.35  # nobody opens: a neighbour says they have gone [J]
    door_refused: float = 0.04  # [J]
    door_help: float = 0.06  # of those met; the pair cannot do it alone
    door_help_cannot_leave: float = 0.22  # [J]
    door_unsafe: float = 0.005  # [J]
    help_comes_s: float = 1800.0  # the pair is back with help [J]
    looks_again_s: float = 600.0
    gives_up_after_s: float = 7200.0  # no door for so long
    contact_low_s: float = 300.0  # asked to call, text or look in
    contact_high_s: float = 900.0
    contact_reaches: float = 0.60  # [J]


def nightness(when: float, utc_offset_min: int) -> float:
    """0 by day (8-20), 1 by night (23-5), in between linear (as in the evacuation code of a US agency)."""
    hour = (when / 3600 + utc_offset_min / 60) % 24
    if 8 <= hour < 20:
        return 0.0
    if hour >= 23 or hour < 5:
        return 1.0
    return (hour - 20) / 3 if hour >= 20 else (8 - hour) / 3


def mix(day: float, night: float, share_of_night: float) -> float:
    """A share between its day and night values."""
    return day + (night - day) * share_of_night
