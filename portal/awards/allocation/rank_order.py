"""The three policies that walk the ranking: strict, skipping, partial. Pure; decision 17.

Candidates are met in canonical order. Upper limits pass a candidate over; lack of money ends its track under the strict
order, passes it over under the other two, or gives it a part when its initiator agreed to one. Minimums cannot be
steered by walking; they are only reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from portal.awards.allocation.problem import PROJECTS, Candidate, Outcome, Policy
from portal.awards.allocation.rows import Model, Row, kopecks, roubles_of


def walk(model: Model, policy: Policy) -> dict[int, Outcome]:
    """The outcome of every candidate, by its index in ``model.candidates``."""
    walker = _Walk(model, policy)
    return {at: walker.meet(at) for at in range(len(model.candidates))}


class _Walk:
    def __init__(self, model: Model, policy: Policy) -> None:
        self.model = model
        self.policy = policy
        self.left = {at: row.most for at, row in enumerate(model.rows) if row.most is not None}
        self.ended: dict[str, str] = {}

    def meet(self, at: int) -> Outcome:
        candidate = self.model.candidates[at]
        if candidate.track in self.ended:
            return Outcome({}, "after", {"other": self.ended[candidate.track]})
        short = [row for row, take in self.model.rows_of[at] if take > self.left.get(row, take)]
        limits = [self.model.rows[row] for row in short if self.model.rows[row].code]
        if not short:
            return self._take(at, {year: amount for year, amount in candidate.asked.items() if amount}, "whole")
        if self.policy is Policy.PARTIAL and candidate.least is not None and not _counts(limits):
            part = self._part(at, candidate, candidate.least)
            if part is not None:
                return self._take(at, part, "part")
        if limits:
            return Outcome({}, "limit", limit_values(limits[0]))
        if self.policy is Policy.STRICT:
            self.ended[candidate.track] = candidate.number
        return Outcome({}, "year", self._year(short[0], candidate))

    def _take(self, at: int, granted: Mapping[int, Decimal], code: str) -> Outcome:
        candidate = self.model.candidates[at]
        total = sum(kopecks(amount) for amount in granted.values())
        for row_at, _ in self.model.rows_of[at]:
            row = self.model.rows[row_at]
            if row_at in self.left:
                taken = kopecks(granted.get(row.year, Decimal(0))) if not row.code else total
                self.left[row_at] -= 1 if row.unit == PROJECTS else taken
        values = {"place": candidate.place}
        return Outcome(dict(sorted(granted.items())), code, values)

    def _part(self, at: int, candidate: Candidate, least: Mapping[int, Decimal]) -> dict[int, Decimal] | None:
        """As much of each year as is left; what a limit in roubles forbids is cut from the last years first."""
        rows = [(self.model.rows[row], self.left[row]) for row, _ in self.model.rows_of[at] if row in self.left]
        years = {row.year: left for row, left in rows if not row.code}
        part = {year: min(kopecks(amount), years[year]) for year, amount in candidate.asked.items() if amount}
        floors = {year: kopecks(least.get(year, Decimal(0))) for year in part}
        room = [left for row, left in rows if row.code and row.unit != PROJECTS]
        over = max(sum(part.values()) - min(room), 0) if room else 0
        for year in sorted(part, reverse=True):
            cut = min(over, max(part[year] - floors[year], 0))
            part[year] -= cut
            over -= cut
        if over or any(part[year] < floors[year] for year in part) or not sum(part.values()):
            return None
        return {year: roubles_of(amount) for year, amount in part.items() if amount}

    def _year(self, at: int, candidate: Candidate) -> dict[str, Any]:
        year = self.model.rows[at].year
        return {"year": year, "asked": candidate.asked[year], "left": roubles_of(self.left[at])}


def limit_values(row: Row) -> dict[str, Any]:
    """What a reason says of the limit that a row stands for."""
    assert row.most is not None
    most = Decimal(row.most) if row.unit == PROJECTS else roubles_of(row.most)
    return {"limit": row.code, "value": row.value, "most": most, "unit": row.unit}


def _counts(rows: list[Row]) -> bool:
    """Whether a limit on the number of projects is among them: no part of the money helps there."""
    return any(row.unit == PROJECTS for row in rows)
