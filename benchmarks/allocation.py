"""Allocating the envelopes: time, proven gap, prices. ``python -m benchmarks.allocation [projects ...]``."""

from __future__ import annotations

import os
import random
import sys
import time
from decimal import Decimal

from portal.awards.allocation import EACH, Candidate, Limit, Policy, Problem, allocate

TRACKS = ("export", "import_substitution")
YEARS = (2027, 2028, 2029)


def made_up(projects: int, seed: int = 1) -> Problem:
    """Two tracks of three years with money for about half of what is asked, and five limits of which some bind:
    one award for an organisation, SMEs' share, the share of a region, projects of a cluster, a remote region."""
    chance = random.Random(seed)
    candidates = []
    for number in range(projects):
        years = chance.choice(((2027,), (2027, 2028), (2028, 2029), YEARS, YEARS))
        total = chance.randint(40_000, 600_000)
        parts = [chance.random() + 0.2 for _ in years]
        asked = {
            year: Decimal(round(total * part / sum(parts)) * 1000) for year, part in zip(years, parts, strict=True)
        }
        region = f"r{min(int(chance.expovariate(0.25)), 40):02d}"
        candidates.append(
            Candidate(
                key=f"{number:05d}",
                number=f"JP-{number:05d}",
                track=TRACKS[number % 2],
                place=0,
                points=Decimal(chance.randint(4_000, 10_000)).scaleb(-2),
                asked=asked,
                organisations=frozenset({f"o{chance.randrange(projects * 3 // 2)}"}),
                region=region,
                cluster=f"c{chance.randrange(40):02d}",
                categories=frozenset({"sme"} if chance.random() < 0.2 else ()),
            )
        )
    return Problem(ranked(candidates), envelopes(candidates), Policy.BEST_TOTAL, limits(projects))


def ranked(candidates: list[Candidate]) -> tuple[Candidate, ...]:
    places = dict.fromkeys(TRACKS, 0)
    found = []
    for each in sorted(candidates, key=lambda one: (-one.points, one.number)):
        places[each.track] += 1
        found.append(
            Candidate(
                each.key, each.number, each.track, places[each.track], each.points, each.asked, None,
                each.organisations, each.region, each.cluster, each.categories,
            )
        )  # fmt: skip
    return tuple(found)


def envelopes(candidates: list[Candidate]) -> dict[tuple[str, int], Decimal]:
    return {
        (track, year): sum((each.asked.get(year, Decimal(0)) for each in candidates if each.track == track), Decimal(0))
        * 45
        // 100
        for track in TRACKS
        for year in YEARS
    }


def limits(projects: int) -> tuple[Limit, ...]:
    return (
        Limit("one-each", "organisation", EACH, most=Decimal(1)),
        Limit("sme", "sme", "", least=Decimal(18), unit="percent"),
        Limit("capital", "region", "r00", most=Decimal(15), unit="percent"),
        Limit("clusters", "cluster", EACH, most=Decimal(max(projects // 55, 2))),
        Limit("remote", "region", "r12", least=Decimal(max(projects // 150, 1))),
    )


def main() -> None:
    sizes = [int(each) for each in sys.argv[1:]] or [200, 1_000, 10_000]
    for projects in sizes:
        for seed in range(1, int(os.environ.get("SEEDS", "1")) + 1):
            measure(projects, seed)


def measure(projects: int, seed: int) -> None:
    problem = made_up(projects, seed)
    began, cpu = time.perf_counter(), time.process_time()
    found = allocate(
        problem, prices=bool(os.environ.get("PRICES")), seconds=float(os.environ.get("SECONDS_AT_MOST", "60"))
    )
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    print(f"{projects} projects, seed {seed}: {seconds:.1f} s ({cpu:.1f} s of one processor), gap {found.gap:.4%}")
    print(f"  proven {found.proven}, unique order settled {found.canonical}, ended by nodes {found.reproducible}")
    print(f"  {len(found.winners)} in, {found.objective} points; the rank order loses {found.order_loss}")
    for price in found.prices:
        print(f"  limit {price.code}: {price.low} to {price.high} points")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
