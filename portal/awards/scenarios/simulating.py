"""Rank acceptability of a scenario: the question made of its ground, answered at once or, when large, by a job.

The arithmetic is in :mod:`portal.awards.scenarios.acceptability`, which needs numpy: web processes load it when a
page asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from functools import cached_property, lru_cache
from math import isnan
from typing import Any, Final
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from portal.awards.allocation.problem import Limit, Policy, Problem
from portal.awards.scenarios.changes import ZERO, Changes, Ground, limits_in, policy_of, read_changes
from portal.awards.scenarios.models import RankAcceptability
from portal.awards.scenarios.outcome import problem_of
from portal.awards.scenarios.queries import room, standing
from portal.core import jobs
from portal.core.canonical import digest
from portal.identity.policy import Permission, system_actor
from portal.scoring.evaluation import Place
from portal.scoring.ranking import Entry, rank

ACTOR: Final = system_actor("scenarios")
KIND: Final = "rank_acceptability"
DRAWS: Final = 2_000
SEED: Final = 20_180_910
AT_ONCE: Final = 400
"""More applications than these are simulated in the background."""
BEST_DRAWS: Final = 200
BEST_MOST: Final = 60
"""Each draw is a search of its own under the best total: fewer draws, and of no more applications than this."""
REACHES: Final = (3, 5, 10)
"""How many points each weight may differ; besides, all weights there are."""


@dataclass(frozen=True)
class Row:
    """An application: how often (of all draws) in each band of places and with money, mean place, central weights."""

    number: str
    ranks: tuple[int, ...]
    funded: int
    mean: Decimal
    central: tuple[Decimal, ...] | None


@dataclass(frozen=True)
class Simulated:
    """The answer, in the order of the mean places. ``criteria``: codes in the order of the central weights."""

    digest: str
    draws: int
    bands: Sequence[tuple[int, int]]
    criteria: Sequence[str]
    rows: Sequence[Row]

    def to_json(self) -> dict[str, Any]:
        return {
            "draws": self.draws,
            "bands": [list(band) for band in self.bands],
            "criteria": list(self.criteria),
            "rows": [
                {
                    "number": row.number,
                    "ranks": list(row.ranks),
                    "funded": row.funded,
                    "mean": str(row.mean),
                    "central": None if row.central is None else [str(weight) for weight in row.central],
                }
                for row in self.rows
            ],
        }


@dataclass(frozen=True, eq=False)
class Asked:
    """A question, n applications in the order of the tie rules. ``points``: n x criteria; ``passed``: whether all but
    the threshold is met; ``problem``: how the money is given out to those of ``numbers`` that ask for some, all years
    of ``years``; ``nothing``: whether who asks for nothing counts as funded; ``draws``: how many. ``digest`` covers
    all of it, and equal questions are equal."""

    numbers: tuple[str, ...]
    criteria: tuple[str, ...]
    points: tuple[tuple[Decimal, ...], ...]
    weights: tuple[Decimal, ...]
    reach: int | None
    least: Decimal
    passed: tuple[bool, ...]
    years: tuple[int, ...]
    problem: Problem
    nothing: bool
    draws: int

    @cached_property
    def digest(self) -> str:
        plain = {each.name: getattr(self, each.name) for each in fields(self)}
        return digest(plain | {"problem": self.problem.digest, "seed": SEED})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Asked) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    @property
    def at_once(self) -> bool:
        """Whether a page can wait for the answer."""
        return self.problem.policy is not Policy.BEST_TOTAL and len(self.numbers) <= AT_ONCE


def question(ground: Ground, changes: Changes, reach: int | None) -> Asked | None:
    """What to simulate; None where no application has all its points. Those whose reviews are open are left out."""
    rules = ground.rules
    codes = tuple(each.code for each in rules.criteria)
    weights = {each.code: changes.weights.get(each.code, each.weight) for each in rules.criteria}
    points: dict[str, tuple[Decimal, ...]] = {}
    entries = []
    for project in ground.projects:
        supposed = changes.scores.get(project.number, {})
        row = [
            supposed[code].points if code in supposed else line.points if (line := project.lines.get(code)) else None
            for code in codes
        ]
        known = tuple(value for value in row if value is not None)
        if len(known) == len(codes):
            points[project.number] = known
            entries.append(
                Entry(
                    application_id=project.application_id,
                    number=project.number,
                    total=ZERO,
                    amounts=project.amounts,
                    hpj=project.hpj,
                    registered_at=project.registered_at,
                    recommended=True,
                    lot=project.lot,
                )
            )
    if not entries:
        return None
    # With equal totals the ranking is that of the tie rules.
    ranked = rank(entries, rules)
    numbers = tuple(each.entry.number for each in ranked)
    policy, limits = terms(ground, changes, len(numbers))
    return Asked(
        numbers=numbers,
        criteria=codes,
        points=tuple(points[number] for number in numbers),
        weights=tuple(weights[code] for code in codes),
        reach=reach,
        least=rules.threshold if changes.threshold is None else changes.threshold,
        passed=tuple(all(answer is True for answer, _ in ground.numbers[number].gates) for number in numbers),
        years=ground.years,
        problem=problem_of(ground, policy, limits, ranked, {**ground.available, **changes.available}),
        nothing=policy is Policy.STRICT and not limits,
        draws=BEST_DRAWS if policy is Policy.BEST_TOTAL else DRAWS,
    )


def terms(ground: Ground, changes: Changes, count: int) -> tuple[Policy, tuple[Limit, ...]]:
    """How the money is given out in each draw: as by the rules or the scenario, but for a best total of too many."""
    policy = changes.policy or policy_of(ground.rules)
    simulated = Policy.SKIPPING if policy is Policy.BEST_TOTAL and count > BEST_MOST else policy
    return simulated, limits_in(ground, changes)


@lru_cache(maxsize=32)
def answer(asked: Asked) -> Simulated:
    """Simulate, or the same answer again: it is kept in the process for equal questions."""
    return simulated(asked)


def simulated(asked: Asked) -> Simulated:
    """Draw weights, rank and fund, and count."""
    from portal.awards.scenarios.acceptability import simulate, stated

    found = simulate(stated(asked), asked.draws, SEED)
    rows = [
        Row(
            number=number,
            ranks=tuple(int(count) for count in found.ranks[place]),
            funded=int(found.funded[place]),
            mean=Decimal(f"{found.mean[place]:.2f}"),
            central=None
            if isnan(found.first[place, 0])
            else tuple(Decimal(f"{weight:.1f}") for weight in found.first[place]),
        )
        for place, number in enumerate(asked.numbers)
    ]
    ordered = sorted(rows, key=lambda row: (row.mean, row.number))
    return Simulated(asked.digest, found.draws, found.bands, asked.criteria, ordered)


def read(key: str, data: Mapping[str, Any]) -> Simulated:
    """An answer that a job has kept."""
    rows = [
        Row(
            number=row["number"],
            ranks=tuple(row["ranks"]),
            funded=row["funded"],
            mean=Decimal(row["mean"]),
            central=None if row["central"] is None else tuple(Decimal(weight) for weight in row["central"]),
        )
        for row in data["rows"]
    ]
    bands = [(low, high) for low, high in data["bands"]]
    return Simulated(key, data["draws"], bands, tuple(data["criteria"]), rows)


def found(session: Session, asked: Asked) -> Simulated | None:
    """The answer at once, or the one that a job has kept; None where a job has to be asked for."""
    if asked.at_once:
        return answer(asked)
    row = session.get(RankAcceptability, asked.digest)
    return None if row is None else read(row.digest, row.result)


def ask(session: Session, place: Place, changes: Changes, reach: int | None) -> None:
    """Have a large question answered in the background; the caller authorises."""
    held = standing(session, place)
    asked = None if held is None else question(held.ground, changes, reach)
    if asked is None or found(session, asked) is not None:
        return
    payload = {"track_id": str(place.id), "changes": changes.to_json(), "reach": reach}
    jobs.enqueue(session, KIND, payload)


def run(session: Session, payload: Mapping[str, Any]) -> None:
    """Answer a question that was asked for, on what holds now, and keep the answer."""
    place = room(session, ACTOR, UUID(payload["track_id"]), Permission.SCENARIO_VIEW)
    held = standing(session, place)
    asked = None if held is None else question(held.ground, read_changes(payload["changes"]), payload["reach"])
    if asked is None:
        return
    told = simulated(asked)
    statement = insert(RankAcceptability).values(digest=asked.digest, result=told.to_json())
    session.execute(statement.on_conflict_do_nothing())
