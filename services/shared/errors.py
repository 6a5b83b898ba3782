"""Defines every fault: the docstring is the message, the type says whether it may be tried again.

Fault
├── Refused        the caller's input is wrong; trying again unchanged is useless        (400/422)
│   ├── NotAllowed   no key, or the key's grant does not reach so far                     (401/403)
│   │   └── NotProved  who signed in shows again that it is them, then it may             (403)
│   ├── NotFound     nothing of that name                                                 (404)
│   └── Conflict     it clashes with what is already there                                (409)
├── Busy           we cannot take it now; try again after a while                        (503)
│   └── TooMany      this caller asks too often                                         (429)
├── Broken         what is stored or configured contradicts itself; a person must look   (500)
└── AlreadyHandled a message was handled before; not an error, never shown
"""

from __future__ import annotations


class Fault(Exception):
    """Something Tocsin refuses or cannot do, said in one sentence that tells what to do."""

    status = 500

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Refused(Fault):
    """The input breaks a rule: which field, which rule, what was given, what to do."""

    status = 422

    def __init__(
        self, message: str, *, field: str = "", rule: str = "", given: object = None, remedy: str = ""
    ) -> None:
        super().__init__(message)
        self.field = field
        self.rule = rule
        self.given = given
        self.remedy = remedy


class NotAllowed(Refused):
    """The key, cookie or signature does not allow this."""

    status = 403


class NotProved(NotAllowed):
    """Whoever signed in a while ago shows again that it is them: somebody else may sit at their desk."""


class NotFound(Refused):
    """There is nothing of that name."""

    status = 404


class Conflict(Refused):
    """It clashes with what is already there."""

    status = 409


class Busy(Fault):
    """Cannot be taken now: try again after `retry_after` seconds."""

    status = 503

    def __init__(self, message: str, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TooMany(Busy):
    """The caller has asked too often: try again after `retry_after` seconds."""

    status = 429


class Broken(Fault):
    """What is stored or configured contradicts itself; a person must look."""


class AlreadyHandled(Fault):
    """The message was handled already."""
