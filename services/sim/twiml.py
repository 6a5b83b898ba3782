"""TwiML as a stand-in for the provider plays it: what is said, how long it takes, where a key goes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lxml import etree

_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
_CJK = re.compile(r"[\u3400-\u9fff]")
WORDS_PER_S = 150 / 60  # clear speech, words; see also CJK_PER_S
CJK_PER_S = 190 / 60  # characters


class NotTwiml(ValueError):
    """The document cannot be played; the provider ends such a call with error 12100."""


@dataclass(frozen=True)
class Verb:
    """`gather` takes one key for `action`, with `timeout_s` after what is said; `say` only speaks or waits."""

    name: str  # say, gather, hangup, redirect
    said: str = ""
    seconds: float = 0.0
    action: str = ""
    timeout_s: float = 0.0


def seconds_of(said: str) -> float:
    """How long a text takes to say."""
    signs = len(_CJK.findall(said))
    words = len(_CJK.sub(" ", said).split())
    return words / WORDS_PER_S + signs / CJK_PER_S


def play(document: bytes) -> list[Verb]:
    """The verbs of a TwiML response in order; NotTwiml where it is none."""
    try:
        root = etree.fromstring(document, _PARSER)
    except etree.XMLSyntaxError as problem:
        raise NotTwiml(str(problem)) from problem
    if root.tag != "Response":
        raise NotTwiml(f"the root is {root.tag!r}, not Response")
    verbs: list[Verb] = []
    for node in root:
        match node.tag:
            case "Say" | "Pause":
                verbs.append(_spoken(node))
            case "Gather":
                parts = [_spoken(child) for child in node if child.tag in ("Say", "Pause")]
                said = " ".join(p.said for p in parts if p.said)
                length = sum(p.seconds for p in parts)
                verbs.append(Verb("gather", said, length, node.get("action", ""), float(node.get("timeout", "5"))))
            case "Hangup":
                verbs.append(Verb("hangup"))
            case "Redirect":
                verbs.append(Verb("redirect", action=(node.text or "").strip()))
            case _:
                raise NotTwiml(f"{node.tag!r} is not played here")
    return verbs


def _spoken(node: etree._Element) -> Verb:
    if node.tag == "Pause":
        return Verb("say", "", float(node.get("length", "1")))
    said = " ".join("".join(str(part) for part in node.itertext()).split())
    pace = [int(one.get("rate", "100%").rstrip("%")) for one in node.iter("prosody")] or [100]
    return Verb("say", said, seconds_of(said) * 100 / min(pace))
