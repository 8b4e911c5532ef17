"""Completeness: everything that is missing or does not fit together and so keeps a package from submission.

Whether the project may be supported is another question (``eligibility``). ``Problem.field`` is the name of a
section and its field, so that pages can link to it: ``project.name_ru``, ``participant.<id>.costs``,
``participant.<id>.declarations.EL-12``, ``participant.<id>.documents.DOC-12``, ``documents.DOC-02``,
``kpi.K1``, ``participants``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

from portal.applications.drafts import questions
from portal.applications.drafts.reading import mapping, parts, sums
from portal.applications.eligibility.case import LETTER_OF_FIT
from portal.applications.figures.facts import Facts, ParticipantFacts, facts
from portal.core.errors import Problem
from portal.core.figures import decimal_of, exact, int_of, roubles
from portal.core.language import N_, Message
from portal.tenders.ruleset import Giver, Need, RuleSet

REQUIRED: Final = N_("Fill in this field.")

_TEXTS: Final = (
    "name_ru",
    "name_en",
    "summary",
    "product_name",
    "okpd2",
    "tn_ved",
    "site_region",
    "stages",
    "risks",
)
_TRACK_TEXTS: Final[Mapping[str, tuple[str, ...]]] = {
    "import_substitution": ("analogue_abroad", "is_plan"),
    "export": ("export_contracts",),
}
_NUMBERS: Final = (
    "trl",
    "agreement_years",
    "npv",
    "discount_rate",
    "payback_years",
    "taxes_total",
    "sales_total",
    "sold_to_members",
    "hpj_new",
    "jobs_new",
)
_TRACK_NUMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "import_substitution": ("import_share_now", "import_share_target"),
    "export": ("export_revenue_total", "export_share"),
}
_PERCENT: Final = (
    "import_share_now",
    "import_share_target",
    "localisation_target",
    "export_share",
    "sold_to_members",
)
_NOT_NEGATIVE: Final = (
    "discount_rate",
    "payback_years",
    "taxes_total",
    "sales_total",
    "export_revenue_total",
    "hpj_new",
    "jobs_new",
)
_WHOLE: Final = ("trl", "agreement_years", "hpj_new", "jobs_new")
_CODES: Final = {
    "okpd2": re.compile(r"\d{2}\.\d{2}(\.\d{1,2}(\.\d{3})?)?", re.ASCII),
    "tn_ved": re.compile(r"(0[1-9]|[1-689]\d|7[0-689])\d{2}(\d{2}(\d{2}(\d{2})?)?)?", re.ASCII),
}


def problems(package: Mapping[str, Any], rules: RuleSet) -> list[Problem]:
    """Everything that keeps ``package`` from submission, in the order of the sections."""
    with exact():
        found = facts(package, rules)
        return [
            *_project(mapping(package.get("project")), rules),
            *_participants(package, found, rules),
            *_kpi(mapping(package.get("kpi")), rules),
            *_documents("documents", package.get("documents"), Giver.PROJECT, rules, _signed_here(package)),
            *questions.missing(package, rules),
        ]


def _project(project: Mapping[str, Any], rules: RuleSet) -> Iterator[Problem]:
    for name in (*_TEXTS, *_TRACK_TEXTS.get(rules.track, ())):
        if not str(project.get(name) or "").strip():
            yield Problem("required", f"project.{name}", REQUIRED)
    if not isinstance(project.get("final_product"), bool):
        yield Problem("required", "project.final_product", REQUIRED)
    if rules.track == "export" and not project.get("export_countries"):
        yield Problem("required", "project.export_countries", REQUIRED)
    for name in (*_NUMBERS, *_TRACK_NUMBERS.get(rules.track, ())):
        if project.get(name) in (None, ""):
            yield Problem("required", f"project.{name}", REQUIRED)
    yield from _numbers(project)
    yield from _codes(project)
    yield from _dates(project)
    yield from _together(project)


def _numbers(project: Mapping[str, Any]) -> Iterator[Problem]:
    names = {*_NUMBERS, *_PERCENT, *_NOT_NEGATIVE, "irr"}
    for name in sorted(name for name in names if project.get(name) not in (None, "")):
        value, field = decimal_of(project[name]), f"project.{name}"
        if value is None:
            yield Problem("not_number", field, N_("This is not a number."))
        elif name in _WHOLE and int_of(value) is None:
            yield Problem("not_whole", field, N_("Give a whole number."))
        elif name in _PERCENT and not 0 <= value <= 100:
            yield Problem("out_of_range", field, N_("A percentage must be between 0 and 100."))
        elif name in _NOT_NEGATIVE and value < 0:
            yield Problem("negative", field, N_("The number must not be below zero."))
        elif name == "trl" and not 1 <= value <= 9:
            yield Problem("out_of_range", field, N_("The technology readiness level must be between 1 and 9."))
        elif name == "agreement_years" and value < 1:
            yield Problem("out_of_range", field, N_("The agreement must last at least one year."))


def _codes(project: Mapping[str, Any]) -> Iterator[Problem]:
    for name, pattern in _CODES.items():
        code = str(project.get(name) or "").replace(" ", "")
        if code and not pattern.fullmatch(code):
            yield Problem("bad_code", f"project.{name}", N_("This code does not have the right form."))


def _dates(project: Mapping[str, Any]) -> Iterator[Problem]:
    days: dict[str, date] = {}
    for name in ("start_on", "finish_on", "costs_from"):
        try:
            days[name] = date.fromisoformat(str(project.get(name) or ""))
        except ValueError:
            if project.get(name):
                yield Problem("not_date", f"project.{name}", N_("This is not a date."))
            else:
                yield Problem("required", f"project.{name}", REQUIRED)
    if "start_on" in days and "finish_on" in days and days["finish_on"] <= days["start_on"]:
        yield Problem("order", "project.finish_on", N_("The project must finish after it starts."))


def _together(project: Mapping[str, Any]) -> Iterator[Problem]:
    """Pairs of figures of which one cannot exceed the other."""
    pairs: tuple[tuple[str, str, Message], ...] = (
        (
            "import_share_target",
            "import_share_now",
            N_("The target import share cannot exceed the present one."),
        ),
        ("hpj_new", "jobs_new", N_("New high-productivity jobs cannot exceed all new jobs.")),
        ("export_revenue_total", "sales_total", N_("The export revenue cannot exceed the sales.")),
    )
    for smaller, larger, message in pairs:
        low, high = decimal_of(project.get(smaller)), decimal_of(project.get(larger))
        if low is not None and high is not None and low > high:
            yield Problem("inconsistent", f"project.{smaller}", message)


def _participants(package: Mapping[str, Any], found: Facts, rules: RuleSet) -> Iterator[Problem]:
    if found.participant_count < rules.min_participants:
        message = N_("A joint project needs at least %(least)s participants.", least=rules.min_participants)
        yield Problem("too_few", "participants", message)
    if [item.role for item in found.participants].count("initiator") != 1:
        yield Problem("no_initiator", "participants", N_("A joint project needs exactly one initiator."))
    if not found.eligible:
        yield Problem("required", "costs", N_("Enter the costs that are to be reimbursed."))
    if not found.subsidy:
        yield Problem("required", "subsidy", N_("Enter the requested subsidy by years."))
    for part, item in zip(parts(package), found.participants, strict=True):
        field = f"participant.{item.id}"
        yield from _tables(field, part, rules)
        yield from _balance(field, item)
        yield from _declarations(f"{field}.declarations", mapping(part.get("declarations")), rules)
        yield from _documents(f"{field}.documents", part.get("documents"), Giver.EACH, rules)


def _tables(field: str, part: Mapping[str, Any], rules: RuleSet) -> Iterator[Problem]:
    """The amounts of the three tables: numbers, not below zero, to the kopeck, in the years asked for."""
    known = {category.code for category in rules.categories}
    for code, years in mapping(part.get("costs")).items():
        if code not in known and sums(years):
            yield Problem("unknown_category", f"{field}.costs", N_("There is no cost category %(code)s.", code=code))
        yield from _amounts(f"{field}.costs", years, rules.cost_years, _kopecks)
    for years in mapping(part.get("financing")).values():
        yield from _amounts(f"{field}.financing", years, rules.cost_years, _kopecks)
    yield from _amounts(f"{field}.subsidy", part.get("subsidy"), rules.years, _whole_roubles)


def _amounts(
    field: str, table: object, years: tuple[int, ...], fits: Callable[[Decimal], Message | None]
) -> Iterator[Problem]:
    allowed = {str(year) for year in years}
    for year, entry in mapping(table).items():
        amount = decimal_of(entry)
        if amount is None:
            if entry not in (None, ""):
                yield Problem("not_number", field, N_("The amount for %(year)s is not a number.", year=year))
        elif amount < 0:
            yield Problem("negative", field, N_("The amount for %(year)s is below zero.", year=year))
        elif amount and year not in allowed:
            span = f"{years[0]}–{years[-1]}"
            message = N_("The year %(year)s is outside %(span)s.", year=year, span=span)
            yield Problem("year", field, message)
        elif message_or_none := fits(amount):
            yield Problem("precision", field, message_or_none)


def _kopecks(amount: Decimal) -> Message | None:
    return None if amount * 100 % 1 == 0 else N_("Give sums to the kopeck.")


def _whole_roubles(amount: Decimal) -> Message | None:
    return None if amount % 1 == 0 else N_("Ask for the subsidy in whole roubles.")


def _balance(field: str, item: ParticipantFacts) -> Iterator[Problem]:
    """A participant's costs are paid by its financing and its subsidy, no more and no less."""
    paid = item.financing_total + item.subsidy
    if item.costs_total != paid:
        message = N_(
            "The costs are %(costs)s, financing and subsidy together %(paid)s: they must be equal.",
            costs=roubles(item.costs_total),
            paid=roubles(paid),
        )
        yield Problem("unbalanced", f"{field}.financing", message)


