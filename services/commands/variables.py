"""Which TOCSIN_ variables there are, and the ones somebody set that are none: a setting that is misspelt is told."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator

from services.shared.settings import SECRETS_DIR, Environment

OURS = frozenset(
    {SECRETS_DIR, "TOCSIN_KEY", "TOCSIN_URL", "TOCSIN_LANG", "TOCSIN_UVLOOP", "TOCSIN_FAULT_AT"}
)  # read by name
TESTS = frozenset({"TOCSIN_CAP_CORPUS", "TOCSIN_TWILIO_SPEC"})


def known_variables() -> frozenset[str]:
    """Every variable some settings class of ours reads, of the channels that are loaded too."""
    from services.channels.providers.loading import find
    from services.gateway.accounts.openid import OpenIdSettings

    find()
    kinds: list[type[Environment]] = [*_kinds(Environment), OpenIdSettings]
    names = {
        (str(kind.model_config.get("env_prefix", "")) + name).upper() for kind in kinds for name in kind.model_fields
    }
    return frozenset(names) | OURS | TESTS


def _kinds(kind: type[Environment]) -> Iterator[type[Environment]]:
    for one in kind.__subclasses__():
        yield one
        yield from _kinds(one)


def unknown_variables() -> dict[str, str]:
    """A sentence for each TOCSIN_ variable that nothing of ours reads, with the one that was probably meant.

    Only the latter is a fault: a driver of somebody else may read what it likes.
    """
    known = known_variables()
    told = {}
    for name in sorted(n for n in os.environ if n.startswith("TOCSIN_") and n not in known):
        near = difflib.get_close_matches(name, known, 1, cutoff=0.8)
        told[name] = f"nothing of ours reads the variable {name}" + (f": did you mean {near[0]}?" if near else "")
    return told
