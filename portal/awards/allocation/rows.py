"""A problem in whole numbers: steps of points, kopecks, and one row for each envelope and each limit. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from math import ceil, floor
from typing import TYPE_CHECKING

from portal.awards.allocation.problem import EACH, PROJECTS, ROUBLES, SME, Candidate, Limit, Problem, rank_order

if TYPE_CHECKING:  # pages walk rows too, and need not carry what the solver computes with
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Row:
    """``least <= sum of takes over the chosen members <= most``; kopecks or projects.

    ``code``: the limit's, "" for the envelope of ``track`` and ``year``; ``value``: the group it counts.
    """

    members: tuple[int, ...]
    takes: tuple[int, ...]
    least: int | None
    most: int | None
    code: str = ""
    value: str = ""
    track: str = ""
    year: int = 0
    unit: str = ROUBLES

    def of(self, chosen: Iterable[int]) -> int:
        taken = chosen if isinstance(chosen, Set) else set(chosen)
        return sum(take for member, take in zip(self.members, self.takes, strict=True) if member in taken)


class Model:
    """``candidates`` in canonical order; ``points``: whole steps of ``10 ** -places``."""

    def __init__(self, problem: Problem, without: str | None = None) -> None:
        self.problem = problem
        self.candidates: Sequence[Candidate] = sorted(problem.candidates, key=rank_order)
        self.places = max((_decimals(each.points) for each in self.candidates), default=0)
        self.points = [int(each.points.scaleb(self.places)) for each in self.candidates]
        self.limits = [limit for limit in problem.limits if limit.code != without]
        self.rows: list[Row] = [*self._envelopes(), *(row for limit in self.limits for row in self._limit(limit))]
        self._columns: dict[int, npt.NDArray[np.int64]] = {}
        self._counts: dict[int, bool] = {}

    @cached_property
    def rows_of(self) -> list[list[tuple[int, int]]]:
        """For each candidate the rows it lies in, with what it takes of each."""
        found: list[list[tuple[int, int]]] = [[] for _ in self.candidates]
        for at, row in enumerate(self.rows):
            for member, take in zip(row.members, row.takes, strict=True):
                found[member].append((at, take))
        return found

    @cached_property
    def all_points(self) -> npt.NDArray[np.int64]:
        """Of each candidate; the last is 0: nobody."""
        import numpy as np

        return np.array([*self.points, 0], dtype=np.int64)

    def column(self, row: int) -> npt.NDArray[np.int64]:
        """What each candidate takes of a row; the last is 0: nobody."""
        if row not in self._columns:
            import numpy as np

            self._columns[row] = np.zeros(len(self.candidates) + 1, dtype=np.int64)
            self._columns[row][list(self.rows[row].members)] = self.rows[row].takes
        return self._columns[row]

    def counts(self, row: int) -> bool:
        """Whether each member takes one of the row."""
        if row not in self._counts:
            self._counts[row] = set(self.rows[row].takes) == {1}
        return self._counts[row]

    def told(self, steps: int) -> Decimal:
        """Steps as points."""
        return Decimal(steps).scaleb(-self.places)

    def value(self, chosen: Iterable[int]) -> int:
        return sum(self.points[at] for at in chosen)

    def _envelopes(self) -> Iterable[Row]:
        years = {(each.track, year) for each in self.candidates for year, sum_ in each.asked.items() if sum_}
        for track, year in sorted(years | set(self.problem.envelopes)):
            members = [
                (at, kopecks(each.asked[year]))
                for at, each in enumerate(self.candidates)
                if each.track == track and each.asked.get(year)
            ]
            most = max(kopecks(self.problem.envelopes.get((track, year), Decimal(0))), 0)
            yield Row(*_columns(members), None, most, track=track, year=year)

    def _limit(self, limit: Limit) -> Iterable[Row]:
        inside = [at for at, each in enumerate(self.candidates) if limit.track in ("", each.track)]
        groups: dict[str, list[int]] = {}
        wanted = SME if limit.field == SME else limit.value
        for at in inside:
            for group in self.candidates[at].groups(limit.field):
                if wanted in (EACH, group):
                    groups.setdefault(group, []).append(at)
        if wanted != EACH:
            groups.setdefault(wanted, [])
        factor = self._factor(limit)
        for group, members in sorted(groups.items()):
            taken = [(at, 1 if limit.unit == PROJECTS else asked(self.candidates[at])) for at in members]
            yield Row(
                *_columns(taken),
                None if limit.least is None else ceil(Fraction(limit.least) * factor),
                None if limit.most is None else floor(Fraction(limit.most) * factor),
                code=limit.code,
                value=group,
                track=limit.track,
                unit=PROJECTS if limit.unit == PROJECTS else ROUBLES,
            )

    def _factor(self, limit: Limit) -> Fraction:
        """How many of a row's units one of the limit's is."""
        if limit.unit == PROJECTS:
            return Fraction(1)
        if limit.unit == ROUBLES:
            return Fraction(100)
        envelopes = self.problem.envelopes.items()
        whole = sum(kopecks(amount) for (track, _), amount in envelopes if limit.track in ("", track) and amount > 0)
        return Fraction(whole, 100)


def kopecks(amount: Decimal) -> int:
    """Roubles as kopecks; ValueError for a third decimal."""
    scaled = Fraction(amount) * 100
    if scaled.denominator != 1:
        raise ValueError("sums are in whole kopecks")
    return scaled.numerator


def asked(candidate: Candidate) -> int:
    """All that is asked for, kopecks."""
    return sum(kopecks(amount) for amount in candidate.asked.values())


def roubles_of(amount: int) -> Decimal:
    return Decimal(amount).scaleb(-2)


def _decimals(points: Decimal) -> int:
    exponent = points.normalize().as_tuple().exponent
    if not isinstance(exponent, int):
        raise ValueError("points are finite numbers")
    return max(-exponent, 0)


def _columns(members: Sequence[tuple[int, int]]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return tuple(at for at, _ in members), tuple(take for _, take in members)