def _declarations(field: str, answers: Mapping[str, Any], rules: RuleSet) -> Iterator[Problem]:
    for declaration in rules.declarations:
        if not isinstance(answers.get(declaration.code), bool):
            yield Problem("required", f"{field}.{declaration.code}", N_("Answer this declaration with yes or no."))


def _signed_here(package: Mapping[str, Any]) -> frozenset[str]:
    """The documents that are signed in the portal and need no file."""
    return frozenset({LETTER_OF_FIT}) if package.get("letter_of_fit") else frozenset()


def _documents(
    field: str, attached: object, giver: Giver, rules: RuleSet, signed: frozenset[str] = frozenset()
) -> Iterator[Problem]:
    items = [mapping(item) for item in attached] if isinstance(attached, (list, tuple)) else []
    codes = {item.get("code") for item in items} | signed
    for required in rules.documents:
        if required.giver is giver and required.need is Need.REQUIRED and required.code not in codes:
            message = N_("Attach the document: %(title)s.", title=required.title.both())
            yield Problem("required", f"{field}.{required.code}", message)
    for item in items:
        known = rules.document(str(item.get("code")))
        if known and known.max_age_days is not None and not item.get("issued_on"):
            yield Problem("undated", f"{field}.{known.code}", N_("Give the date on which the document was issued."))


