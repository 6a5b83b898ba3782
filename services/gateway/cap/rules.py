"""The 38 rules a CAP receiver checks, and the notes taken while checking them; the defects are in `defects.py`.

Tolerant is for files and feeds we fetch: what can be understood is understood, and the repair is said. Strict is for
what is pushed to us and what we write: a MUST that is broken is refused at once, while its author can still mend it.
Clause numbers are those of OASIS CAP-v1.2-os (1 July 2010). Where a repair has to choose, it chooses what reaches
more people.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from services.gateway.cap.defects import DEFECTS
from services.gateway.cap.model import Finding, Grade


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its number, the clause it comes from, what it asks."""

    number: int
    clause: str
    title: str


RULES: dict[int, Rule] = {
    n: Rule(n, clause, title)
    for n, clause, title in (
        (1, "3.2.1, 3.4, 4.2", "the root is alert in the CAP 1.2 namespace, well formed"),
        (2, "3.4", "children stand in the schema's order"),
        (3, "3.2.1", "identifier, sender, sent, status, msgType and scope are there, once, and not empty"),
        (4, "3.2.1", "identifier and sender hold no spaces, commas, < or &"),
        (5, "3.2.1", "an identifier is never used again for other content"),
        (6, "3.3.2", "times are YYYY-MM-DDThh:mm:ss with an offset, no Z, no fraction"),
        (7, "3.2.1", "status is one of five; only Actual goes to the public, Draft to nobody"),
        (8, "3.2.1", "an Exercise says in note which exercise"),
        (9, "3.2.1", "msgType is one of five"),
        (10, "3.2.1", "Update, Cancel, Ack and Error name earlier messages"),
        (11, "3.2.1", "references are sender,identifier,sent"),
        (12, "logic", "no reference to itself or to a later message"),
        (13, "3.2.1", "an Error says why in note"),
        (14, "3.2.1", "scope is one of three"),
        (15, "3.2.1", "Restricted says the restriction, and nothing else does"),
        (16, "3.2.1", "Private says the addresses"),
        (17, "3.2.1, 3.2.2", "an alert for the public has an info block"),
        (18, "3.2.2", "info blocks in one language form one sequence"),
        (19, "3.2.2", "language is an RFC 3066 tag; absent means en-US"),
        (20, "3.2.2", "category is one or more of twelve; event is there"),
        (21, "3.2.2", "responseType is any of nine; not Assess for the public"),
        (22, "3.2.2", "urgency, severity and certainty are each one of five"),
        (23, "3.2.2, 3.2.4", "a code or parameter has a name and a value"),
        (24, "3.2.2", "without effective: sent; without expires: the recipient's rule"),
        (25, "sanity", "it expires after it is sent, and not before it begins"),
        (26, "3.2.2", "headlines are short"),
        (27, "3.2.2, 3.2.3", "web and uri are absolute"),
        (28, "3.2.3", "a resource has a description and a type; size and digest fit"),
        (29, "3.2.3", "embedded files are stripped before passing on"),
        (30, "3.2.2, 3.2.4", "an area has a description; the target is the union of all that is given"),
        (31, "3.2.4, 3.3.1", "a polygon is four or more pairs and ends where it began"),
        (32, "3.2.4", "a circle is a pair and a radius in km, not negative"),
        (33, "3.3.1", "latitude within 90, longitude within 180 degrees"),
        (34, "3.2.4", "ceiling only with altitude, and not below it"),
        (35, "3.3.3", "text is plain: no HTML, no entities but the five of XML"),
        (36, "3.3.4", "an unverifiable signature is said, not refused"),
        (37, "security", "no document type declaration"),
        (38, "security", "within limits; no control or direction characters"),
    )
}


MOST_OF_A_KIND = 20


@dataclass(slots=True)
class Notes:
    """Findings as they are made: grades follow `strict`, each defect is said once at each place."""

    strict: bool
    position: int | None = None
    found: list[Finding] = field(default_factory=list)
    seen: dict[tuple[int | None, str, Grade], int] = field(default_factory=dict)

    def add(self, code: str, where: str, value: object = "", *, grade: Grade | None = None, rule: int = 0) -> None:
        """Note the defect at an XPath-like place; of one kind no more than twenty are kept."""
        defect = DEFECTS[code]
        graded = grade or (defect.strict if self.strict else defect.tolerant)
        kind = (self.position, code, graded)
        self.seen[kind] = self.seen.get(kind, 0) + 1
        if self.seen[kind] > MOST_OF_A_KIND:
            return
        self.found.append(
            Finding(
                rule=rule or defect.rule,
                grade=graded,
                where=where,
                value=printable(value),
                message=defect.message,
                code=code,
                position=self.position,
            )
        )

    def has(self, code: str) -> bool:
        """Whether the defect was noted on the alert at hand."""
        return any(at == self.position and kind == code for at, kind, _ in self.seen)


def printable(value: object, most: int = 120) -> str:
    """A value as shown beside a finding: one line, no control characters, at most `most` characters."""
    text = str(value)[: most * 4]
    text = "".join(c if c.isprintable() else " " for c in text)
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"
