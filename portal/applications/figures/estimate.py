"""The arithmetic of the subsidy, line by line: what counts, what a cap cuts, what binds, how it is shared out.

Sums are roubles, exact to the kopeck. Without a circle:

* the *cap base* is the sum of all entered costs in reimbursable categories, before any cap;
* of a category with a cap at most ``cap % x cap base`` counts, of the others everything;
* *eligible costs* are the sum of what counts;
* what counts of a category is shared out among the participants, and of each among its years, in proportion to
  what was entered, rounded down to the kopeck; the kopecks left over go to the largest remainders, so that the
  shares add up exactly;
* the largest subsidy is the least of ``share % x eligible costs``, the limit of one project, and
  ``own funds / least own share``, rounded down to whole roubles, and shared out in whole roubles the same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from portal.applications.drafts.reading import added, mapping, parts, sums, total
from portal.core.figures import exact, two_places, whole_down
from portal.core.money import KOPECK, MAX_MONEY, ROUBLE, share_down
from portal.tenders.ruleset import RuleSet

SOURCES: Final = ("own", "loans", "idf_loan", "regional")
_HUNDRED: Final = Decimal(100)
_NOTHING: Final = Decimal(0)

ByYear = Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Line:
    """A category of costs of the whole project. ``cap`` is in percent, ``limit`` what it comes to in roubles."""

    code: str
    reimbursed: bool
    entered: Decimal
    counted: Decimal
    cap: Decimal | None = None
    limit: Decimal | None = None

    @property
    def cut(self) -> Decimal:
        """What was entered and does not count."""
        return self.entered - self.counted


@dataclass(frozen=True, slots=True)
class Limit:
    """One of the limits of the subsidy before rounding; ``code``: "share", "project" or "own"."""

    code: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Balance:
    """A year of one participant, or of the project; ``running`` adds up the differences to this year."""

    year: str
    costs: Decimal
    financing: Decimal
    subsidy: Decimal
    running: Decimal

    @property
    def difference(self) -> Decimal:
        """What financing and subsidy exceed the costs by; negative where they fall short."""
        return self.financing + self.subsidy - self.costs


@dataclass(frozen=True, slots=True)
class PartEstimate:
    """One participant: what was entered and what counts by category and year, its share of the largest subsidy.

    ``most_by_year`` spreads that share over the years as the participant's own request is spread, evenly while
    nothing is asked for.
    """

    id: str
    entered: Mapping[str, ByYear]
    counted: Mapping[str, ByYear]
    eligible: Decimal
    asked: ByYear
    most: Decimal
    most_by_year: ByYear
    years: tuple[Balance, ...]

    @property
    def costs_total(self) -> Decimal:
        return sum((balance.costs for balance in self.years), _NOTHING)

    @property
    def asked_total(self) -> Decimal:
        return sum(self.asked.values(), _NOTHING)

    @property
    def difference(self) -> Decimal:
        return self.years[-1].running if self.years else _NOTHING


@dataclass(frozen=True, slots=True)
class Estimate:
    """The whole project. ``maximum`` is None while no reimbursable costs are entered."""

    lines: tuple[Line, ...]
    base: Decimal
    eligible: Decimal
    own: Decimal | None
    limits: tuple[Limit, ...]
    maximum: Decimal | None
    asked: Decimal | None
    parts: tuple[PartEstimate, ...]
    years: tuple[Balance, ...]

    @property
    def entered(self) -> Decimal:
        """All costs, before any cap."""
        return sum((line.entered for line in self.lines), _NOTHING)

    @property
    def cut(self) -> Decimal:
        """What of the costs does not count."""
        return sum((line.cut for line in self.lines), _NOTHING)

    @property
    def binding(self) -> Limit | None:
        """The limit that decides; the first of several equal ones."""
        return min(self.limits, key=lambda limit: limit.amount) if self.limits else None

    @property
    def rounded_off(self) -> Decimal:
        """What rounding down to whole roubles takes away."""
        binding = self.binding
        return _NOTHING if binding is None or self.maximum is None else binding.amount - self.maximum

    @property
    def excess(self) -> Decimal | None:
        """How far the request is above the maximum; negative while there is room below it."""
        return None if self.asked is None or self.maximum is None else self.asked - self.maximum


class Costs:
    """The project's costs by category, what the caps leave of them, and the participants' shares of that."""

    def __init__(self, entered: Sequence[Mapping[str, Decimal]], rules: RuleSet) -> None:
        """``entered``: each participant's costs by category."""
        self.by_category = added(entered)
        reimbursed = {item.code: item for item in rules.categories if item.eligible}
        within = {code: amount for code, amount in self.by_category.items() if code in reimbursed}
        self.base = total(within)
        self.limits: dict[str, Decimal] = {}
        self.counted: dict[str, Decimal] = {}
        for code, amount in within.items():
            cap = reimbursed[code].cap
            if cap is not None:
                self.limits[code] = two_places((self.base or _NOTHING) * cap / _HUNDRED)
            self.counted[code] = min(amount, self.limits.get(code, amount))
        self.eligible = total(self.counted)
        self.shares = self._shares(entered)

    def _shares(self, entered: Sequence[Mapping[str, Decimal]]) -> list[dict[str, Decimal]]:
        shares: list[dict[str, Decimal]] = [
            {code: amount for code, amount in costs.items() if code in self.counted} for costs in entered
        ]
        for code, counted in self.counted.items():
            if counted == self.by_category[code]:
                continue
            holders = [held for held in shares if code in held]
            for held, amount in zip(holders, split(counted, [held[code] for held in holders]), strict=True):
                held[code] = amount
        return shares


