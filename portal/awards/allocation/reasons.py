"""Why a project is in or out under the best total, as codes and exact figures. Pure; decision 17."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from portal.awards.allocation.best_total import Found
from portal.awards.allocation.problem import PROJECTS, Outcome
from portal.awards.allocation.rank_order import limit_values
from portal.awards.allocation.relaxation import relaxed
from portal.awards.allocation.rows import Model, roubles_of

TRIED: Final = 200
"""Exchanges that are tried for one project that is out."""


def of_best(model: Model, found: Found) -> dict[int, Outcome]:
    """An outcome for every candidate. ``model``: the one that ``found`` was found under."""
    return _Reasons(model, found).all()


class _Reasons:
    def __init__(self, model: Model, found: Found) -> None:
        self.model = model
        self.found = found
        self.chosen = set(found.chosen)
        usable = [at for at in range(len(model.candidates)) if not self._alone(at)]
        self.relaxed = relaxed(model, usable, found.multipliers)
        self.used = [row.of(self.chosen) for row in model.rows]
        self.left = {
            at: row.most - used
            for at, (row, used) in enumerate(zip(model.rows, self.used, strict=True))
            if row.most is not None
        }
        self.by_points = sorted(self.chosen, key=lambda at: (model.points[at], at))

    def all(self) -> dict[int, Outcome]:
        return {at: self._in(at) if at in self.chosen else self._out(at) for at in range(len(self.model.candidates))}

    def _in(self, at: int) -> Outcome:
        candidate = self.model.candidates[at]
        granted = {year: amount for year, amount in sorted(candidate.asked.items()) if amount}
        worth = self._loss(at)
        values: dict[str, Any] = {"place": candidate.place}
        if worth > 0:
            return Outcome(granted, "needed", values | {"points": self.model.told(worth)})
        return Outcome(granted, "chosen", values)

    def _out(self, at: int) -> Outcome:
        never = self._alone(at)
        if never is not None:
            return Outcome({}, *never)
        candidate = self.model.candidates[at]
        short = self._short(at)
        values: dict[str, Any] = {"place": candidate.place} | short
        least, most = self._loss(at), self._exchange(at)
        values["cost"] = self.model.told(least)
        if most is not None:
            values["cost_most"] = self.model.told(max(most, least))
        return Outcome({}, "costs", values)

    def _loss(self, at: int) -> int:
        """Points that the best total loses at least when this candidate changes sides: from the exact bound."""
        bound = (self.relaxed.bound - abs(self.relaxed.reduced[at])) >> 60
        return max(self.found.value - bound, 0)

    def _exchange(self, at: int) -> int | None:
        """Points lost when it takes the place of the cheapest single project that makes room; None without.

        An upper bound of what taking it costs: the allocation after the exchange keeps every row.
        """
        gain = self.model.points[at]
        start = bisect_left(self.by_points, gain, key=lambda other: self.model.points[other])
        tried = islice(self.by_points, start, start + TRIED)
        return next((self.model.points[other] - gain for other in tried if self._keeps(at, other)), None)

    def _keeps(self, entering: int, leaving: int) -> bool:
        """Whether every row is kept when one leaves and the other enters."""
        change = dict(self.model.rows_of[entering])
        for row_at, take in self.model.rows_of[leaving]:
            change[row_at] = change.get(row_at, 0) - take
        for row_at, by in change.items():
            least = self.model.rows[row_at].least
            if row_at in self.left and by > self.left[row_at]:
                return False
            if least is not None and by < 0 and self.used[row_at] + by < least:
                return False
        return True

    def _short(self, at: int) -> dict[str, Any]:
        """The envelope or limit that it breaks beside the chosen; empty when only a minimum keeps it out."""
        for row_at, take in self.model.rows_of[at]:
            if take > self.left.get(row_at, take):
                row = self.model.rows[row_at]
                if row.code:
                    return limit_values(row)
                return {"year": row.year, "asked": roubles_of(take), "left": roubles_of(self.left[row_at])}
        return {}

    def _alone(self, at: int) -> tuple[str, Mapping[str, Any]] | None:
        """Why it would not fit even alone."""
        for row_at, take in self.model.rows_of[at]:
            row = self.model.rows[row_at]
            if row.most is not None and take > row.most:
                if row.code:
                    most = Decimal(row.most) if row.unit == PROJECTS else roubles_of(row.most)
                    return "never_limit", {"limit": row.code, "value": row.value, "most": most, "unit": row.unit}
                return "never", {"year": row.year, "asked": roubles_of(take), "envelope": roubles_of(row.most)}
        return None
