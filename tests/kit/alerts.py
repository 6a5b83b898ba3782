"""CAP alerts written for the page tests, all about one small fictional area: polygon, circle, codes, held, cancel, hostile."""

from __future__ import annotations

from datetime import UTC, datetime
from xml.sax.saxutils import escape

START = datetime(2026, 6, 10, 4, 0, tzinfo=UTC).timestamp()  # noon in UTC+08:00
OFFSET_MIN = 480
RING = "30.012,102.981 30.047,102.993 30.052,103.034 30.031,103.058 30.004,103.049 29.996,103.008 30.012,102.981"
POLYGON = f"<polygon>{RING}</polygon>"
CIRCLE = "<circle>30.02,103.02 2.5</circle>"
FAR_CIRCLE = "<circle>45.0,20.0 1.0</circle>"
NORTH = "<polygon>30.035,102.989 30.047,102.993 30.052,103.034 30.040,103.047 30.035,102.989</polygon>"  # a part of it
CODE = "<geocode><valueName>PARISH</valueName><value>X-999</value></geocode>"
FLOOD = "Leave now, on foot, uphill to Nanling School. Do not walk or drive through water."
PLUME = "Go inside and stay there. Close doors and windows. Switch ventilation off."
# Markup, an attribute's end, a script, characters that turn the reading direction, and a template's brackets.
NASTY = (
    '<script>document.title="owned"</script>"\' onmouseover="document.title=1" \u202egnp.exe\u202c '
    "<img src=x onerror=\"document.title='owned'\"> {{ 7*7 }} &amp;lt;script&amp;gt;"
)


def info(
    language: str = "en-US",
    *,
    event: str = "Flash flood",
    instruction: str = FLOOD,
    severity: str = "Extreme",
    response: str = "Evacuate",
    sender_name: str = "Qingshui County Emergency Office",
    place: str = "Nanling: Hedong and Xiawan",
    area: str = POLYGON,
    category: str = "Met",
) -> str:
    """One info block; texts are escaped, so what they say is said and not obeyed."""
    return f"""<info><language>{language}</language><category>{category}</category><event>{escape(event)}</event>
<responseType>{response}</responseType><urgency>Immediate</urgency><severity>{severity}</severity>
<certainty>Likely</certainty><expires>2026-06-10T18:00:00+08:00</expires>
<senderName>{escape(sender_name)}</senderName><headline>{escape(event)}</headline>
<description>{escape(event)} near the river.</description><instruction>{escape(instruction)}</instruction>
<area><areaDesc>{escape(place)}</areaDesc>{area}</area></info>"""


ZH = info(
    "zh-CN",
    event="山洪",
    instruction="现在离家,步行往高处到南岭学校。不要过水,不要开车过水。",
    sender_name="清水县应急局",
    place="南岭镇河东、下湾",
)


def alert(
    identifier: str,
    *infos: str,
    status: str = "Actual",
    kind: str = "Alert",
    sent: str = "2026-06-10T11:59:00+08:00",
    references: str = "",
) -> str:
    """A whole alert; by default a red flash flood in English and Chinese."""
    blocks = "\n".join(infos or (info(), ZH))
    refers = f"<references>{references}</references>" if references else ""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>{identifier}</identifier>
<sender>alerts@qingshui.example</sender><sent>{sent}</sent><status>{status}</status><msgType>{kind}</msgType>
<scope>Public</scope>{refers}
{blocks}
</alert>"""


def flood(identifier: str = "FLOOD-1") -> str:
    """Red: polygon, two languages, a hazard whose doors wait for the commander."""
    return alert(identifier)


def held(identifier: str = "HELD-1") -> str:
    """Severity Unknown in a circle: a person must decide the tier."""
    return alert(identifier, info(severity="Unknown", area=CIRCLE))


def plume(identifier: str = "PLUME-1", area: str = "") -> str:
    """A toxic release: stay in, and nobody may be sent to doors there, for another warning either."""
    return alert(
        identifier,
        info(event="Toxic gas release", instruction=PLUME, response="Shelter", category="CBRNE", area=area or POLYGON),
    )


def heat(identifier: str = "HEAT-1") -> str:
    """A heatwave: doors need no commander's word."""
    return alert(
        identifier,
        info(event="Extreme heat", instruction="Check on older neighbours. Drink water.", response="Monitor"),
    )


def codes_only(identifier: str = "CODES-1") -> str:
    """An area given only by a code that no table here knows."""
    return alert(identifier, info(area=CODE))


def far_away(identifier: str = "FAR-1") -> str:
    """A circle in which nobody is registered."""
    return alert(identifier, info(area=FAR_CIRCLE))


def nasty(identifier: str = "NASTY-1") -> str:
    """Every text of the alert tries to break out of a page."""
    return alert(
        identifier,
        info(event=NASTY, instruction=f"Leave now. {NASTY}", sender_name=NASTY[:180], place=NASTY),
    )


GARBAGE = "this is <not an alert"
XXE = """<?xml version="1.0"?>
<!DOCTYPE alert [<!ENTITY secret SYSTEM "file:///etc/hostname">]>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>XXE-1</identifier><sender>&secret;</sender></alert>"""
