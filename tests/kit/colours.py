"""Reckons how far two colours of a stylesheet stand off from one another."""

from __future__ import annotations

import re

TOKEN = re.compile(r"--([a-z-]+): (#[0-9a-f]{3,6})")
DARK = re.compile(r"@media screen and \(prefers-color-scheme: dark\) { :root {([^}]*)}")
LIGHT = re.compile(r"^:root {([^}]*)}", re.MULTILINE)


def schemes(styles: str) -> dict[str, dict[str, str]]:
    """'light' and 'dark' > name of a colour > #rgb or #rrggbb."""
    light, dark = LIGHT.search(styles), DARK.search(styles)
    assert light is not None
    assert dark is not None
    day = dict(TOKEN.findall(light[1]))
    return {"light": day, "dark": day | dict(TOKEN.findall(dark[1]))}


def contrast(one: str, other: str) -> float:
    """From 1 (the same) to 21 (black on white), as WCAG 2 reckons it."""
    lower, higher = sorted((_light(one), _light(other)))
    return (higher + 0.05) / (lower + 0.05)


def _light(colour: str) -> float:
    digits = colour.removeprefix("#")
    whole = "".join(2 * sign for sign in digits) if len(digits) == 3 else digits
    parts = [int(whole[n : n + 2], 16) / 255 for n in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
