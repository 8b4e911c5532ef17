"""Assigning reviewers: time, gap, conflicts and loads. ``python -m benchmarks.assignment [applications]``."""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from uuid import UUID

from portal.review.assignment import Expert, Inputs, Need, Plan, Project
from portal.review.assignment_flow import solve

LANES = {"technical": 2, "financial": 2, "legal": 1}


def made_up(applications: int = 1_000, reviewers: int = 100, clusters: int = 50, seed: int = 1) -> Inputs:
    """A tender as large as asked: reviewers of one to two lanes with one to three fields of work, 4 % of pairs in
    conflict, 3 % of the reviewers away, and limits that leave a fifth of air."""
    chance = random.Random(seed)
    kinds = [f"{chance.randint(10, 33)}{chance.randint(1, 9)}{chance.randint(1, 9)}" for _ in range(120)]
    places = [UUID(int=chance.getrandbits(128)) for _ in range(clusters)]
    projects = [
        Project(
            UUID(int=chance.getrandbits(128)),
            chance.choice(places),
            frozenset(chance.sample(kinds, 2)),
            chance.random() < 0.4,
        )
        for _ in range(applications)
    ]
    limit = -(-applications * sum(LANES.values()) * 12 // (reviewers * 10))
    experts = [
        Expert(
            UUID(int=chance.getrandbits(128)),
            frozenset(kind[: chance.choice((2, 3, 4))] for kind in chance.sample(kinds, chance.randint(0, 3))),
            frozenset({list(LANES)[number % 3], chance.choice(list(LANES))}),
            frozenset({"ru", "en"} if chance.random() < 0.4 else {"ru"}),
            limit=limit + chance.randint(-5, 5),
            absent=chance.random() < 0.03,
        )
        for number in range(reviewers)
    ]
    barred = frozenset((expert.id, project.id) for expert in experts for project in projects if chance.random() < 0.04)
    needs = [Need(project.id, lane, count) for project in projects for lane, count in LANES.items()]
    return Inputs(experts, projects, needs, barred)


def main() -> None:
    applications = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    inputs = made_up(applications)
    began = time.perf_counter()
    plan: Plan = solve(inputs)
    seconds = time.perf_counter() - began
    loads = Counter(choice.expert for choice in plan.choices)
    conflicts = sum((choice.expert, choice.project) in inputs.barred for choice in plan.choices)
    over = sum(loads[expert.id] + expert.load > expert.limit for expert in inputs.experts)
    fits = [choice.fit for choice in plan.choices]
    print(f"applications {len(inputs.projects)}, reviewers {len(inputs.experts)}, lanes {len(LANES)}")
    print(f"assigned {len(plan.choices)} of {sum(need.count for need in inputs.needs)}, {seconds:.1f} s")
    print(f"rounds {plan.rounds}, gap {plan.gap:.4%}, cost {plan.cost}, mean fit {sum(fits) / max(len(fits), 1):.1f}")
    print(f"conflicts {conflicts}, over load {over}, cannot be satisfied {sum(s.count for s in plan.shortages)}")


if __name__ == "__main__":
    main()
