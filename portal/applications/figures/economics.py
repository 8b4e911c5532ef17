"""The project's economics from its tables: cash flow, present value, rate of return, payback, budget efficiency,
labour productivity; and how far what the applicant typed is from them.

Sums are roubles. Year 0 is the year of the first cost, or of an earlier receipt. Investments are all costs of the
participants' tables, the subsidy is what they request; the applicant enters sales, running costs and taxes.
Financing is no flow of the project. The formulas are those of :mod:`portal.core.finance`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from portal.applications.drafts.reading import added, mapping, parts, sums
from portal.applications.figures.grids import ADDED, PRODUCTIVITY_YEARS, TAXES
from portal.core import finance
from portal.core.figures import decimal_of, exact, int_of, two_places
from portal.tenders.ruleset import RuleSet

TARGETS: Final = tuple(Decimal(percent) for percent in (5, 10, 15, 30))
"""Growth of labour productivity, per cent: 5 a year, and of a participant of the national project 10, 15 and 30
after one, two and three years."""

_AFTER: Final = {1: Decimal(10), 2: Decimal(15), 3: Decimal(30)}
_NOTHING: Final = Decimal(0)
_HUNDRED: Final = Decimal(100)
# A typed figure is off when it is this far from the computed one.
_SHARE_OFF: Final = Decimal("0.01")
_ROUBLES_OFF: Final = Decimal(1000)
_POINTS_OFF: Final = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class Flow:
    """One year of the project, roubles. ``discounted`` and ``cumulative`` are None without a discount rate."""

    year: str
    receipts: Decimal
    subsidy: Decimal
    investments: Decimal
    running: Decimal
    taxes: Decimal
    discounted: Decimal | None = None
    cumulative: Decimal | None = None

    @property
    def own(self) -> Decimal:
        """The net flow as it would be without the subsidy."""
        return self.receipts - self.investments - self.running - self.taxes

    @property
    def net(self) -> Decimal:
        return self.own + self.subsidy


@dataclass(frozen=True, slots=True)
class Comparison:
    """A figure of the section "economics": as typed, and as the tables give it; ``unit``: roubles, percent, years.

    ``computed`` is None where the figure does not exist (no rate of return, never paid back).
    """

    name: str
    unit: str
    typed: Decimal | None
    computed: Decimal | None

    @property
    def differs(self) -> bool:
        """By more than 1 % and 1 000 roubles; of rates and years by more than 0.1. Nothing typed is no difference."""
        if self.typed is None:
            return False
        if self.computed is None:
            return True
        off = abs(self.typed - self.computed)
        if self.unit == "roubles":
            return off > max(abs(self.computed) * _SHARE_OFF, _ROUBLES_OFF)
        return off > _POINTS_OFF


@dataclass(frozen=True, slots=True)
class Economics:
    """What follows from the cash flow. ``rate`` is in percent; rates of return too, None for "no IRR".

    ``years``: of the term of the agreement, for which taxes and sales are added up.
    """

    flows: tuple[Flow, ...]
    rate: Decimal | None
    npv: Decimal | None
    npv_own: Decimal | None
    irr: Decimal | None
    irr_own: Decimal | None
    payback: Decimal | None
    years: tuple[str, ...]
    taxes: Decimal
    subsidy: Decimal
    efficiency: Decimal | None
    efficiency_discounted: Decimal | None
    comparisons: tuple[Comparison, ...]

    @property
    def differing(self) -> tuple[Comparison, ...]:
        return tuple(item for item in self.comparisons if item.differs)


def economics(package: Mapping[str, Any], rules: RuleSet) -> Economics | None:
    """The economics of ``package``; None while its cash flow is empty."""
    table = {row: sums(years) for row, years in mapping(package.get("cashflow")).items()}
    if not any(table.values()):
        return None
    with exact():
        return _economics(table, package, rules)


def _economics(table: Mapping[str, Mapping[str, Decimal]], package: Mapping[str, Any], rules: RuleSet) -> Economics:
    project = mapping(package.get("project"))
    rate = decimal_of(project.get("discount_rate"))
    fraction = None if rate is None or rate <= -_HUNDRED else rate / _HUNDRED
    flows = _discounted(_flows(table, package), fraction)
    net, own = [flow.net for flow in flows], [flow.own for flow in flows]
    years = _term(project, rules)
    within = [flow for flow in flows if flow.year in years]
    taxes = sum((flow.taxes for flow in within), _NOTHING)
    subsidy = sum((flow.subsidy for flow in flows), _NOTHING)
    sales = sum((amount for year, amount in table.get("sales", {}).items() if year in years), _NOTHING)
    npv = None if fraction is None else finance.npv(fraction, net)
    irr = _percent(finance.irr(net))
    payback = None if fraction is None else finance.discounted_payback(fraction, net)
    paid = [flow.taxes if flow.year in years else _NOTHING for flow in flows]
    given = [flow.subsidy for flow in flows]
    return Economics(
        flows=flows,
        rate=rate if fraction is not None else None,
        npv=npv,
        npv_own=None if fraction is None else finance.npv(fraction, own),
        irr=irr,
        irr_own=_percent(finance.irr(own)),
        payback=payback,
        years=years,
        taxes=taxes,
        subsidy=subsidy,
        efficiency=finance.budget_efficiency(paid, given),
        efficiency_discounted=None if fraction is None else finance.budget_efficiency(paid, given, fraction),
        comparisons=_compared(project, npv, irr, payback, taxes, sales),
    )


def _compared(
    project: Mapping[str, Any],
    npv: Decimal | None,
    irr: Decimal | None,
    payback: Decimal | None,
    taxes: Decimal,
    sales: Decimal,
) -> tuple[Comparison, ...]:
    typed = {
        name: decimal_of(project.get(name)) for name in ("npv", "irr", "payback_years", "taxes_total", "sales_total")
    }
    found = [
        Comparison("irr", "percent", typed["irr"], irr),
        Comparison("taxes_total", "roubles", typed["taxes_total"], taxes),
        Comparison("sales_total", "roubles", typed["sales_total"], sales),
    ]
    if npv is not None:
        found.insert(0, Comparison("npv", "roubles", typed["npv"], npv))
        found.insert(2, Comparison("payback_years", "years", typed["payback_years"], payback))
    return tuple(found)


def _flows(table: Mapping[str, Mapping[str, Decimal]], package: Mapping[str, Any]) -> list[Flow]:
    participants = parts(package)
    invested = added(sums(years) for part in participants for years in mapping(part.get("costs")).values())
    subsidy = added(sums(part.get("subsidy")) for part in participants)
    rows = {name: dict(years) for name, years in table.items()}
    receipts = added(rows[name] for name in ("sales", "other_in") if name in rows)
    running = added(rows[name] for name in ("operating", "other_out") if name in rows)
    taxes = added(rows[row.code] for row in TAXES if row.code in rows)
    columns = (receipts, subsidy, invested, running, taxes)
    filled = sorted({int(year) for column in columns for year, amount in column.items() if amount and len(year) == 4})
    if not filled:
        return []
    # Every year between counts, empty ones too: discounting goes by the calendar.
    span = range(filled[0], filled[-1] + 1)
    return [Flow(str(year), *(column.get(str(year), _NOTHING) for column in columns)) for year in span]


def _discounted(flows: Iterable[Flow], rate: Decimal | None) -> tuple[Flow, ...]:
    if rate is None:
        return tuple(flows)
    found: list[Flow] = []
    total = _NOTHING
    for place, flow in enumerate(flows):
        value = flow.net / (1 + rate) ** place
        total += value
        fields = (flow.year, flow.receipts, flow.subsidy, flow.investments, flow.running, flow.taxes)
        found.append(Flow(*fields, two_places(value), two_places(total)))
    return tuple(found)


def _term(project: Mapping[str, Any], rules: RuleSet) -> tuple[str, ...]:
    """The years of the agreement, from the track's first year; as long as the track while no term is given."""
    length = int_of(project.get("agreement_years")) or len(rules.years)
    return tuple(str(rules.years[0] + step) for step in range(max(1, min(length, 30))))


