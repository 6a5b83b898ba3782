"""Reads which part of a warning's place people may return to, and holds it to the place that was warned.

The part is a shape, codes of areas the register knows, or both, and has a name in each language of the warning: people hear it
instead of the whole place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Self

import pydantic
import shapely

from services.gateway import store
from services.gateway.intake.incoming import polygon
from services.gateway.publish.parts import line
from services.gateway.store import Texts
from services.shared.database.engine import Connection
from services.shared.errors import Conflict, Refused
from services.shared.powers.ground import ground_of
from services.shared.text.links import LinkHosts

NAME = 200  # signs of a place's name
_COMMA, _EQUALS = re.compile("[,\uff0c\u3001]"), re.compile("[=\uff1d]")  # a Chinese keyboard types full-width ones


class PartIn(pydantic.BaseModel):
    """The part of a warning's place that people may return to."""

    model_config = pydantic.ConfigDict(extra="forbid")

    place: dict[str, str] = pydantic.Field(
        min_length=1, description="its name in each language of the warning: language > name"
    )
    area: dict[str, object] | None = pydantic.Field(None, description="GeoJSON Polygon or MultiPolygon, lon/lat")
    geocodes: list[tuple[str, str]] = pydantic.Field(default_factory=list, max_length=500)

    @pydantic.model_validator(mode="after")
    def _somewhere(self) -> Self:
        if self.area is None and not self.geocodes:
            raise ValueError("say where: give area or geocodes")
        return self

    @property
    def shape(self) -> str:
        """GeoJSON, or empty. Refused where it is no polygon, or has a hole: CAP has none, and who lies in one may not return."""
        if self.area is None:
            return ""
        try:
            shape = polygon(self.area)
        except Refused as wrong:
            wrong.field = f"part.{wrong.field}"  # it is said of a part's area as of a warning's
            raise
        if any(len(one.interiors) for one in shapely.get_parts(shape)):
            raise Refused(
                "part.area: it has a hole: give it as polygons without one", field="part.area", rule="no hole"
            )
        return shapely.to_geojson(shape)

    def named(self, texts: Texts, links: LinkHosts) -> Texts:
        """The warning's texts with the part's name for its place. Refused where a language has no name for it, or a name leads to
        a host that is not ours."""
        lacking = [language for language in texts if not line(self.place.get(language, ""))]
        if lacking:
            raise Refused(
                f"part.place: say how the part is called in {', '.join(lacking)} too: people are told it instead of the whole "
                "place",
                field="part.place", rule="required", given=", ".join(self.place),
            )  # fmt: skip
        strange = [link for language in texts for link in links.strange(self.place[language])]
        if strange:
            raise Refused(
                f"part.place: a name leads to {', '.join(strange)}, which is not ours: give the name alone",
                field="part.place", rule="allowed link", given=strange[0],
            )  # fmt: skip
        return {language: {**text, "place": line(self.place[language])[:NAME]} for language, text in texts.items()}


def hold_to_names(held: Texts, mine: Texts) -> None:
    """Conflict where the second person calls the part something else than the first: people are told one name."""
    for language, text in held.items():
        if text["place"] != mine[language]["place"]:
            raise Conflict(
                f"part.place: it waits under the name {text['place']!r} ({language}): look at it, and confirm it by that name",
                field="part.place", rule="same name", given=mine[language]["place"],
            )  # fmt: skip


async def hold_to_place(tx: Connection, row: store.StoredWarning, part: PartIn) -> str:
    """The part's shape as far as the warning reaches, GeoJSON or empty: broadcasters say its AllClear wherever it lies.

    Refused where the part is nowhere, is not known, lies outside the warning's place, or is all of it.
    """
    mine = await ground_of(tx, part.shape, part.geocodes)
    if mine.unknown or mine.shape is None:
        raise Refused(
            "part: the register does not know all of these areas: give codes it has, or a shape",
            field="part.geocodes", rule="known area", given=_codes(part.geocodes),
        )  # fmt: skip
    whole = await ground_of(tx, row.area, row.geocodes)
    if whole.shape is None:
        return part.shape  # nobody knows where the warning holds: the part alone says who may return
    if not shapely.intersects(whole.shape, mine.shape):
        raise Refused(
            "part: it lies outside the place of this warning: nobody there was told to leave by it",
            field="part", rule="inside the warning's place", given=_codes(part.geocodes) or "area",
        )  # fmt: skip
    if not whole.unknown and shapely.covers(mine.shape, whole.shape):
        raise Refused(
            "part: it is the whole place of this warning: end it with may_return",
            field="part", rule="a part", given=_codes(part.geocodes) or "area",
        )  # fmt: skip
    if not part.shape or whole.unknown:
        return part.shape
    within = shapely.get_parts(shapely.intersection(shapely.from_geojson(part.shape), whole.shape))
    polygons = [one for one in within if one.geom_type == "Polygon"]
    return shapely.to_geojson(shapely.MultiPolygon(polygons)) if polygons else ""


def _codes(geocodes: Sequence[Sequence[str]]) -> str:
    return ", ".join("=".join(one) for one in geocodes)


def from_form(languages: Sequence[str], form: Mapping[str, object]) -> PartIn:
    """The part as a page's form gives it: a name a language (`place.<language>`), and `codes` ("name=code", with commas
    between them). Refused where a name is missing, or no code is given, or one is none."""
    names = {tag: str(form.get(f"place.{tag}", "")).strip() for tag in languages}
    codes = [one.strip() for one in _COMMA.split(str(form.get("codes", ""))) if one.strip()]
    areas = [tuple(word.strip() for word in _EQUALS.split(one, maxsplit=1)) for one in codes]
    if not areas or any(len(area) < 2 or not all(area) for area in areas) or not all(names.values()):
        raise Refused(
            "part: say which part may return, its name in each language and the codes of its areas, like grid=110101001",
            field="part", rule="required", given=", ".join(codes),
        )  # fmt: skip
    return PartIn(place=names, geocodes=[(name, code) for name, code in areas])