def split(amount: Decimal, weights: Sequence[Decimal], unit: Decimal = KOPECK) -> list[Decimal]:
    """``amount`` in the proportion of ``weights``, exact to ``unit`` (:func:`portal.core.money.share_down`).

    Entries that no form would take (below zero, beyond all bounds) are split with plain rounding instead, so
    that a figure can be shown for them at all; without a weight everybody gets nothing.
    """
    whole = sum(weights, _NOTHING)
    if not whole:
        return [_NOTHING] * len(weights)
    if any(weight < 0 for weight in weights) or not 0 <= amount <= MAX_MONEY or amount % unit:
        return [two_places(amount * weight / whole) for weight in weights]
    return share_down(amount, weights, unit)


def subsidy_limits(eligible: Decimal, own: Decimal | None, rules: RuleSet) -> tuple[Limit, ...]:
    """Every limit of the subsidy, before rounding. ``own`` is None while no own funds are entered."""
    found = [Limit("share", eligible * rules.cap_share / _HUNDRED)]
    if rules.project_cap is not None:
        found.append(Limit("project", rules.project_cap))
    if own is not None and rules.own_share_of_subsidy > 0:
        found.append(Limit("own", own * _HUNDRED / rules.own_share_of_subsidy))
    return tuple(found)


def subsidy_max(limits: Iterable[Limit]) -> Decimal | None:
    """The largest subsidy in whole roubles, rounded down; None without a limit."""
    amounts = [limit.amount for limit in limits]
    return whole_down(min(amounts)) if amounts else None


def estimate(package: Mapping[str, Any], rules: RuleSet) -> Estimate:
    """The arithmetic of ``package`` under ``rules``; never fails on gaps or on values that are not numbers."""
    with exact():
        return _estimate([_Entered.of(part) for part in parts(package)], rules)


@dataclass(frozen=True, slots=True)
class _Entered:
    id: str
    costs: dict[str, dict[str, Decimal]]
    financing: dict[str, dict[str, Decimal]]
    subsidy: dict[str, Decimal]

    @classmethod
    def of(cls, part: Mapping[str, Any]) -> _Entered:
        costs = {code: sums(years) for code, years in mapping(part.get("costs")).items()}
        financing = {source: sums(years) for source, years in mapping(part.get("financing")).items()}
        return cls(
            id=str(part.get("id", "")),
            costs={code: years for code, years in costs.items() if years},
            financing={source: years for source, years in financing.items() if years and source in SOURCES},
            subsidy=sums(part.get("subsidy")),
        )

    def by_category(self) -> dict[str, Decimal]:
        return {code: sum(years.values(), _NOTHING) for code, years in self.costs.items()}


