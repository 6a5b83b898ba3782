"""How fast the policy plans: a made-up population of profiles, every person looked at, nobody written to.

python -m bench.policy [PEOPLE]
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator

from msgspec.structs import replace

from services.commands.example_people import made_up
from services.router.explaining.explain import WORKING
from services.router.explaining.foresee import Demand, made_up_warning, over_people
from services.router.planning.contexts import SHIPPED
from services.router.policy.engine import Policy, read
from services.shared.messages import Profile
from services.shared.tiers import Tier

KINDS = (("sms", "voice_mobile"), ("sms",), ("voice_landline",), ("voice_mobile", "sms", "email"), ("email",), ())


def profiles(policy: Policy, count: int, seed: int = 1) -> list[Profile]:
    """Distinct profiles: a few groups each, some contacts, sometimes a helper."""
    rng = random.Random(seed)
    names = [g for g in policy.groups if g not in ("general", "facility")]
    found = []
    for n in range(count):
        groups = [g for g in names if rng.random() < 0.08]
        helper = (("supporter", "supporter_inside")[rng.random() < 0.5],) if rng.random() < 0.3 else ()
        found.append(replace(made_up(groups, (*KINDS[n % len(KINDS)], *helper)), key=str(n)))
    return found


def plan(policy: Policy, people: int, different: int = 600, seed: int = 1) -> tuple[Demand, float]:
    """The demand of so many people in red at night, and the CPU seconds it took."""
    known = profiles(policy, different, seed)
    rng = random.Random(seed + 1)
    who = [known[int(different * rng.random() ** 2)] for _ in range(people)]

    def one_by_one() -> Iterator[tuple[Profile, int]]:
        for profile in who:
            yield profile, 1

    begun = time.process_time()
    demand = over_people(made_up_warning(policy, Tier.RED, "flash_flood", 120, WORKING), one_by_one())
    return demand, time.process_time() - begun


def main() -> int:
    """Prints people, seconds of CPU and a million's worth; 1 where that is more than ten seconds."""
    people = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    demand, seconds = plan(read(SHIPPED.read_text(encoding="utf-8")), people)
    doors = sum(demand.doors_by_hour.values())
    said = f"{demand.people} people planned in {seconds:.2f} s of CPU: {doors} doors, {demand.no_channel} without a channel"
    sys.stdout.write(f"{said}\n")
    return 0 if seconds * 1_000_000 / people < 10 else 1


if __name__ == "__main__":
    sys.exit(main())
