"""From bytes to alert elements: size, encoding and DOCTYPE are judged first, then a parser that fetches nothing.

Alerts are found wherever they lie: as the root, in Atom or RSS, in EDXL-DE, in a list of alerts, or written out as
text within one of these.
"""

from __future__ import annotations

import codecs
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.entities import html5

from lxml import etree

from services.gateway.cap.model import CAP_1_2, ReadingLimits
from services.gateway.cap.rules import Notes
from services.gateway.cap.text import unescaped

DSIG = "http://www.w3.org/2000/09/xmldsig#"
_OLD = {"urn:oasis:names:tc:emergency:cap:1.1", "http://www.incident.com/cap/1.0", "http://www.incident.com/cap/1.1"}
_ENVELOPES = {"feed", "rss", "RDF", "EDXLDistribution", "alerts", "entry", "channel", "item", "Envelope"}
_TEXT_CARRIERS = {"content", "description", "encoded", "summary", "embeddedXMLContent", "contentData", "alert_xml"}
_HEADER = {"identifier", "sender", "sent"}
_EMBEDDED = 2

_ENCODINGS = {
    "utf-8", "ascii", "iso8859-1", "iso8859-2", "iso8859-3", "iso8859-4", "iso8859-5", "iso8859-6", "iso8859-7",
    "iso8859-8", "iso8859-9", "iso8859-10", "iso8859-13", "iso8859-14", "iso8859-15", "iso8859-16", "cp1250",
    "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp874", "tis-620", "koi8-r",
    "koi8-u", "gb2312", "gbk", "gb18030", "big5", "big5hkscs", "shift_jis", "cp932", "euc_jp", "euc_kr", "cp949",
    "utf-16", "utf-16-le", "utf-16-be",
}  # fmt: skip
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_DECLARATION = re.compile(r"<\?xml\s[^>]{0,200}?\?>")
_DECLARED = re.compile(rb"""<\?xml\s[^>]{0,150}?encoding\s*=\s*["']([A-Za-z][A-Za-z0-9._-]{0,40})["']""")
_PROLOG = re.compile(r"(?:\s+|<\?.*?\?>|<!--.*?-->)*", re.DOTALL)
_START_TAG = re.compile(r"<(?=[^/!?\s])")
_NAMED = re.compile(r"&([A-Za-z][A-Za-z0-9]{1,30});")
_XML_NAMED = {"amp", "lt", "gt", "quot", "apos"}
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class AlertElement:
    """One alert element, the bytes that are its own, and its place in the file as an XPath-like prefix."""

    element: etree._Element
    raw: bytes
    where: str


def local(element: etree._Element) -> str:
    """The element's name without its namespace."""
    return etree.QName(element).localname


def namespace(element: etree._Element) -> str:
    """The element's namespace, empty where it has none."""
    return etree.QName(element).namespace or ""


def find_alerts(data: bytes, limits: ReadingLimits, notes: Notes) -> list[AlertElement]:
    """The alert elements of a file, outermost only, in their order; what stands against reading it is noted."""
    root = _parse(data, limits, notes)
    if root is None:
        return []
    found = list(_search(root, limits, notes, embedded=0))
    if len(found) == 1 and found[0].element is root:
        return [AlertElement(root, data, found[0].where)]
    if found:
        notes.add("enveloped", "/" + local(root), local(root))
    elif local(root) in _ENVELOPES:
        notes.add("no_alert", "/" + local(root), local(root))
    else:
        notes.add("not_cap", "/" + local(root), local(root))
    if len(found) > limits.alerts:
        notes.add("too_many_alerts", "/" + local(root), len(found))
        return []
    return found


def root_of(data: bytes, limits: ReadingLimits, notes: Notes) -> etree._Element | None:
    """The document's root, judged and parsed as carefully as an alert; None where the notes say why not."""
    return _parse(data, limits, notes)


def _search(root: etree._Element, limits: ReadingLimits, notes: Notes, embedded: int) -> Iterator[AlertElement]:
    """Alerts in document order; what lies within an alert is not searched, so a wrapped copy is never taken for it."""
    count = 0
    stack = [root]
    while stack:
        element = stack.pop()
        if _is_alert(element):
            count += 1
            where = "/alert" if element is root else f"/{local(root)}//alert[{count}]"
            yield AlertElement(element, etree.tostring(element, encoding="UTF-8", with_tail=False), where)
            continue
        text = (element.text or "").strip()
        if embedded < _EMBEDDED and local(element) in _TEXT_CARRIERS and text[:1] in ("<", "&") and "alert" in text:
            inner = Notes(strict=notes.strict)
            written = text if text[0] == "<" else unescaped(text)
            part = _parse(written.encode("utf-8", "replace"), limits, inner, quiet=True)
            if part is not None:
                notes.found.extend(inner.found)
                yield from _search(part, limits, notes, embedded + 1)
                continue
            notes.found.extend(f for f in inner.found if f.code == "doctype")
        stack.extend(reversed(list(element)))