def _kpi(table: Mapping[str, Any], rules: RuleSet) -> Iterator[Problem]:
    periods = set(rules.kpi_periods)
    for kpi in rules.kpis:
        values = mapping(table.get(kpi.code))
        field = f"kpi.{kpi.code}"
        entered = {period for period, value in values.items() if value not in (None, "")}
        if kpi.required and periods - entered:
            missing = ", ".join(sorted(periods - entered))
            yield Problem("required", field, N_("Fill in the half-years: %(missing)s.", missing=missing))
        for period in sorted(entered):
            value = decimal_of(values[period])
            if value is None:
                message = N_("The value for %(period)s is not a number.", period=period)
                yield Problem("not_number", field, message)
            elif value < 0:
                yield Problem("negative", field, N_("The value for %(period)s is below zero.", period=period))
        yield from _cumulative(field, kpi.cumulative, sums(values))


def _cumulative(field: str, cumulative: bool, values: Mapping[str, Decimal]) -> Iterator[Problem]:
    if not cumulative:
        return
    ordered = sorted(values.items())
    for (earlier, low), (later, high) in pairwise(ordered):
        if high < low:
            message = N_(
                "The value counts from the start: %(later)s cannot be below %(earlier)s.",
                later=later,
                earlier=earlier,
            )
            yield Problem("falls", field, message)
