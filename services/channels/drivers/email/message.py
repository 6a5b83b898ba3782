"""An e-mail as a mail server and a reader expect it (RFC 5322, 3834, 6531); pure.

No List-Unsubscribe: a warning is no list, and one touch of a button in a mail program must not silence the next one. The text
names the number that takes the address off, and /me does it for whoever signs in.
"""

from __future__ import annotations

import re
from datetime import datetime
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

import idna

from services.channels.model.outbound import Outbound
from services.shared.errors import Refused
from services.shared.tiers import Tier

PLAIN = SMTP.clone(cte_type="7bit")  # whatever is on the way passes seven bits
WIDE = SMTP.clone(cte_type="7bit", utf8=True)  # headers in UTF-8, where the address itself needs it
_SPEC = r"[^\s<>@,;:\"()\\]+@[^\s<>@,;:\"()\\]+"  # what would need quotes is no address here: it could hide another
_ONE = re.compile(rf"(?P<bare>{_SPEC})|(?P<name>[^<>@\r\n]*)<(?P<spec>{_SPEC})>")


def address_of(text: str) -> Address:
    """One address with its name, if it has one; the domain as the network spells it. Refused where it is none."""
    found = _ONE.fullmatch(text.strip())
    try:
        if found is None:
            raise ValueError("not one address")
        local, _, domain = (found["bare"] or found["spec"]).partition("@")
        return Address((found["name"] or "").strip(' "'), local, _on_the_wire(domain))
    except (ValueError, HeaderParseError, IndexError) as wrong:  # idna's faults are ValueErrors
        raise Refused("it is no e-mail address", field="address", rule="RFC 5321") from wrong


def _on_the_wire(domain: str) -> str:
    """The domain as browsers and registries spell it (IDNA 2008, UTS 46): of straße.example another domain than strasse."""
    if domain.isascii():
        return domain.encode("idna").decode()  # as it is, if it is one: labels of 1 to 63
    return idna.encode(domain, uts46=True, transitional=False).decode()


def needs_utf8(*addresses: Address) -> bool:
    """Whether a mail server must know SMTPUTF8: the part before the @ has more than ASCII."""
    return not all(one.username.isascii() for one in addresses)


def compose(message: Outbound, sender: Address, to: Address, host: str, when: datetime) -> bytes:
    """The whole message, to one person. The same delivery has the same Message-ID, so that a second copy is known as one."""
    mail = EmailMessage(policy=WIDE if needs_utf8(sender, to) else PLAIN)
    mail["From"], mail["To"] = sender, to
    mail["Subject"] = " ".join(message.subject.split())
    mail["Date"] = format_datetime(when)
    mail["Message-ID"] = f"<{message.delivery_id}@{host}>"
    mail["Auto-Submitted"] = "auto-generated"  # no holiday answer comes back to it
    if message.tier >= Tier.ORANGE:
        mail["Importance"], mail["Priority"] = "high", "urgent"
    mail.set_content(message.text)
    mail["Content-Language"] = message.language or "en"  # now: setting the content takes such headers off
    return mail.as_bytes()
