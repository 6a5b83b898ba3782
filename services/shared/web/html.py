"""Renders pages from templates: in the reader's language, with values escaped and plain in their direction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import NamedTuple, TypeVar

import jinja2
from aiohttp import web
from markupsafe import Markup, escape

from services.shared import i18n, labels
from services.shared.i18n import t
from services.shared.people.languages import choose
from services.shared.text.invisible_signs import plain_signs
from services.shared.tiers import NAMES, Tier, title
from services.shared.web.console_scripts import SCRIPTS
from services.shared.web.pictograms import pictogram

T = TypeVar("T")
_link: ContextVar[Callable[[str], str] | None] = ContextVar(
    "link", default=None
)  # language > this page's address in it


def link_by(link: Callable[[str], str] | None) -> None:
    """From here on, in this task, a page's links to its other languages are made so; None: it has none."""
    _link.set(link)


_SERVICES = Path(__file__).resolve().parents[2]


class Written(str):
    """Text of a form that somebody goes on writing: shown as it was written, sign by sign."""

    __slots__ = ()


def _shown(value: object) -> object:
    """What a page shows of a value: nothing in it turns the reading direction of what stands beside it."""
    if not isinstance(value, str) or isinstance(value, Written):
        return value
    plain = plain_signs(value)
    return value if plain == value else type(value)(plain)


_templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(
        [_SERVICES / name / "templates" for name in ("shared", "gateway", "registry", "router", "channels")]
    ),
    autoescape=True,
    finalize=_shown,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def rendered(template: str, **values: object) -> str:
    """A whole HTML page as text."""
    return _templates.get_template(template).render(**values)


def page(template: str, status: int = 200, **values: object) -> web.Response:
    """A whole HTML page."""
    return web.Response(status=status, text=rendered(template, **values), content_type="text/html")


def local_time(when: float, offset: int | Callable[[float], int]) -> str:
    """'Sun 22 Nov 09:40 (UTC+08:00)': never a time without its zone.

    `offset` are minutes east of UTC, or what gives them for a time: two times may lie on two sides of a clock change.
    """
    minutes = offset if isinstance(offset, int) else offset(when)
    return i18n.moment_at(when, minutes)


class Offer(NamedTuple):
    """A language a page can be read in, and the link that chooses it."""

    tag: str
    name: str
    link: str
    chosen: bool


def _offers() -> Sequence[Offer]:
    """The languages this page can be read in; none on the answer to a form, whose address may open nothing."""
    if (link := _link.get()) is None:
        return ()
    return [Offer(tag, name, link(tag), tag == i18n.language()) for tag, name in i18n.offered().items()]


def _escaped(values: Mapping[str, object]) -> dict[str, object]:
    return {name: value if isinstance(value, int | float) else escape(value) for name, value in values.items()}


def _t(message: str, /, **values: object) -> Markup:
    """`i18n.t` for a template: the catalogue's sentence may hold markup, what is filled in never does."""
    return Markup(t(message, **_escaped(values)))  # noqa: S704  ours; its values are escaped


def _tn(one: str, many: str, n: int, /, **values: object) -> Markup:
    return Markup(i18n.tn(one, many, n, **_escaped(values)))  # noqa: S704


def _tc(context: str, message: str, /, **values: object) -> Markup:
    return Markup(i18n.tc(context, message, **_escaped(values)))  # noqa: S704


def for_reader(texts: Mapping[str, T]) -> T:
    """Of what is there by language, that of the page's language, else the first."""
    return texts[language_read(texts)]


def language_read(texts: Mapping[str, T]) -> str:
    """The language that `for_reader` takes."""
    return choose(i18n.language(), list(texts)) or next(iter(texts))


def _label(table: str, key: str) -> str:
    """What a key is called, by the table of `labels` it stands in."""
    return labels.say(getattr(labels, table), key)


def _labels_of(table: str, keys: Sequence[str]) -> str:
    return labels.all_of(getattr(labels, table), keys)


_templates.filters["local_time"] = local_time
_templates.filters["listed"] = i18n.listed
_templates.filters["told"] = i18n.told
_templates.filters["for_reader"] = for_reader
_templates.filters["language_read"] = language_read
_templates.globals |= {
    "Tier": Tier, "tier_names": NAMES, "title": title, "t": _t, "tn": _tn, "tc": _tc, "label": _label,
    "labels_of": _labels_of, "team": labels.team, "hazard_name": labels.hazard,
    "pictogram": pictogram, "script": SCRIPTS.address, "language": i18n.language, "direction": i18n.direction, "offers": _offers,
}  # fmt: skip
