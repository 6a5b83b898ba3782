"""Parses the conditions after `if`: a closed list joined by & | and parentheses; never evaluated as code."""

from __future__ import annotations

import re
from collections.abc import Callable, Set
from dataclasses import dataclass, field

from services.shared.errors import Refused

PREDICATES = (
    "open",
    "high_support",
    "not_delivered_or_unknown",
    "door_first",
    "cannot_leave",
    "cannot_judge",
    "no_usable_channel",
    "night",
    "deaf",
    "no_bed_shaker",
    "zone_has_unregistered",
    "no_person_spoke",
    "not_moving",
    "child_alone",
)
_TOKEN = re.compile(r"\s*([a-z_]+|[&|()])")


@dataclass(frozen=True)
class Condition:
    """Holds or not, given the facts that are true; `words` is as written in the file."""

    words: str
    _test: Callable[[Set[str]], bool] = field(compare=False, repr=False)

    def holds(self, facts: Set[str]) -> bool:
        return self._test(facts)

    def because(self, facts: Set[str]) -> str:
        """The predicates of the condition that are true: the reason a step was taken."""
        return " & ".join(p for p in dict.fromkeys(re.findall(r"[a-z_]+", self.words)) if p in facts)


ALWAYS = Condition("", lambda facts: True)


def parse_condition(words: str) -> Condition:
    """and binds tighter than or; Refused names the word that is not on the list."""
    tokens: list[str] = []
    position = 0
    while position < len(words.rstrip()):
        match = _TOKEN.match(words, position)
        if match is None:
            raise Refused(f"{words!r}: only words, & | and ( ) are allowed here", rule="condition", given=words)
        tokens.append(match.group(1))
        position = match.end()
    parser = _Parser(tokens, words)
    test = parser.either()
    if parser.tokens:
        raise Refused(
            f"{words!r}: {parser.tokens[0]!r} stands where the condition should end", rule="condition", given=words
        )
    return Condition(words, test)


class _Parser:
    def __init__(self, tokens: list[str], words: str) -> None:
        self.tokens = tokens
        self.words = words

    def either(self) -> Callable[[Set[str]], bool]:
        tests = [self.both()]
        while self.tokens and self.tokens[0] == "|":
            self.tokens.pop(0)
            tests.append(self.both())
        return tests[0] if len(tests) == 1 else lambda facts: any(t(facts) for t in tests)

    def both(self) -> Callable[[Set[str]], bool]:
        tests = [self.one()]
        while self.tokens and self.tokens[0] == "&":
            self.tokens.pop(0)
            tests.append(self.one())
        return tests[0] if len(tests) == 1 else lambda facts: all(t(facts) for t in tests)

    def one(self) -> Callable[[Set[str]], bool]:
        part = self.tokens.pop(0) if self.tokens else ""
        if part == "(":
            test = self.either()
            if not self.tokens or self.tokens.pop(0) != ")":
                raise Refused(f"{self.words!r}: a ) is missing", rule="condition", given=self.words)
            return test
        if part not in PREDICATES:
            raise Refused(
                f"{self.words!r}: there is no condition {part!r}; use {', '.join(PREDICATES)}",
                rule="condition",
                given=part,
            )
        return lambda facts: part in facts
