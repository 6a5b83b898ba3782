"""Writes messages that carry no warning: one-time codes, invitations, channel tests, cases and their answers.

They name nobody and no need: whoever holds the phone may be somebody else.
"""

from __future__ import annotations

from services.channels.messages.fitting import plain_signs, tidy
from services.channels.messages.frames import language_of_lines, lines_for
from services.channels.model.outbound import Outbound
from services.shared.crypto.one_time_codes import one_time_code
from services.shared.crypto.signing import Signer
from services.shared.errors import Broken
from services.shared.ledger.params import Notice
from services.shared.ledger.tables import Delivery
from services.shared.people import languages

PAGES = {
    "approve": "/preview",
    "alone": "",
    "preapproval_used": "",
    "team_cannot": "#teams",
}  # of a warning, where a message leads; cases else


class Notices:
    """Makes them; one per process."""

    def __init__(self, signer: Signer, public_url: str, authority: str, hotline: str, drill: bool) -> None:
        self._signer = signer
        self._public_url = public_url
        self._authority = authority or "Tocsin"
        self._hotline = hotline
        self._drill = drill

    def outbound(self, row: Delivery, to: str, seconds_left: int, speaks: tuple[str, ...] = ()) -> Outbound:
        """The message of a notice or link test that names no warning, in a language that the channel's voice `speaks` (all where
        it is empty); Broken where its kind is not known."""
        wanted = ";".join(tag for tag in languages.in_order(row.language) if languages.spoken(tag, speaks))
        lines = lines_for(wanted)
        notice = row.params if isinstance(row.params, Notice) else Notice("channel_test")
        kind, params = notice.notice, notice.words
        pattern = lines.notices.get(kind)
        if pattern is None:
            raise Broken(f"notice {row.delivery_id} is of no kind known here")
        link = f"{self._public_url}/me"
        if "about" in params:
            page = PAGES.get(kind, "/cases")
            link = f"{self._public_url}/live/{params['about']}{page}"
        if kind.startswith("alarm"):
            link = f"{self._public_url}/console"
        if kind == "supporter_invitation":
            link += f"/helper/{self._signer.token('helper', row.addressee_id)}"
        if kind == "registered_for_you":
            link = f"{self._public_url}/register/told/{self._signer.token('told', row.addressee_id)}"
        source = f"{lines.drill} {self._authority}" if self._drill else self._authority
        code = one_time_code(self._signer, row.delivery_id) if kind == "one_time_code" else ""
        words = params.get("text", "")  # an officer's own, to who asked
        number = params.get("number", "")
        text = tidy(
            pattern.format(source=source, number=number, link=link, code=code, hotline=self._hotline, text=words)
        )
        text = plain_signs(text)
        spoken = tidy(
            pattern.format(
                source=source, number=number, link="", code=" ".join(code), hotline=self._hotline, text=words
            )
        )
        return Outbound(
            delivery_id=row.delivery_id, warning_id="", channel=row.channel, to=to, text=text, spoken=spoken, subject=source,
            language=language_of_lines(wanted), link=link, seconds_left=seconds_left,
        )  # fmt: skip
