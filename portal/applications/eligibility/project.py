"""Checks of the project: product, documents, dates, and the arithmetic of money."""

from __future__ import annotations

from decimal import Decimal

from portal.applications.eligibility.case import (
    LETTER_OF_FIT,
    Case,
    Finding,
    date_of,
    figure_of,
    given,
    missing_field,
    unknown,
)
from portal.core.figures import four_places, number, percent, roubles
from portal.core.language import N_, Message


def document_given(case: Case) -> Finding:
    code = case.rule.params["document"]
    if code in given(case.package.get("documents")):
        return Finding(True, N_("The document %(code)s is attached.", code=code), field=f"documents.{code}")
    if code != LETTER_OF_FIT:
        return unknown(N_("Attach the document %(code)s.", code=code), f"documents.{code}")
    if case.package.get("letter_of_fit"):
        return Finding(
            True, N_("The specialised organisation has signed the letter of fit."), field=f"documents.{code}"
        )
    todo = N_("Ask the specialised organisation for the letter of fit, or attach the document %(code)s.", code=code)
    return unknown(todo, f"documents.{code}")


def replaces_imports(case: Case) -> Finding:
    missing = missing_field(case.project, ("okpd2", "tn_ved", "analogue_abroad", "is_plan"))
    if missing:
        return unknown(N_("Give the product's codes, the foreign analogue and the link to a sector plan."), missing)
    reason = N_("The codes, the foreign analogue and the link to a sector plan are given.")
    return Finding(True, reason, field="project.okpd2")


def export_planned(case: Case) -> Finding:
    revenue = case.facts.export_revenue
    field = "project.export_revenue_total"
    if revenue is not None and revenue <= 0:
        return Finding(
            False,
            N_("The export revenue within the term of the agreement must be more than zero."),
            value=figure_of(roubles(revenue)),
            todo=N_("Plan export revenue within the term of the agreement."),
            field=field,
        )
    missing = missing_field(case.project, ("tn_ved", "export_countries", "export_contracts", "export_revenue_total"))
    if missing or revenue is None:
        todo = N_("Give the TN VED code, the target countries, the contracts and the export revenue.")
        return unknown(todo, missing or field)
    reason = N_("Export revenue of %(revenue)s is planned.", revenue=roubles(revenue))
    return Finding(True, reason, value=figure_of(roubles(revenue)), field=field)


def subsidy_share(case: Case) -> Finding:
    subsidy, eligible, most = case.facts.subsidy, case.facts.eligible, case.rules.cap_share
    limit = N_("at most %(share)s of eligible costs", share=percent(most))
    if subsidy is None or eligible is None:
        return unknown(N_("Fill in the costs and the requested subsidy."), "subsidy", limit)
    ceiling = eligible * most / 100
    named = {"subsidy": roubles(subsidy), "eligible": roubles(eligible), "most": percent(most)}
    if subsidy > ceiling:
        asked = case.facts.subsidy_share
        named["asked"] = percent(asked) if asked is not None else number(0)
        reason = N_(
            "The request of %(subsidy)s is %(asked)s of the eligible costs of %(eligible)s, above %(most)s.",
            **named,
        )
        todo = N_("Lower the request by %(excess)s.", excess=roubles(subsidy - ceiling))
        return Finding(False, reason, _share(case), limit, todo, "subsidy")
    reason = N_("The request of %(subsidy)s is within %(most)s of the eligible costs of %(eligible)s.", **named)
    return Finding(True, reason, _share(case), limit, field="subsidy")


def _share(case: Case) -> Message | None:
    return None if case.facts.subsidy_share is None else figure_of(percent(case.facts.subsidy_share))


def project_cap(case: Case) -> Finding:
    subsidy, cap = case.facts.subsidy, case.rules.project_cap
    if cap is None:
        return Finding(True, N_("There is no limit for one project."), field="subsidy")
    limit = N_("at most %(cap)s", cap=roubles(cap))
    if subsidy is None:
        return unknown(N_("Fill in the requested subsidy."), "subsidy", limit)
    named = {"subsidy": roubles(subsidy), "cap": roubles(cap)}
    value = figure_of(roubles(subsidy))
    if subsidy > cap:
        reason = N_("The request of %(subsidy)s exceeds the limit of %(cap)s for one project.", **named)
        todo = N_("Lower the request by %(excess)s.", excess=roubles(subsidy - cap))
        return Finding(False, reason, value, limit, todo, "subsidy")
    reason = N_("The request of %(subsidy)s is within the limit of %(cap)s for one project.", **named)
    return Finding(True, reason, value, limit, field="subsidy")


