"""How long a scenario over a whole track takes: the list that would follow, the difference, and the simulation.

``python -m benchmarks.scenarios [applications]`` (1,000) prints the best of five of each. Nothing but arithmetic: pages
read the scores of the run besides.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from portal.awards.scenarios.changes import Changes, Ground, Project, Scored, difference, read_result
from portal.awards.scenarios.outcome import follow, weigh
from portal.awards.scenarios.simulating import question, simulated
from portal.tenders.rulebook import load_rulebook

RUNS: Final = 5


def ground(count: int) -> Ground:
    """Applications with random points that ask for a hundredth of the money each, so that about a tenth gets some."""
    rules, chance = load_rulebook("import_substitution"), random.Random(1)
    weights = {each.code: each.weight for each in rules.criteria}
    projects = []
    for number in range(count):
        points = {code: Decimal(chance.randrange(40_000, 100_000)) / 10_000 for code in weights}
        projects.append(
            Project(
                application_id=f"{number:032x}",
                number=f"JP-2018-IS-{number:05}",
                lines={code: Scored(points[code], weigh(weights[code], points[code])) for code in weights},
                gates=((True, None), (True, None)),
                amounts={year: Decimal(chance.randrange(1, 100)) * 1_000_000 for year in rules.years},
                hpj=chance.randrange(1, 400),
                registered_at=datetime(2018, 8, 1, tzinfo=UTC) + timedelta(minutes=number),
                sheet=f"{number:064x}",
            )
        )
    return Ground(rules, "0" * 64, "0" * 64, {year: Decimal(count) * 5_000_000 for year in rules.years}, projects)


def timed(what: str, work: Callable[[], object]) -> None:
    best = min(_seconds(work) for _ in range(RUNS))
    print(f"{what:<46} {best * 1000:8.1f} ms")


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main(count: int) -> None:
    held = ground(count)
    weights = {each.code: each.weight for each in held.rules.criteria}
    first, second = list(weights)[:2]
    changes = Changes(weights=weights | {first: weights[first] - 5, second: weights[second] + 5})
    present, other = follow(held), follow(held, changes)
    asked = question(held, changes, 5)
    assert asked is not None
    print(f"{count} applications, {len(weights)} criteria")
    timed("digest of what it stands on", lambda: replace(held).digest)
    timed("a scenario: totals, ranking, list", lambda: follow(held, changes))
    timed("its digest", lambda: read_result(other.to_json()).digest)
    timed("difference of two lists", lambda: difference(present, other))
    timed("2,000 draws of weights, ranked and funded", lambda: simulated(asked))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)
