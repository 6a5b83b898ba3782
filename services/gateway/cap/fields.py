"""The children of one element by name: order, repeats, strangers and empty ones are noted here, once for all blocks."""

from __future__ import annotations

from datetime import datetime, timedelta

from lxml import etree

from services.gateway.cap.envelope import DSIG, local, namespace
from services.gateway.cap.model import Pairs, ReadingLimits
from services.gateway.cap.rules import Notes
from services.gateway.cap.text import one_line, plain, read_time, safe


class Fields:
    """What an element holds, by the local names of its children in the element's own namespace."""

    def __init__(
        self,
        element: etree._Element,
        where: str,
        order: tuple[str, ...],
        many: set[str],
        limits: ReadingLimits,
        notes: Notes,
    ) -> None:
        self.where = where
        self._limits = limits
        self._notes = notes
        self._children: dict[str, list[etree._Element]] = {}
        self._many = many
        home = namespace(element)
        last = 0
        for child in element:
            name = local(child)
            if namespace(child) == DSIG:
                continue
            if name not in order or namespace(child) != home:
                notes.add("unexpected_element", f"{where}/{name}", name)
                continue
            place = order.index(name)
            if place < last:
                notes.add("order", f"{where}/{name}", name)
            last = max(place, last)
            self._children.setdefault(name, []).append(child)

    def at(self, tag: str) -> str:
        """The place of that child, for a finding."""
        return f"{self.where}/{tag}"

    def elements(self, tag: str) -> list[etree._Element]:
        """All children of that name."""
        return self._children.get(tag, [])

    def texts(self, tag: str, most: int | None = None) -> list[str]:
        """Their texts on one line each, cut off where they are longer than anybody would write."""
        return [self._short(child, tag, most) for child in self.elements(tag)]

    def text(self, tag: str, most: int | None = None) -> str:
        """The text of a child that may stand once, on one line; empty where absent. Of several the first that says
        something is taken."""
        texts = self.texts(tag, most)
        said = [text for text in texts if text]
        if texts and not said:
            self._notes.add("empty_element", self.at(tag))
        if len(texts) > 1:
            self._notes.add("repeated_element", self.at(tag), " | ".join(texts))
        return said[0] if said else ""

    def required(self, tag: str) -> str:
        """The text of a header child; noted as missing, or as there twice with different values."""
        texts = self.texts(tag)
        said = list(dict.fromkeys(text for text in texts if text))
        if not said:
            self._notes.add("missing_required", self.at(tag), tag)
            return ""
        if len(said) > 1:
            self._notes.add("repeated_required", self.at(tag), " | ".join(said))
            return ""
        if len(texts) > 1:
            self._notes.add("repeated_element", self.at(tag), said[0])
        return said[0]

    def prose(self, tag: str, most: int | None = None) -> str:
        """Text for people, lines kept; of several all, one below the other."""
        texts = [self._prose(child, tag, most) for child in self.elements(tag)]
        if len(texts) > 1:
            self._notes.add("repeated_element", self.at(tag), tag)
        said = "\n".join(dict.fromkeys(text for text in texts if text))
        if texts and not said:
            self._notes.add("empty_element", self.at(tag))
        return said

    def code(self, tag: str, words: tuple[str, ...], *, rule: int, unknown: str) -> str:
        """A header child that is one of the words; empty, and noted, where it is not."""
        text = self.required(tag)
        return self.one_of(text, words, tag, rule=rule, unknown=unknown) if text else ""

    def one_of(self, text: str, words: tuple[str, ...], tag: str, *, rule: int, unknown: str) -> str:
        """The word meant: exact, or else letter case and blanks aside; empty, and noted, where none is."""
        if text in words:
            return text
        meant = {word.casefold(): word for word in words}.get("".join(text.split()).casefold(), "")
        self._notes.add("code_case" if meant else unknown, self.at(tag), text, rule=rule)
        return meant

    def time(self, tag: str, assume: timedelta | None) -> datetime | None:
        """A time that may be absent; an unreadable one is noted and absent."""
        text = self.text(tag)
        if not text:
            return None
        moment = read_time(text, self.at(tag), self._notes, assume)
        if moment is None:
            self._notes.add("time_unreadable", self.at(tag), text)
        return moment

    def pairs(self, tag: str) -> Pairs:
        """The (valueName, value) pairs in their order; the same name may come again."""
        out: list[tuple[str, str]] = []
        for n, child in enumerate(self.elements(tag), 1):
            where = f"{self.where}/{tag}[{n}]"
            inner = Fields(child, where, ("valueName", "value"), set(), self._limits, self._notes)
            name, value = inner.texts("valueName"), inner.texts("value", self._limits.long_text)
            if not name or not name[0]:
                self._notes.add("pair_incomplete", where, value[0] if value else "")
                continue
            if not value or not value[0]:
                self._notes.add("value_empty", where, name[0])
            out.append((name[0], value[0] if value else ""))
        return tuple(out)

    def raw(self, element: etree._Element) -> str:
        """All text of an element as it stands, the words of elements within it included."""
        return "".join(element.itertext())

    def _joined(self, element: etree._Element, tag: str) -> str:
        if len(element):
            self._notes.add("nested_markup", self.at(tag), tag)
            return "\n".join(piece.strip() for piece in element.itertext() if piece.strip())
        return element.text or ""

    def _short(self, element: etree._Element, tag: str, most: int | None) -> str:
        text = one_line(safe(self._cut(self._joined(element, tag), tag, most), self.at(tag), self._notes))
        return text

    def _prose(self, element: etree._Element, tag: str, most: int | None) -> str:
        return plain(self._cut(self._joined(element, tag), tag, most), self.at(tag), self._notes)

    def _cut(self, text: str, tag: str, most: int | None) -> str:
        most = most or self._limits.long_text
        if len(text) > most:
            self._notes.add("text_too_long", self.at(tag), f"{len(text)} characters of {most}: {text[:40]}")
            return text[:most]
        return text