def _percent(rate: Decimal | None) -> Decimal | None:
    return None if rate is None else rate * _HUNDRED


@dataclass(frozen=True, slots=True)
class ProductivityYear:
    """A year of one organisation. ``growth`` is in percent above the baseline, ``target`` what is aimed at.

    ``by_value`` and ``by_staff`` are the parts of the growth in roubles per person: what the change of value added
    brings with the baseline's staff, and what the change of the staff adds to it.
    """

    year: str
    added: Decimal
    headcount: Decimal
    value: Decimal
    growth: Decimal | None = None
    target: Decimal | None = None
    by_value: Decimal | None = None
    by_staff: Decimal | None = None

    @property
    def reached(self) -> bool | None:
        return None if self.growth is None or self.target is None else self.growth >= self.target

    @property
    def by_cutting(self) -> bool:
        """Whether productivity grows, and more than half of that comes from a smaller headcount."""
        if self.by_value is None or self.by_staff is None:
            return False
        total = self.by_value + self.by_staff
        return total > 0 and self.by_staff * 2 > total


@dataclass(frozen=True, slots=True)
class Productivity:
    """Labour productivity of one participant; ``base`` is None while the baseline year is not filled in."""

    id: str
    base: ProductivityYear | None
    years: tuple[ProductivityYear, ...]

    @property
    def targets(self) -> tuple[tuple[Decimal, Decimal], ...]:
        """Growth in percent, and the productivity that it means, roubles per person a year."""
        if self.base is None:
            return ()
        with exact():
            return tuple((step, two_places(self.base.value * (_HUNDRED + step) / _HUNDRED)) for step in TARGETS)

    @property
    def by_cutting(self) -> tuple[str, ...]:
        """The years in which productivity grows mainly because the headcount falls."""
        return tuple(year.year for year in self.years if year.by_cutting)