def _is_alert(element: etree._Element) -> bool:
    """An `alert` in a CAP namespace, or one that has a CAP header whatever its namespace."""
    if local(element) != "alert":
        return False
    if namespace(element) == CAP_1_2 or namespace(element) in _OLD:
        return True
    return len(_HEADER & {local(child) for child in element}) >= 2


def note_namespace(element: etree._Element, where: str, notes: Notes) -> None:
    """Say what is odd about the alert's namespace."""
    name = namespace(element)
    if name == CAP_1_2:
        return
    if name in _OLD:
        notes.add("namespace_old", where, name)
    elif not name or "emergency" in name or re.search(r"\bcap\b", name):
        notes.add("namespace_wrong", where, name or "none")
    else:
        notes.add("namespace_foreign", where, name)


def _parse(data: bytes, limits: ReadingLimits, notes: Notes, *, quiet: bool = False) -> etree._Element | None:
    if len(data) > limits.bytes:
        notes.add("too_big", "/", f"{len(data)} bytes of {limits.bytes}")
        return None
    if not data.strip(b"\x00 \t\r\n\xef\xbb\xbf\xff\xfe"):
        notes.add("empty", "/")
        return None
    text = _decode(data, notes)
    if text is None:
        return None
    prolog = _PROLOG.match(text)
    at = prolog.end() if prolog else 0
    if text[at : at + 9].upper() == "<!DOCTYPE":
        # A page of HTML says so in its DOCTYPE: that is no attack, only the wrong thing.
        notes.add("not_cap" if text[at + 9 :].lstrip()[:4].lower() == "html" else "doctype", "/", text[at : at + 80])
        return None
    if len(_START_TAG.findall(text)) > limits.nodes:
        notes.add("too_many_nodes", "/", f"more than {limits.nodes}")
        return None
    root = _tree(text, notes, quiet)
    if root is None:
        return None
    if root.getroottree().docinfo.internalDTD is not None:
        notes.add("doctype", "/", "found by the parser")
        return None
    if _deeper_than(root, limits.depth):
        notes.add("too_deep", "/" + local(root), f"more than {limits.depth}")
        return None
    return root


def _decode(data: bytes, notes: Notes) -> str | None:
    """The file as text without its XML declaration: its BOM, else its declared encoding, else UTF-8."""
    declared = _DECLARED.match(data.lstrip()[:256])
    name = declared.group(1).decode("ascii") if declared else "utf-8"
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            data, name = data[len(bom) :], encoding
            break
    else:
        if data[:4] == b"<\x00?\x00":
            name = "utf-16-le"
        elif data[:4] == b"\x00<\x00?":
            name = "utf-16-be"
        elif name.lower().startswith("utf-16"):
            # Saved by another program than wrote the declaration: these bytes are readable as they stand.
            notes.add("encoding_broken", "/", f"declared {name}, is not")
            name = "utf-8"
    try:
        codec = codecs.lookup(name).name
    except LookupError:
        codec = ""
    if codec not in _ENCODINGS:
        notes.add("encoding_unknown", "/", name)
        return None
    try:
        text = data.decode(codec)
    except UnicodeDecodeError as wrong:
        notes.add("encoding_broken", "/", f"{codec}: {data[wrong.start : wrong.start + 8]!r}")
        if notes.strict:
            return None
        text = _decode_anyhow(data, codec)
    return _DECLARATION.sub("", text.lstrip("\ufeff \t\r\n"), count=1)


def _decode_anyhow(data: bytes, codec: str) -> str:
    """A file whose bytes do not fit: kept as declared if most of it fits, else read as Western European."""
    text = data.decode(codec, "replace")
    broken = text.count("\ufffd")
    fitting = sum(1 for c in text if c > "\x7f") - broken
    return text if codec != "utf-8" or fitting > broken else data.decode("cp1252", "replace")


def _tree(text: str, notes: Notes, quiet: bool) -> etree._Element | None:
    """The parsed text; where only entities or control characters stand in the way, and tolerant, without these."""
    try:
        return _lxml(text)
    except etree.XMLSyntaxError as wrong:
        said = wrong.msg
    mended = _NAMED.sub(_character, _NOT_XML.sub("", text))
    if mended != text:
        try:
            root = _lxml(mended)
        except etree.XMLSyntaxError as wrong:
            said = wrong.msg
        else:
            notes.add("control_characters" if _NOT_XML.search(text) else "entity_undeclared", "/", said)
            return None if notes.strict else root
    if not quiet:
        notes.add("not_xml" if "<" in text[:4000] else "not_cap", "/", said or "")
    return None


def _character(match: re.Match[str]) -> str:
    """An HTML entity's character; XML's own five, and unknown names, as they are."""
    name = match.group(1)
    if name in _XML_NAMED:
        return match.group()
    return html.unescape(match.group()) if name + ";" in html5 else "&amp;" + match.group()[1:]


def _lxml(text: str) -> etree._Element:
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        no_network=True,
        huge_tree=False,
        recover=False,
        remove_comments=True,
        remove_pis=True,
    )
    return etree.fromstring(text.encode("utf-8", "replace"), parser)


def _deeper_than(root: etree._Element, depth: int) -> bool:
    level = [root]
    for _ in range(depth):
        level = [child for element in level for child in element]
        if not level:
            return False
    return True
