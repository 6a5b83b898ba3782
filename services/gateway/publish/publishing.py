"""Publishes one signed CAP document for each released warning or ending."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import urlsplit

from services.gateway.cap import Alert, Info, Reference, sign, write
from services.gateway.publish.documents import Name, cap_document, ending_document
from services.gateway.store import Parts, Published, StoredWarning
from services.shared.errors import Broken, Refused
from services.shared.settings import Settings
from services.shared.tiers import Tier


class Publisher:
    """Broken at once where the signing key and its certificate are not a pair we can sign with."""

    def __init__(self, settings: Settings, public_url: str) -> None:
        self._sender = sender_of(settings, public_url)
        self._check = f"{settings.public_url}/public/check" if settings.public_url else ""
        self._hotline = settings.hotline
        self._links = settings.links(public_url)
        self._pair = _pair(settings)

    def document(
        self, row: StoredWarning, tier: Tier, parts: Parts, replaced: Sequence[Published], now: float
    ) -> bytes:
        """The document of a row that is released now; `replaced` are the released rows it follows, which it names."""
        name = Name(
            sender=self._sender,
            identifier=identifier_of(row.warning_id),
            sent=_second(now),
            references=tuple(
                Reference(self._sender, identifier_of(one.warning_id), _second(one.released_at)) for one in replaced
            ),
            web=f"{self._check}?number={row.state_number}" if self._check else "",
            contact=self._hotline,
            links=self._links,
        )
        data = (ending_document if row.state_ending else cap_document)(row, tier, parts, name)
        return sign(data, *self._pair) if self._pair else data


def sender_of(settings: Settings, public_url: str) -> str:
    """Who we are in CAP."""
    return settings.cap_sender or f"tocsin@{urlsplit(public_url).netloc}"


def identifier_of(warning_id: str) -> str:
    """The identifier of what we publish about a warning."""
    return f"tocsin-{warning_id}"


def _second(when: float) -> datetime:
    return datetime.fromtimestamp(int(when), UTC)


def _pair(settings: Settings) -> tuple[bytes, bytes] | None:
    key, cert = settings.cap_sign_key, settings.cap_sign_cert
    if key is None and cert is None:
        return None
    if key is None or cert is None:
        raise Broken("TOCSIN_CAP_SIGN_KEY and TOCSIN_CAP_SIGN_CERT belong together: give both, or neither")
    trial = Alert(
        identifier="trial", sender="tocsin", sent=datetime(2026, 1, 1, tzinfo=UTC), status="System", msg_type="Alert",
        scope="Public", infos=(Info("en", ("Other",), "trial"),),
    )  # fmt: skip
    try:
        pair = key.read_bytes(), cert.read_bytes()
        sign(write(trial), *pair)
    except (OSError, ValueError, TypeError, Refused) as problem:
        raise Broken(f"TOCSIN_CAP_SIGN_KEY, TOCSIN_CAP_SIGN_CERT: {problem}") from problem
    return pair