def productivity(package: Mapping[str, Any], rules: RuleSet) -> list[Productivity]:
    """Labour productivity of every participant that has filled in its table."""
    base_year = rules.years[0] - 1
    with exact():
        found = [_productivity(part, base_year) for part in parts(package)]
    return [item for item in found if item is not None]


def _productivity(part: Mapping[str, Any], base_year: int) -> Productivity | None:
    table = {row: sums(years) for row, years in mapping(part.get("productivity")).items()}
    base = _year(table, str(base_year))
    years = []
    for step in range(1, PRODUCTIVITY_YEARS + 1):
        year = _year(table, str(base_year + step))
        if year is not None:
            years.append(_grown(year, base, _AFTER[step]) if base else year)
    if base is None and not years:
        return None
    return Productivity(str(part.get("id", "")), base, tuple(years))


def _year(table: Mapping[str, Mapping[str, Decimal]], year: str) -> ProductivityYear | None:
    """A year with a positive headcount and something of value added; None for any other."""
    entered = {row.code: table[row.code][year] for row in ADDED if year in table.get(row.code, {})}
    headcount = table.get("headcount", {}).get(year)
    if not entered or headcount is None or headcount <= 0:
        return None
    value = finance.value_added(
        sales_profit=entered.get("profit", _NOTHING),
        wages=entered.get("wages", _NOTHING),
        contributions=entered.get("contributions", _NOTHING),
        taxes_in_cost=entered.get("taxes_in_cost", _NOTHING),
        depreciation=entered.get("depreciation", _NOTHING),
    )
    return ProductivityYear(year, value, headcount, finance.labour_productivity(value, headcount))


def _grown(year: ProductivityYear, base: ProductivityYear, target: Decimal) -> ProductivityYear:
    with_old_staff = finance.labour_productivity(year.added, base.headcount)
    return ProductivityYear(
        year=year.year,
        added=year.added,
        headcount=year.headcount,
        value=year.value,
        growth=finance.growth(base.value, year.value),
        target=target,
        by_value=with_old_staff - base.value,
        by_staff=year.value - with_old_staff,
    )