def _estimate(entered: Sequence[_Entered], rules: RuleSet) -> Estimate:
    costs = Costs([item.by_category() for item in entered], rules)
    own = [sum(item.financing["own"].values(), _NOTHING) for item in entered if "own" in item.financing]
    own_total = sum(own, _NOTHING) if own else None
    limits = () if costs.eligible is None else subsidy_limits(costs.eligible, own_total, rules)
    maximum = subsidy_max(limits)
    eligibles = [sum(held.values(), _NOTHING) for held in costs.shares]
    most = split(maximum or _NOTHING, eligibles, ROUBLE)
    found = tuple(
        _part(item, held, amount, rules) for item, held, amount in zip(entered, costs.shares, most, strict=True)
    )
    asked = [item.subsidy for item in entered if item.subsidy]
    return Estimate(
        lines=tuple(_lines(costs, rules)),
        base=costs.base or _NOTHING,
        eligible=costs.eligible or _NOTHING,
        own=own_total,
        limits=limits,
        maximum=maximum,
        asked=sum((sum(years.values(), _NOTHING) for years in asked), _NOTHING) if asked else None,
        parts=found,
        years=_balances([part.years for part in found]),
    )


def _lines(costs: Costs, rules: RuleSet) -> Iterable[Line]:
    for category in rules.categories:
        entered = costs.by_category.get(category.code)
        if entered is not None:
            counted = costs.counted.get(category.code, _NOTHING)
            limit = costs.limits.get(category.code)
            yield Line(category.code, category.eligible, entered, counted, category.cap, limit)


def _part(item: _Entered, held: Mapping[str, Decimal], most: Decimal, rules: RuleSet) -> PartEstimate:
    counted = {}
    for code, amount in held.items():
        years = item.costs[code]
        counted[code] = dict(zip(years, split(amount, list(years.values())), strict=True))
    spread = {year: amount for year, amount in item.subsidy.items() if amount > 0}
    if not spread:
        spread = {str(year): Decimal(1) for year in rules.years}
    return PartEstimate(
        id=item.id,
        entered=item.costs,
        counted=counted,
        eligible=sum(held.values(), _NOTHING),
        asked=item.subsidy,
        most=most,
        most_by_year=dict(zip(spread, split(most, list(spread.values()), ROUBLE), strict=True)),
        years=_years(item),
    )


def _years(item: _Entered) -> tuple[Balance, ...]:
    costs, financing = added(item.costs.values()), added(item.financing.values())
    found: list[Balance] = []
    running = _NOTHING
    for year in sorted({*costs, *financing, *item.subsidy}):
        sides = (costs.get(year, _NOTHING), financing.get(year, _NOTHING), item.subsidy.get(year, _NOTHING))
        running += sides[1] + sides[2] - sides[0]
        found.append(Balance(year, *sides, running))
    return tuple(found)


def _balances(tables: Iterable[Sequence[Balance]]) -> tuple[Balance, ...]:
    """The years of all participants added up."""
    by_year: dict[str, list[Balance]] = {}
    for table in tables:
        for balance in table:
            by_year.setdefault(balance.year, []).append(balance)
    found: list[Balance] = []
    running = _NOTHING
    for year, held in sorted(by_year.items()):
        costs = sum((each.costs for each in held), _NOTHING)
        financing = sum((each.financing for each in held), _NOTHING)
        subsidy = sum((each.subsidy for each in held), _NOTHING)
        running += financing + subsidy - costs
        found.append(Balance(year, costs, financing, subsidy, running))
    return tuple(found)
