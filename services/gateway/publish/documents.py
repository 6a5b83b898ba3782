"""Builds the CAP 1.2 documents we publish, under our own name and with our tier as a parameter.

Whatever came in, what goes out is a message of ours: passing on a changed copy under its author's name would be another
content under a known name, which every careful receiver puts aside. The author stands in `source`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import shapely

from services.gateway.cap import Alert, Area, Info, Reference, read, write, write_time
from services.gateway.cap.meaning import living
from services.gateway.store import Parts, StoredWarning
from services.shared.endings import PART_RETURNS
from services.shared.errors import Refused
from services.shared.hazards import UNKNOWN, known
from services.shared.text.links import LinkHosts
from services.shared.tiers import Tier

_LEVELS = {  # our tier in CAP's words, for a warning that did not come as CAP
    Tier.BLUE: ("Future", "Minor"),
    Tier.YELLOW: ("Expected", "Moderate"),
    Tier.ORANGE: ("Expected", "Severe"),
    Tier.RED: ("Immediate", "Extreme"),
}
_RESPONSES = {"evacuate": ("Evacuate",), "shelter_in": ("Shelter",)}  # CAP has no word for the others


@dataclass(frozen=True)
class _Ending:
    """How an ending is said in CAP. Only ALL_CLEAR are all-clears: people have died returning too early."""

    msg_type: str
    response: str
    headline: str
    instruction: str
    headline_zh: str
    instruction_zh: str


_ENDINGS = {
    "danger_lower_stay_away": _Ending(
        "Cancel", "Avoid",
        "Danger lower: {hazard}", "It is not over. Go on as you were told. If you left, do not go home yet.",
        "{hazard}:危险减轻", "还没有结束,请继续照之前说的做。已离家的还不能回家。",
    ),
    "may_return": _Ending(
        "Update", "AllClear",
        "Ended: {hazard}", "The warning has ended. If you left, you may go home. If you stayed in, you may go out.",
        "{hazard}:预警解除", "预警已解除。已离家的可以回家,留在屋里的可以出门。",
    ),
    "may_return_part": _Ending(
        "Alert", "AllClear",
        "Ended here: {hazard}", "The warning has ended in this place. If you left, you may go home. If you stayed in, you may go "
        "out. Elsewhere it goes on.",
        "{hazard}:本地预警解除", "本地预警已解除。已离家的可以回家,留在屋里的可以出门。其他地方仍然有效。",
    ),
    "sent_by_mistake": _Ending(
        "Cancel", "None",
        "Sent by mistake: {hazard}", "Our message was a mistake. There is no danger. We are sorry.",
        "误发更正:{hazard}", "此前信息是误发,没有危险。向您道歉。",
    ),
    "not_ours": _Ending(
        "Cancel", "None",
        "Not our message: {hazard}", "The message that goes around was not ours: do not rely on it. If you see danger, get away.",
        "并非我们发布:{hazard}", "流传的信息不是我们发的,请不要相信。看到危险就避开。",
    ),
    "checking": _Ending(
        "Update", "Monitor",
        "We are checking: {hazard}", "We are checking our message. Until we write again do as it says.",
        "正在核实:{hazard}", "正在核实。再通知前请照它做。",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Name:
    """A document's identifier, with what it offers beside the text: a page to check it, a number to call, and where its
    words may link to."""

    sender: str
    identifier: str
    sent: datetime
    references: tuple[Reference, ...]
    web: str
    contact: str
    links: LinkHosts


def cap_document(row: StoredWarning, tier: Tier, parts: Parts, name: Name) -> bytes:
    """A released warning: the blocks that came, written strictly; or ours, one a language, where none came as CAP."""
    if row.via != "json":
        try:
            return write(_reissued(row, tier, name))
        except Refused:
            pass  # good enough to warn people by, too broken to be written again block by block: ours say the same
    return write(_made(row, tier, parts, name, "Update" if name.references else "Alert"))


def ending_document(row: StoredWarning, tier: Tier, parts: Parts, name: Name) -> bytes:
    """An ending's document: a Cancel of what it ends, or an Update that says AllClear. While we check, an Update that
    goes on; for a part an Alert of its own, as whatever names the warning takes its place everywhere (CAP 1.2, 3.2.1)."""
    how = _ENDINGS[row.state_ending]
    if row.state_ending == PART_RETURNS:
        name = replace(name, references=())
    alert = _made(row, tier, parts, name, how.msg_type)
    return write(
        replace(
            alert,
            note=row.state_ending.replace("_", " "),
            infos=tuple(_ended(info, how, going_on=row.state_ending == "checking") for info in alert.infos),
        )
    )


def _ended(info: Info, how: _Ending, *, going_on: bool) -> Info:
    chinese = info.language.lower().startswith("zh")
    return replace(
        info,
        urgency=info.urgency if going_on else "Past",
        severity=info.severity if going_on else "Minor",
        certainty=info.certainty if going_on else "Observed",
        response_type=(how.response,),
        onset=None,
        headline=(how.headline_zh if chinese else how.headline).format(hazard=info.event),
        description="",
        instruction=how.instruction_zh if chinese else how.instruction,
    )


def _reissued(row: StoredWarning, tier: Tier, name: Name) -> Alert:
    """The alert as it came, blocks, resources and areas alike, under our name; a block's end lies after our sending.

    Blocks that end it somewhere beside others that go on are left out: whoever had the earlier one is told by that.
    """
    alert = read(row.raw).alerts[0]
    end = datetime.fromtimestamp(row.state_expires_at, UTC)
    infos = tuple(
        replace(
            info,
            parameter=(*info.parameter, *_parameters(row, tier)),
            expires=info.expires if info.expires is not None and info.expires > name.sent else end,
            headline=name.links.kept(info.headline),
            description=name.links.kept(info.description),
            instruction=name.links.kept(info.instruction),
            web=info.web if name.links.allow(info.web) else name.web,
            contact=name.links.kept(info.contact) or name.contact,
        )
        for info in living(alert) or alert.infos  # where it has ended nobody sounds a siren
    )
    return replace(
        alert,
        identifier=name.identifier,
        sender=name.sender,
        sent=name.sent,
        msg_type="Update" if name.references else "Alert",
        source=_source(row),
        scope="Public",
        restriction="",
        addresses=(),
        references=name.references,
        infos=infos,
    )


def _source(row: StoredWarning) -> str:
    return f"{row.sender},{row.identifier},{write_time(datetime.fromtimestamp(row.sent, UTC))}"


def _parameters(row: StoredWarning, tier: Tier) -> tuple[tuple[str, str], ...]:
    """Our tier, the number people read out, and, where the source gave one, its colour: three scales kept apart."""
    colour = row.sense.get("colour", "")
    found = (("tocsin:tier", tier.word), ("tocsin:number", row.state_number))
    return (*found, ("tocsin:hazard_colour", colour)) if colour else found


def _category(hazard: str) -> str:
    return known()[hazard if hazard in known() else UNKNOWN].category


def _made(row: StoredWarning, tier: Tier, parts: Parts, name: Name, msg_type: str) -> Alert:
    """One block a language, of the parts every channel's form is made of."""
    urgency, severity = _LEVELS[tier]
    impact = row.sense.get("impact")
    onset = datetime.fromtimestamp(impact, UTC) if impact else None
    infos = []
    for language in parts["languages"]:
        part = parts[language]
        infos.append(
            Info(
                language=language,
                category=(_category(row.sense["hazard"]),),
                event=part.get("event") or part["hazard"] or "Warning",
                response_type=_RESPONSES.get(row.sense.get("asked", ""), ()),
                urgency=urgency,
                severity=severity,
                certainty="Likely",
                onset=onset if onset is not None and onset > name.sent else None,
                expires=datetime.fromtimestamp(row.state_expires_at, UTC),
                sender_name=part["source"],
                headline=part["hazard"],
                description=part["description"],
                instruction=part["action"],
                web=name.web,
                contact=name.contact,
                parameter=_parameters(row, tier),
                areas=(_area(row, part["place"]),),
            )
        )
    return Alert(
        identifier=name.identifier,
        sender=name.sender,
        sent=name.sent,
        status=row.status,
        msg_type=msg_type,
        scope="Public",
        source=_source(row),
        references=name.references,
        infos=tuple(infos),
    )


def _area(row: StoredWarning, place: str) -> Area:
    """Polygons as (lat, lon) rings; holes are filled, since CAP has none: whoever lies in one is warned too."""
    polygons: tuple[tuple[tuple[float, float], ...], ...] = ()
    if row.area:
        polygons = tuple(
            tuple((round(lat, 6), round(lon, 6)) for lon, lat in part.exterior.coords)
            for part in shapely.get_parts(shapely.from_geojson(row.area))
            if part.geom_type == "Polygon"
        )
    geocodes = tuple((str(a), str(b)) for a, b in row.geocodes)
    return Area(desc=place or "see polygon", polygons=polygons, geocodes=geocodes)
