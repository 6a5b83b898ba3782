"""Every defect an alert can have: its rule, its grade when tolerant and when strict, and its words."""

# One defect a row, so that the two grades can be read beside each other.
# ruff: noqa: E501

from __future__ import annotations

from dataclasses import dataclass

from services.gateway.cap.model import Grade
from services.shared.i18n import mark


@dataclass(frozen=True, slots=True)
class Defect:
    """One way to break a rule: its grades when tolerant and when strict, what to say and what to do."""

    code: str
    rule: int
    tolerant: Grade
    strict: Grade
    message: str


_J: Grade = "reject"
_Q: Grade = "quarantine"
_R: Grade = "repair"
_I: Grade = "info"

# fmt: off
_ROWS: tuple[tuple[str, int, Grade, Grade, str], ...] = (
    # the file
    ("empty", 1, _J, _J, mark("There is nothing in it; send the alert's XML.")),
    ("not_xml", 1, _J, _J, mark("It is not well-formed XML; send it whole and unaltered.")),
    ("not_cap", 1, _J, _J, mark("It is XML or a page, but no CAP alert; send an alert element.")),
    ("encoding_unknown", 1, _J, _J, mark("Its encoding is not one we read; use UTF-8.")),
    ("encoding_broken", 1, _R, _J, mark("Some bytes do not fit its encoding; read as well as possible. Declare the encoding.")),
    ("namespace_old", 1, _R, _J, mark("An older CAP version, read as CAP 1.2.")),
    ("namespace_wrong", 1, _R, _J, mark("The namespace is not CAP 1.2's; read as CAP 1.2.")),
    ("namespace_foreign", 1, _Q, _J, mark("An alert in a namespace of somebody else's; a person must look.")),
    ("nested_alert", 1, _Q, _J, mark("An alert lies within an alert; only the outer one is read. A person must look.")),
    ("enveloped", 1, _I, _I, mark("Taken out of its envelope (a feed or a distribution element).")),
    ("no_alert", 1, _I, _J, mark("A feed or envelope without an alert in it; links are not followed.")),
    ("doctype", 37, _J, _J, mark("It has a document type declaration, which may hide an attack; take it out.")),
    ("too_big", 38, _J, _J, mark("It is larger than allowed; split or simplify it.")),
    ("too_deep", 38, _J, _J, mark("Its elements are nested deeper than allowed.")),
    ("too_many_nodes", 38, _J, _J, mark("It has more elements than allowed.")),
    ("too_many_alerts", 38, _J, _J, mark("It has more alerts than allowed here; send them in several files.")),
    ("too_many_blocks", 38, _J, _J, mark("It has more info, area or reference blocks than allowed.")),
    ("text_too_long", 38, _Q, _J, mark("A text is longer than anybody would say; a person must look.")),
    ("control_characters", 38, _R, _J, mark("Control characters were taken out.")),
    ("bidi_characters", 38, _R, _J, mark("Characters that turn the reading direction were taken out.")),
    # the alert
    ("order", 2, _R, _J, mark("Elements do not stand in the schema's order; read by name.")),
    ("unexpected_element", 2, _R, _J, mark("An element CAP does not know was left out.")),
    ("repeated_element", 2, _R, _J, mark("An element that may stand once stands several times; texts were joined, of codes the first was taken.")),
    ("empty_element", 2, _R, _R, mark("An empty element was taken as absent.")),
    ("missing_required", 3, _J, _J, mark("A required element is missing or empty; add it.")),
    ("repeated_required", 3, _J, _J, mark("A required element stands twice with different values; keep one.")),
    ("identifier_characters", 4, _R, _J, mark("Spaces, commas, < and & are not allowed in it; each was replaced by _.")),
    ("identity_reused", 5, _Q, _J, mark("The same sender, identifier and time came before with other content; a person must look.")),
    ("time_zulu", 6, _R, _J, mark("The time ends in Z; read as -00:00.")),
    ("time_fraction", 6, _R, _J, mark("The time has a fraction of a second, which was dropped.")),
    ("time_format", 6, _R, _J, mark("The time is written in another form; it was understood.")),
    ("time_calendar", 6, _R, _J, mark("The year is of the Buddhist calendar; 543 was taken off.")),
    ("time_offset_assumed", 6, _R, _J, mark("The time has no offset; its source's own was used.")),
    ("time_no_offset", 6, _Q, _J, mark("The time has no offset, so the instant is not known; a person must look. Add an offset such as +08:00.")),
    ("time_sign", 6, _Q, _J, mark("The offset has no sign; + was taken, a person must look.")),
    ("sent_unreadable", 6, _J, _J, mark("The time sent cannot be read; write it as 2026-01-31T08:00:00+08:00.")),
    ("time_unreadable", 6, _R, _J, mark("The time cannot be read and was taken as absent.")),
    ("status_unknown", 7, _J, _J, mark("The status is none of Actual, Exercise, System, Test, Draft; say which.")),
    ("draft", 7, _Q, _J, mark("A draft is never acted on.")),
    ("not_actual", 7, _I, _I, mark("Not Actual: it must never reach the public.")),
    ("code_case", 22, _R, _J, mark("A code is written in other letters than the standard's; read as meant.")),
    ("exercise_without_note", 8, _I, _I, mark("An exercise should say in note which exercise it is.")),
    ("msg_type_unknown", 9, _J, _J, mark("The msgType is none of Alert, Update, Cancel, Ack, Error; say which.")),
    ("references_missing", 10, _R, _J, mark("An update that names no earlier message; taken as a new warning.")),
    ("cancel_without_references", 10, _Q, _J, mark("A cancel that names no message; a person must say what it ends.")),
    ("references_on_alert", 10, _I, _I, mark("An Alert that names earlier messages; it is taken as following them.")),
    ("reference_unreadable", 11, _R, _J, mark("A reference is not sender,identifier,sent; what could be read of it is used.")),
    ("reference_self", 12, _R, _J, mark("It names itself; that reference was left out.")),
    ("reference_later", 12, _R, _J, mark("It names a message sent later than itself; the time is not used to find it.")),
    ("error_without_note", 13, _I, _I, mark("An Error should say why in note.")),
    ("scope_unknown", 14, _J, _J, mark("The scope is none of Public, Restricted, Private; say which.")),
    ("restriction_missing", 15, _Q, _J, mark("Restricted, but it does not say to whom; a person must look.")),
    ("restriction_on_other", 15, _Q, _J, mark("A restriction although the scope is not Restricted: who may see it is not clear; a person must look.")),
    ("addresses_missing", 16, _Q, _J, mark("Private, but it does not say for whom; a person must look.")),
    # info
    ("info_missing", 17, _Q, _J, mark("An alert for the public without an info block says nothing; a person must look.")),
    ("same_language", 18, _I, _I, mark("Several info blocks in one language: they are read as one sequence.")),
    ("language_tag", 19, _R, _J, mark("The language tag is not well formed; read as meant, else as unknown.")),
    ("category_missing", 20, _R, _J, mark("No category; Other was taken.")),
    ("category_unknown", 20, _R, _J, mark("A category that is none of the twelve; read as Other.")),
    ("event_from_headline", 20, _R, _J, mark("No event; the headline was taken.")),
    ("event_missing", 20, _Q, _J, mark("Neither event nor headline: what happens is not said; a person must look.")),
    ("response_unknown", 21, _R, _J, mark("A responseType that is none of the nine was left out.")),
    ("response_assess", 21, _I, _I, mark("Assess is not for public warnings.")),
    ("code_unknown", 22, _R, _J, mark("A word that is none of the five; read as Unknown, so a person decides the tier.")),
    ("code_missing", 22, _R, _J, mark("Missing or empty; read as Unknown, so a person decides the tier.")),
    ("likely_old_word", 22, _R, _J, mark("Very Likely is CAP 1.0's word; read as Likely.")),
    ("pair_incomplete", 23, _R, _J, mark("A code or parameter without a name was left out.")),
    ("value_empty", 23, _I, _I, mark("A code or parameter with an empty value.")),
    ("expires_missing", 24, _R, _R, mark("No time of expiry; 24 hours from sending are taken.")),
    ("expires_before_sent", 25, _Q, _J, mark("It had expired before it was sent; a person must look.")),
    ("expires_at_sent", 25, _R, _J, mark("It expires the moment it is sent; 24 hours are taken.")),
    ("onset_after_expires", 25, _I, _I, mark("The message expires before the hazard begins: look for an update.")),
    ("expires_far", 25, _I, _I, mark("It expires more than seven days after it was sent.")),
    ("headline_long", 26, _I, _I, mark("The headline is longer than 160 characters.")),
    ("web_not_absolute", 27, _R, _J, mark("An address that is not a complete http or https one was left out.")),
    ("resource_incomplete", 28, _R, _J, mark("A resource without description or type; a plain word was put in.")),
    ("resource_size", 28, _R, _J, mark("A resource's size is not a whole number of bytes; left out.")),
    ("resource_digest", 28, _I, _J, mark("A resource's digest does not fit its content.")),
    ("deref_uri", 29, _I, _I, mark("An embedded file: kept as received, stripped when passed on.")),
    # areas
    ("area_missing", 30, _R, _J, mark("No area at all: a person must choose it.")),
    ("area_desc_missing", 30, _R, _J, mark("An area without description; its codes, or a plain word, were put in.")),
    ("area_text_only", 30, _R, _J, mark("Areas in words only: a person must choose the area.")),
    ("area_geocode_only", 30, _R, _I, mark("Areas in codes only: they need a code table, else a person must choose.")),
    ("polygon_open", 31, _R, _J, mark("A polygon that did not end where it began was closed.")),
    ("polygon_format", 31, _R, _J, mark("A polygon's pairs are written in another form; they were understood.")),
    ("polygon_empty", 31, _R, _J, mark("A polygon without any pair was left out.")),
    ("polygon_flat", 31, _R, _J, mark("A polygon without extent was left out; the rest of the area stands.")),
    ("polygon_flat_alone", 31, _Q, _J, mark("A polygon without extent is all there is of the area; a person must choose the area.")),
    ("polygon_unreadable", 31, _Q, _J, mark("A polygon cannot be read: people might be left out; a person must look.")),
    ("polygon_crossing", 31, _R, _R, mark("A polygon crosses itself; everything its line encloses is taken.")),
    ("polygon_tangled", 38, _Q, _J, mark("Polygons are too large or too tangled to compute; their hull stands in until a person has looked.")),
    ("polygon_polar", 31, _Q, _J, mark("A polygon runs around a pole; a person must look.")),
    ("antimeridian", 33, _I, _I, mark("An area across the 180th meridian was cut there.")),
    ("circle_format", 32, _R, _J, mark("A circle is written in another form; it was understood.")),
    ("circle_no_radius", 32, _R, _J, mark("A circle without radius is read as a point.")),
    ("circle_negative", 32, _Q, _J, mark("A circle with a negative radius; a person must choose the area.")),
    ("circle_huge", 32, _Q, _J, mark("A circle larger than allowed; a person must choose the area.")),
    ("circle_unreadable", 32, _Q, _J, mark("A circle cannot be read: people might be left out; a person must look.")),
    ("circle_zero", 32, _I, _I, mark("A circle of radius 0 is a mark on the map, not an area.")),
    ("marker_used", 32, _R, _R, mark("The marks are all there is of the area: 3 km around each are taken; a person should check.")),
    ("out_of_range", 33, _Q, _J, mark("Coordinates beyond the globe; a person must choose the area.")),
    ("longitude_wrapped", 33, _R, _J, mark("Longitudes beyond 180 degrees were brought back by a full turn.")),
    ("swapped", 33, _R, _J, mark("Latitude and longitude were in each other's place; exchanged.")),
    ("too_many_corners", 38, _Q, _J, mark("More polygons, circles or corners than allowed; a person must look. Simplify the area.")),
    ("altitude_unreadable", 34, _R, _J, mark("An altitude or ceiling that is no number was left out.")),
    ("ceiling_alone", 34, _R, _J, mark("A ceiling without altitude was left out.")),
    ("ceiling_below", 34, _R, _J, mark("The ceiling lay below the altitude; the two were exchanged.")),
    # text, signature
    ("html", 35, _R, _R, mark("HTML in a text was taken out.")),
    ("escaped_twice", 35, _R, _R, mark("A text was escaped twice; read as meant.")),
    ("nested_markup", 35, _R, _J, mark("Elements within a text: their words were kept.")),
    ("entity_undeclared", 35, _R, _J, mark("HTML entities that XML does not know were replaced by their characters.")),
    ("signed", 36, _I, _I, mark("It carries a signature; whether that verifies is said apart.")),
    ("signed_twice", 36, _I, _I, mark("It carries several signatures; none of them is relied on.")),
)
# fmt: on

DEFECTS: dict[str, Defect] = {row[0]: Defect(*row) for row in _ROWS}
