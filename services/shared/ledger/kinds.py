"""Names what a delivery is."""

from __future__ import annotations

from enum import StrEnum


class DeliveryKind(StrEnum):
    """What a delivery is; every one is exactly one of these."""

    WARNING = "warning"  # to a person or a house, or to who is asked to see to them
    ENDING = "ending"  # an ending or update, to who may have got what it answers
    NOTICE = "notice"  # warns of nothing: a link, a code, an answer
    VISIT = "visit"  # an officer at a door
    RESCUE = "rescue"  # a name on the fire service's list
    CALLOUT = "callout"  # a volunteer with a skill is asked
    OFFICIAL = "official"  # an official is called until one has spoken
    LINK_TEST = "link_test"  # tries a provider
    AREA = "area"  # to everybody in the area at once


K = DeliveryKind
WARNS = (K.WARNING, K.VISIT, K.RESCUE, K.CALLOUT, K.OFFICIAL)  # an ending answers them, one by one
SAYS_NO_WARNING = (K.NOTICE, K.LINK_TEST)
