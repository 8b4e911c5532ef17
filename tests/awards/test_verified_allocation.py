"""The verifier's own arithmetic of the awards against the portal's, over random problems of every policy and limit."""

from __future__ import annotations

import os
import random
from decimal import Decimal
from typing import Any

import pytest

from portal.awards.allocation.policies import FIELDS, UNITS, Allocation, Candidate, Limit, Policy, Problem, allocate
from tests.factories.proof import verify

CASES = 200 if os.environ.get("FULL") else 8
YEARS = (2018, 2019, 2020)
TRACKS = ("export", "import")


def problem(chance: random.Random, policy: Policy) -> Problem:
    """Up to twelve candidates of two tracks for envelopes that are too small, with up to three limits."""
    candidates = []
    for place in range(1, chance.randint(1, 12) + 1):
        asked = {year: Decimal(chance.randint(0, 30)) for year in YEARS}
        if not any(asked.values()):
            asked[2018] = Decimal(5)
        least = {year: (amount / 2).quantize(Decimal("0.01")) for year, amount in asked.items()}
        candidates.append(
            Candidate(
                key=f"k{place:02}",
                number=f"N{place:02}",
                track=chance.choice(TRACKS),
                place=place,
                points=Decimal(chance.randint(6000, 6020)) / 100,
                asked=asked,
                least=least if chance.random() < 0.5 else None,
                organisations=frozenset(chance.sample(["o1", "o2", "o3"], chance.randint(1, 2))),
                region=chance.choice(["36", "77", ""]),
                cluster=chance.choice(["c1", "c2"]),
                categories=frozenset(chance.sample(["sme", "micro"], chance.randint(0, 2))),
            )
        )
    envelopes = {(track, year): Decimal(chance.randint(0, 50)) for track in TRACKS for year in YEARS}
    return Problem(tuple(candidates), envelopes, policy, tuple(_limits(chance)))


def _limits(chance: random.Random) -> list[Limit]:
    found = []
    for number in range(chance.randint(0, 3)):
        field, unit = chance.choice(FIELDS), chance.choice(UNITS)
        least = Decimal(chance.randint(0, 2 if unit == "projects" else 20)) if chance.random() < 0.3 else None
        most = Decimal(chance.randint(1, 3) if unit == "projects" else chance.randint(10, 60))
        value = "sme" if field == "sme" else chance.choice(["*", "36", "c1", "o1", "micro"])
        found.append(Limit(f"L{number}", field, value, least, most, unit, chance.choice(("", *TRACKS))))
    return found


def _asked(given: Problem) -> dict[str, Any]:
    plain = given.to_plain()
    return {
        "policy": given.policy.value,
        "candidates": plain["candidates"],
        "money": {(each["track"], str(each["year"])): verify.kopecks(each["amount"]) for each in plain["envelopes"]},
        "limits": plain["limits"],
    }


def _granted(asked: dict[str, Any], answer: Allocation) -> dict[int, dict[str, int]]:
    return {
        at: {str(year): int(amount * 100) for year, amount in answer.outcomes[each["key"]].granted.items()}
        for at, each in enumerate(asked["candidates"])
    }


@pytest.mark.parametrize("policy", [Policy.STRICT, Policy.SKIPPING, Policy.PARTIAL])
def test_walks_down_the_ranking_agree(policy: Policy) -> None:
    chance = random.Random(policy.value)
    for _ in range(5 * CASES):
        given = problem(chance, policy)
        asked = _asked(given)
        right = _granted(asked, allocate(given, compare=False, prices=False))
        assert verify.walked(asked) == {at: amounts for at, amounts in right.items() if amounts}


def test_the_best_total_is_confirmed_and_a_worse_one_is_not() -> None:
    chance = random.Random(20261126)
    for _ in range(CASES):
        given = problem(chance, Policy.BEST_TOTAL)
        asked = _asked(given)
        right = _granted(asked, allocate(given, compare=False, prices=False))
        report = verify.Report("en")
        verify.best(report, "allocation.json", asked, right)
        assert report.fresh == []
        winners = [at for at, amounts in right.items() if amounts]
        if winners:
            worse = {**right, winners[-1]: {}}
            _, within = verify.best(report, "allocation.json", asked, worse)
            assert any("best total" in line for line in report.fresh)
            # What the portal did not claim to be proven is no difference, and told.
            report.fresh = []
            verify.best(report, "allocation.json", asked, worse, within)
            assert (within > 0, [line for line in report.fresh if "best total" in line]) == (True, [])
