"""Cash flow and labour productivity of a demo project, made so that its passport's figures follow from them.

Two unknowns, the level and the yearly factor of what production brings in, follow from two conditions: the net
present value at the discount rate is the passport's, and at the internal rate of return it is zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from portal.applications.drafts.reading import added, parts, sums
from portal.applications.figures.economics import economics
from portal.applications.figures.grids import ADDED, FLOW_YEARS, PRODUCTIVITY_YEARS
from portal.tenders.ruleset import RuleSet

TAX_PERCENT: Final = {"vat": 38, "profit_tax": 17, "pit": 13, "contributions": 28, "property_tax": 4}
"""How the taxes of a project are made up."""

_RAMP: Final = (0, 2, 3, 4, 4)
_START: Final = 2
_HALVINGS: Final = 50


def complete(package: dict[str, Any], rules: RuleSet) -> dict[str, Any]:
    """``package`` with a cash flow, with the sales and the payback that follow from it, and with productivity."""
    flow = _cash_flow(package, rules)
    if flow is None:
        return package
    project = package["project"]
    term = _term(rules, project)
    project["sales_total"] = f"{sum(int(flow['sales'].get(year, 0)) for year in term)}.00"
    package["cashflow"] = {row: {year: f"{amount}.00" for year, amount in years.items()} for row, years in flow.items()}
    found = economics(package, rules)
    if found is not None and found.payback is not None:
        project["payback_years"] = format(found.payback.quantize(Decimal("0.1")), "f")
    for place, part in enumerate(package["participants"]):
        part["productivity"] = _productivity(place, part, rules)
    return package


def _cash_flow(package: Mapping[str, Any], rules: RuleSet) -> dict[str, dict[str, int]] | None:
    """Rows by year in whole roubles; None where the years of the package are not those of the rules."""
    project = package["project"]
    costs = added(sums(years) for part in parts(package) for years in part["costs"].values())
    subsidy = added(sums(part["subsidy"]) for part in parts(package))
    first, last = int(min(costs)), rules.years[-1] + FLOW_YEARS
    if not 1 <= rules.years[0] - first <= _START:
        return None
    years = [str(year) for year in range(first, last + 1)]
    fixed = [subsidy.get(year, Decimal(0)) - costs.get(year, Decimal(0)) for year in years]
    brought = _solved(fixed, Decimal(project["npv"]), *(_rate(project[name]) for name in ("discount_rate", "irr")))
    term = _term(rules, project)
    taxes = _ramp(years, term, int(Decimal(project["taxes_total"])))
    earned = {year: int(amount) + taxes[year] for year, amount in zip(years, brought, strict=True) if amount}
    within = sum(earned.get(year, 0) for year in term)
    sales = max(
        int(Decimal(project["sales_total"])) if project["export_revenue_total"] else within * 2, within * 5 // 4
    )
    running = {year: (sales - within) * amount // within for year, amount in earned.items()}
    table = {
        "sales": {year: amount + running[year] for year, amount in earned.items()},
        "operating": running,
    }
    rest = dict(taxes)
    for name, percent in TAX_PERCENT.items():
        table[name] = {year: taxes[year] * percent // 100 for year in earned}
        rest = {year: rest[year] - table[name][year] for year in earned}
    table["vat"] = {year: amount + rest[year] for year, amount in table["vat"].items()}
    return table


def _rate(percent: str) -> Decimal:
    return 1 + Decimal(percent) / 100


def _solved(fixed: Sequence[Decimal], npv: Decimal, rate: Decimal, irr: Decimal) -> list[int]:
    """What production brings in each year, level x factor^(years since its start), in whole roubles."""

    def worth(flow: Sequence[Decimal], at: Decimal) -> Decimal:
        return sum((amount / at**place for place, amount in enumerate(flow)), Decimal(0))

    def brought(factor: Decimal) -> list[Decimal]:
        shape = [factor ** (place - _START) if place >= _START else Decimal(0) for place in range(len(fixed))]
        level = (npv - worth(fixed, rate)) / worth(shape, rate)
        return [level * each for each in shape]

    # The earlier the money comes, the higher the rate of return at the same present value.
    low, high = Decimal("0.05"), Decimal(4)
    towards = 1 if irr > rate else -1
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        flow = [one + two for one, two in zip(fixed, brought(middle), strict=True)]
        if worth(flow, irr) * towards > 0:
            low = middle
        else:
            high = middle
    return [int(each) for each in brought(low)]


def _term(rules: RuleSet, project: Mapping[str, Any]) -> list[str]:
    return [str(rules.years[0] + step) for step in range(int(project["agreement_years"]))]


def _ramp(years: Sequence[str], term: Sequence[str], total: int) -> dict[str, int]:
    """``total`` over the term, rising with production; later years pay what the last one of the term pays."""
    weights = dict(zip(term, _RAMP, strict=False))
    shares = {year: total * weights.get(year, 0) // sum(weights.values()) for year in term}
    shares[term[-1]] += total - sum(shares.values())
    return {year: shares.get(year, shares[term[-1]] if year > term[-1] else 0) for year in years}


def _productivity(place: int, part: Mapping[str, Any], rules: RuleSet) -> dict[str, dict[str, str]]:
    """An organisation whose value added grows; the third of a project grows mainly by cutting staff."""
    base = rules.years[0] - 1
    shares = (18, 48, 14, 4, 16)
    people = 140 + 60 * (place % 3) if part["organisation"]["sme"] == "none" else 70
    growth, staff = ((0, 5, 9, 14), (0, -8, -14, -20)) if place == 2 else ((0, 12, 22, 41), (0, 1, 3, 6))
    table: dict[str, dict[str, str]] = {row.code: {} for row in ADDED}
    table["headcount"] = {}
    for step in range(PRODUCTIVITY_YEARS + 1):
        value = people * 1_450_000 * (100 + growth[step]) // 100
        for row, share in zip(ADDED, shares, strict=True):
            table[row.code][str(base + step)] = f"{value * share // 100}.00"
        table["headcount"][str(base + step)] = str(people * (100 + staff[step]) // 100)
    return table
