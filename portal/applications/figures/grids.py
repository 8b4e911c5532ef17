"""The tables of an application as data: costs, financing, subsidy, indicators, cash flow, labour productivity.

Years follow from the rule set. A grid is of one kind of numbers; a row may be of another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from portal.applications.drafts.values import Kind
from portal.applications.figures.estimate import SOURCES
from portal.core.language import N_, Message
from portal.tenders.ruleset import RuleSet, Text

FLOW_YEARS: Final = 5
"""How many years the cash flow goes on after the track's last year: the longest term of an agreement."""

PRODUCTIVITY_YEARS: Final = 3
"""Years after the baseline for which the national project sets targets (+10, +15 and +30 %)."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a grid; ``note`` stands under its title, ``kind`` differs from the grid's where it is given."""

    code: str
    title: Text | Message
    note: Message | None = None
    kind: Kind | None = None


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of numbers. ``sums``: whether rows and columns can be added up; ``titles``: of its columns."""

    rows: tuple[Row, ...]
    columns: tuple[str, ...]
    kind: Kind
    sums: bool = True
    titles: Mapping[str, Message] = field(default_factory=dict)

    def key(self, row: str, column: str) -> str:
        """The key of a cell; a table of one unnamed row has the column's."""
        return f"{row}.{column}" if row else column

    def kind_of(self, row: Row) -> Kind:
        return row.kind or self.kind

    @property
    def roubles(self) -> bool:
        """Whether every number of the table is a sum of money."""
        return all(self.kind_of(row) in (Kind.MONEY, Kind.SIGNED_MONEY) for row in self.rows)


def indicators(rules: RuleSet) -> Grid:
    rows = tuple(Row(kpi.code, kpi.title, _unit(kpi.unit, kpi.required)) for kpi in rules.kpis)
    return Grid(rows, rules.kpi_periods, Kind.NUMBER, sums=False)


def _unit(unit: Text, required: bool) -> Message:
    if required:
        return N_("%(unit)s, every half-year", unit=unit.both())
    return N_("%(unit)s, if it applies", unit=unit.both())


def costs(rules: RuleSet) -> Grid:
    rows = tuple(Row(item.code, item.title, _cap(item.cap, item.eligible)) for item in rules.categories)
    return Grid(rows, _years(rules), Kind.MONEY)


def _cap(cap: object, eligible: bool) -> Message | None:
    if not eligible:
        return N_("not reimbursed")
    return None if cap is None else N_("at most %(cap)s %% of the reimbursable costs count", cap=cap)


SOURCE_TITLES: Final = {
    "own": N_("Own funds"),
    "loans": N_("Loans of banks and other lenders"),
    "idf_loan": N_("Loan of the Industry Development Fund"),
    "regional": N_("Regional budget"),
}


def financing(rules: RuleSet) -> Grid:
    return Grid(tuple(Row(source, SOURCE_TITLES[source]) for source in SOURCES), _years(rules), Kind.MONEY)


def subsidy(rules: RuleSet) -> Grid:
    return Grid((Row("", N_("Requested subsidy")),), tuple(str(year) for year in rules.years), Kind.MONEY)


FLOWS_IN: Final = (
    Row("sales", N_("Sales of the product"), N_("without VAT")),
    Row("other_in", N_("Other receipts of the project"), N_("without loans and without the subsidy")),
)
TAXES: Final = (
    Row("vat", N_("VAT payable")),
    Row("profit_tax", N_("Profit tax")),
    Row("pit", N_("Personal income tax of the staff")),
    Row("contributions", N_("Insurance contributions")),
    Row("property_tax", N_("Property and land tax")),
)
FLOWS_OUT: Final = (
    Row("operating", N_("Running costs"), N_("materials, wages, energy; without depreciation and the taxes below")),
    *TAXES,
    Row("other_out", N_("Other payments of the project"), N_("without repayment of loans and interest")),
)


def cash_flow(rules: RuleSet) -> Grid:
    """Receipts and payments by year, from the first year of costs to the end of the longest agreement."""
    last = rules.years[-1] + FLOW_YEARS
    years = tuple(str(year) for year in range(rules.costs_from.year, last + 1))
    return Grid((*FLOWS_IN, *FLOWS_OUT), years, Kind.MONEY, sums=False)


ADDED: Final = (
    Row("profit", N_("Profit from sales, roubles"), N_("a loss is written with a minus"), Kind.SIGNED_MONEY),
    Row("wages", N_("Wages, roubles")),
    Row("contributions", N_("Insurance contributions, roubles")),
    Row("taxes_in_cost", N_("Taxes included in the cost, roubles")),
    Row("depreciation", N_("Depreciation, roubles")),
)
"""The parts of value added (order 659 of the Ministry of Economic Development of 28.12.2018)."""

HEADCOUNT: Final = Row("headcount", N_("Average headcount, persons"), None, Kind.NUMBER)


def productivity(rules: RuleSet) -> Grid:
    """The parts of value added and the headcount: the baseline year and the three years after it."""
    base = rules.years[0] - 1
    years = tuple(str(year) for year in range(base, base + PRODUCTIVITY_YEARS + 1))
    titles = {years[0]: N_("%(year)s, baseline", year=years[0])}
    return Grid((*ADDED, HEADCOUNT), years, Kind.MONEY, sums=False, titles=titles)


def _years(rules: RuleSet) -> tuple[str, ...]:
    return tuple(str(year) for year in rules.cost_years)
