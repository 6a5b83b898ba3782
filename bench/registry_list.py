"""A made-up list of any length for the register's bench: households over one degree by one, numbers that are valid."""

from __future__ import annotations

import random
from pathlib import Path

HEADER = (
    "id,household,name,birth_year,see,hear,walk,lives_alone,languages,power_device,mobile,landline,lat,lon,address,zone,"
    "grid,walk_seq,floor,lift\n"
)
WEST, SOUTH = 103.0, 30.0


def write_list(path: Path, people: int, seed: int = 1) -> None:
    """Writes the CSV; about a quarter has a need, a quarter a landline beside the mobile, 2.5 people live in a home."""
    rng = random.Random(seed)
    home, left, lat, lon = 0, 0, 0.0, 0.0
    with path.open("w", encoding="utf-8") as file:
        file.write(HEADER)
        for n in range(people):
            if not left:
                home, left = home + 1, rng.choice((1, 2, 2, 3, 3, 4))
                lat, lon = SOUTH + rng.random(), WEST + rng.random()
            left -= 1
            dice = rng.random()
            file.write(
                f"{n},{home},Ms {n},{1930 + n % 85},{4 if dice < 0.02 else 1},{(4 if dice > 0.97 else 1)},"
                f"{3 if 0.1 < dice < 0.2 else ''},{'yes' if 0.3 < dice < 0.36 else 'no'},{'ne' if 0.4 < dice < 0.43 else 'zh'},"
                f"{'oxygen' if 0.5 < dice < 0.51 else ''},{'' if 0.6 < dice < 0.61 else f'138{n % 10**8:08d}'},"
                f"{f'0288555{n % 10000:04d}' if n % 4 == 0 else ''},{lat:.6f},{lon:.6f},{home} River Lane,Z{home % 40},"
                f"G{home % 400},{home % 1000},{n % 7},{'yes' if home % 3 == 0 else ''}\n"
            )