def agreement_term(case: Case) -> Finding:
    years, most = case.facts.agreement_years, case.rule.number("max_years")
    field, limit = "project.agreement_years", N_("at most %(most)s years", most=most)
    todo = N_("Set a term of 1 to %(most)s years.", most=most)
    if years is None:
        return unknown(todo, field, limit)
    reason = N_("The agreement is to last %(years)s years; at most %(most)s are allowed.", years=years, most=most)
    return Finding(1 <= years <= most, reason, figure_of(number(years)), limit, todo, field)


def costs_not_before(case: Case) -> Finding:
    first, earliest = date_of(case.project.get("costs_from")), case.rules.costs_from
    field, limit = "project.costs_from", N_("not before %(earliest)s", earliest=earliest)
    if first is None:
        return unknown(N_("Give the date of the first cost."), field, limit)
    too_early = sorted(
        year for year, amount in case.facts.costs_by_year.items() if amount and year < str(earliest.year)
    )
    value, todo = (
        figure_of(first),
        N_("Leave out the costs before %(earliest)s.", earliest=earliest),
    )
    if too_early:
        reason = N_("Costs are entered for %(year)s, before %(earliest)s.", year=too_early[0], earliest=earliest)
        return Finding(False, reason, value, limit, todo, "costs")
    reason = N_("The first cost is of %(first)s; costs from %(earliest)s on count.", first=first, earliest=earliest)
    return Finding(first >= earliest, reason, value, limit, todo, field)


def co_financing(case: Case) -> Finding:
    facts, rules = case.facts, case.rules
    least = N_(
        "own and borrowed at least %(rest)s of eligible costs, own at least %(own)s of the subsidy",
        rest=percent(100 - rules.cap_share),
        own=percent(rules.own_share_of_subsidy),
    )
    if facts.eligible is None or facts.subsidy is None or facts.private is None:
        return unknown(N_("Fill in the costs, the financing and the requested subsidy."), "financing", least)
    own = facts.own or Decimal(0)
    rest = facts.eligible * (100 - rules.cap_share) / 100
    own_least = facts.subsidy * rules.own_share_of_subsidy / 100
    value = N_("%(private)s, of it own %(own)s", private=roubles(facts.private), own=roubles(own))
    if facts.private < rest:
        reason = N_(
            "Own and borrowed funds are %(private)s; at least %(rest)s is needed.",
            private=roubles(facts.private),
            rest=roubles(four_places(rest)),
        )
    elif own < own_least:
        reason = N_(
            "Own funds are %(own)s; at least %(least)s is needed.",
            own=roubles(own),
            least=roubles(four_places(own_least)),
        )
    else:
        return Finding(True, N_("Own and borrowed funds are sufficient."), value, least, field="financing")
    return Finding(False, reason, value, least, N_("Add own or borrowed funds, or lower the request."), "financing")


def yearly_requests(case: Case) -> Finding:
    allowed = [str(year) for year in case.rules.years]
    span = f"{allowed[0]}–{allowed[-1]}"
    limit = figure_of(span)
    asked = {year: amount for year, amount in case.facts.subsidy_by_year.items() if amount}
    if not asked:
        return unknown(N_("Fill in the requested subsidy."), "subsidy", limit)
    outside = sorted(set(asked) - set(allowed))
    entered = (entry for item in case.facts.participants for entry in item.subsidy_by_year.items())
    negative = sorted(year for year, amount in entered if amount < 0)
    if outside or negative:
        year = (outside or negative)[0]
        reason = N_("The request for %(year)s is outside the years %(span)s or below zero.", year=year, span=span)
        todo = N_("Move the request into the years of the track.")
        return Finding(False, reason, figure_of(", ".join(asked)), limit, todo, "subsidy")
    reason = N_("The subsidy is requested within the years %(span)s.", span=span)
    return Finding(True, reason, figure_of(", ".join(asked)), limit, field="subsidy")
