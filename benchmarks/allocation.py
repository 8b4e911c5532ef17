"""Allocating the envelopes: time, proven gap, prices, memory. ``python -m benchmarks.allocation [projects ...]``.

``SEEDS=3`` for more of each size, ``KINDS=usual`` for one kind, ``PRICES=1`` with the prices of limits as in the job.
"""

from __future__ import annotations

import os
import random
import resource
import sys
import time
from decimal import Decimal

from portal.awards.allocation.policies import EACH, Candidate, Limit, Policy, Problem, allocate

TRACKS = ("export", "import_substitution")
YEARS = (2027, 2028, 2029)


def made_up(projects: int, seed: int = 1, kind: str = "usual") -> Problem:
    """Two tracks of three years with money for 45 % of what is asked: asks of 30 to 500 million roubles, mostly near
    100, over one to three years; scores of 40 to 95 with two decimals; one to three organisations.

    Limits of ``usual``: one award for an organisation, 20 % of the money for SMEs (a quarter of the projects), at most
    20 % of it for any region (a quarter of the projects is from one), at most 5 % of the projects for a cluster (the
    largest has 10 %), some for a remote region. About half of them bind. ``tight``: nearly all of forty clusters are at
    their limit beside the limits on SMEs and on the capital, and sums and scores have nothing in common.
    """
    chance = random.Random(f"{kind} {projects} {seed}" if kind == "usual" else seed)
    one = _usual if kind == "usual" else _tight
    candidates = [one(chance, number, projects) for number in range(projects)]
    return Problem(
        ranked(candidates),
        envelopes(candidates),
        Policy.BEST_TOTAL,
        limits(projects) if kind == "usual" else tight_limits(projects),
    )


def _usual(chance: random.Random, number: int, projects: int) -> Candidate:
    years = chance.choice(((2027,), (2027, 2028), (2028, 2029), YEARS, YEARS))
    total = round(chance.triangular(30_000, 500_000, 90_000))
    partners = chance.choice((0, 0, 1, 1, 2))
    return Candidate(
        key=f"{number:05d}",
        number=f"JP-{number:05d}",
        track=TRACKS[number % 2],
        place=0,
        points=Decimal(round(min(max(chance.gauss(68, 11), 40), 95) * 100)).scaleb(-2),
        asked=_asked(chance, years, total),
        organisations=frozenset(
            {f"o{chance.randrange(projects)}", *(f"p{chance.randrange(4 * projects)}" for _ in range(partners))}
        ),
        region="r00" if chance.random() < 0.25 else f"r{chance.randint(1, 45):02d}",
        cluster=f"c{min(int(chance.expovariate(0.1)), 49):02d}",
        categories=frozenset({"sme"} if chance.random() < 0.25 else ()),
    )


def _tight(chance: random.Random, number: int, projects: int) -> Candidate:
    years = chance.choice(((2027,), (2027, 2028), (2028, 2029), YEARS, YEARS))
    total = chance.randint(40_000, 600_000)
    asked = _asked(chance, years, total)
    region = f"r{min(int(chance.expovariate(0.25)), 40):02d}"
    return Candidate(
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


def _asked(chance: random.Random, years: tuple[int, ...], total: int) -> dict[int, Decimal]:
    parts = [chance.random() + 0.2 for _ in years]
    return {year: Decimal(round(total * part / sum(parts)) * 1000) for year, part in zip(years, parts, strict=True)}


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


def tight_limits(projects: int) -> tuple[Limit, ...]:
    return (
        Limit("one-each", "organisation", EACH, most=Decimal(1)),
        Limit("sme", "sme", "", least=Decimal(18), unit="percent"),
        Limit("capital", "region", "r00", most=Decimal(15), unit="percent"),
        Limit("clusters", "cluster", EACH, most=Decimal(max(projects // 55, 2))),
        Limit("remote", "region", "r12", least=Decimal(max(projects // 150, 1))),
    )


def limits(projects: int) -> tuple[Limit, ...]:
    return (
        Limit("one-each", "organisation", EACH, most=Decimal(1)),
        Limit("sme", "sme", "", least=Decimal(20), unit="percent"),
        Limit("regions", "region", EACH, most=Decimal(20), unit="percent"),
        Limit("clusters", "cluster", EACH, most=Decimal(max(projects * 5 // 100, 2))),
        Limit("remote", "region", "r12", least=Decimal(max(projects // 120, 1))),
    )


def main() -> None:
    sizes = [int(each) for each in sys.argv[1:]] or [200, 1_000, 10_000]
    for projects in sizes:
        for seed in range(1, int(os.environ.get("SEEDS", "1")) + 1):
            for kind in os.environ.get("KINDS", "usual tight").split():
                measure(projects, seed, kind)


def measure(projects: int, seed: int, kind: str) -> None:
    problem = made_up(projects, seed, kind)
    began, cpu, helped = time.perf_counter(), time.process_time(), _children()
    found = allocate(
        problem, prices=bool(os.environ.get("PRICES")), seconds=float(os.environ.get("SECONDS_AT_MOST", "60"))
    )
    seconds, cpu, helped = time.perf_counter() - began, time.process_time() - cpu, _children() - helped
    ended = "all was seen" if found.proven else "work allowed was done" if found.reproducible else "the clock"
    print(f"{kind}, {projects} projects, seed {seed}: {seconds:.1f} s", end=" ")
    print(f"({cpu:.1f} s of one processor, {helped:.1f} s of a second)")
    print(f"  gap {found.gap:.4%}, proven {found.proven}, first of equals {found.canonical}, ended because {ended}")
    if found.dropped:
        print(f"  minimums that cannot be reached: {', '.join(found.dropped)}")
    print(f"  {len(found.winners)} in, {found.objective} points; the rank order loses {found.order_loss}")
    for price in found.prices:
        print(f"  limit {price.code}: {price.low} to {price.high} points")
    print(f"  {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB at most since the start")
    sys.stdout.flush()


def _children() -> float:
    """Seconds of a processor that processes took which this one has started and which have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
