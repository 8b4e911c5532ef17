"""Eligibility: each rule of the rule set checked against a package, with value, limit and reason.

The checks are a fixed catalogue (``tenders.checks``); a rule set names them and gives their parameters.
``holds`` is None while something is not filled in yet; ``todo`` then says what to do. The filing date is an argument:
for a draft, the day on which it is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from portal.applications.facts import Facts, mapping, parts
from portal.core.figures import decimal_of, exact, four_places, number, percent, roubles
from portal.core.language import N_, Message, both
from portal.tenders.ruleset import EligibilityRule, RuleSet, Severity, Source, Text

NOT_YET: Final = N_("Not filled in yet.")


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """How one rule came out. ``field``: the place to correct it; ``participants``: the ids it is about."""

    code: str
    title: Text
    severity: Severity
    source: Source
    holds: bool | None
    reason: Message
    value: Message | None = None
    limit: Message | None = None
    todo: Message | None = None
    field: str = ""
    participants: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Everything in both languages: ``{"code", "title", "severity", "holds", "reason", ...}``."""
        return {
            "code": self.code,
            "title": self.title.both(),
            "severity": self.severity.value,
            "source": both(self.source.wording),
            "holds": self.holds,
            "reason": both(self.reason),
            "value": both(self.value) if self.value else None,
            "limit": both(self.limit) if self.limit else None,
            "todo": both(self.todo) if self.todo else None,
            "field": self.field,
            "participants": list(self.participants),
        }


@dataclass(frozen=True, slots=True)
class Case:
    """What a check may look at."""

    package: Mapping[str, Any]
    facts: Facts
    rules: RuleSet
    on: date | None
    rule: EligibilityRule

    @property
    def project(self) -> Mapping[str, Any]:
        return mapping(self.package.get("project"))


@dataclass(frozen=True, slots=True)
class Finding:
    """A check's answer; ``check`` adds the rule to it."""

    holds: bool | None
    reason: Message
    value: Message | None = None
    limit: Message | None = None
    todo: Message | None = None
    field: str = ""
    participants: tuple[str, ...] = ()


def check(
    package: Mapping[str, Any], facts: Facts, rules: RuleSet, on: date | None = None
) -> list[RuleOutcome]:
    """Every eligibility rule of ``rules``, in its order. ``on``: the filing date, or None if not known."""
    with exact():
        return [_outcome(Case(package, facts, rules, on, rule)) for rule in rules.eligibility]


def blocking(outcomes: Iterable[RuleOutcome]) -> tuple[RuleOutcome, ...]:
    """The outcomes that refuse the application: blocking rules that do not hold."""
    return tuple(item for item in outcomes if item.severity is Severity.BLOCKS and item.holds is False)


def _outcome(case: Case) -> RuleOutcome:
    rule, found = case.rule, CATALOGUE[case.rule.check](case)
    return RuleOutcome(
        code=rule.code,
        title=rule.title,
        severity=rule.severity,
        source=rule.source,
        holds=found.holds,
        reason=found.reason,
        value=found.value,
        limit=found.limit,
        todo=found.todo if found.holds is not True else None,
        field=found.field,
        participants=found.participants,
    )


def _figure(figure: Mapping[str, str]) -> Message:
    return N_("%(figure)s", figure=figure)


def _unknown(todo: Message, field: str, limit: Message | None = None, who: Iterable[str] = ()) -> Finding:
    return Finding(None, NOT_YET, limit=limit, todo=todo, field=field, participants=tuple(who))


def _names(case: Case, ids: Iterable[str]) -> dict[str, str]:
    """The names of participants in both languages, for sentences."""
    wanted = set(ids)
    found = [mapping(part.get("organisation")) for part in parts(case.package) if part.get("id") in wanted]
    russian = [str(item.get("name_ru") or item.get("name_en") or "?") for item in found]
    english = [str(item.get("name_en") or item.get("name_ru") or "?") for item in found]
    return {"ru": ", ".join(russian), "en": ", ".join(english)}


def _cluster_registered(case: Case) -> Finding:
    cluster = mapping(case.package.get("cluster"))
    registered, until = cluster.get("in_register"), _date(cluster.get("valid_until"))
    todo = N_("Ask the specialised organisation to confirm the cluster's entry in the register.")
    if registered is None or (until is not None and case.on is None):
        return _unknown(todo, "cluster")
    if not registered:
        return Finding(False, N_("The cluster is not in the register."), todo=todo, field="cluster")
    if until is None:
        return Finding(
            True, N_("The cluster is in the register, its entry has no end date."), field="cluster"
        )
    value = N_("%(until)s", until=until)
    if case.on is not None and until < case.on:
        reason = N_("The cluster's entry ended on %(until)s, before the filing date.", until=until)
        return Finding(False, reason, value=value, todo=todo, field="cluster")
    reason = N_("The cluster is in the register; its entry is valid until %(until)s.", until=until)
    return Finding(True, reason, value=value, field="cluster")


def _members_of_cluster(case: Case) -> Finding:
    items = parts(case.package)
    field = "participants"
    todo = N_("Have the specialised organisation confirm the membership, or leave the organisation out.")
    if not items:
        return _unknown(N_("Add the participants of the project."), field)
    outside = tuple(str(item.get("id")) for item in items if item.get("cluster_member") is False)
    if outside:
        reason = N_("Not members of the cluster: %(names)s.", names=_names(case, outside))
        return Finding(False, reason, todo=todo, field=field, participants=outside)
    unknown = tuple(str(item.get("id")) for item in items if item.get("cluster_member") is not True)
    if unknown:
        return _unknown(todo, field, who=unknown)
    return Finding(
        True, N_("All %(count)s participants are members of the cluster.", count=len(items)), field=field
    )


def _enough_participants(case: Case) -> Finding:
    count, least = case.facts.participant_count, case.rules.min_participants
    holds = count >= least
    return Finding(
        holds,
        N_(
            "The project has %(count)s participants; at least %(least)s are needed.", count=count, least=least
        ),
        value=_figure(number(count)),
        limit=N_("at least %(least)s", least=least),
        todo=N_("Invite another member of the cluster."),
        field="participants",
    )


def _document_given(case: Case) -> Finding:
    code = case.rule.params["document"]
    if code in given(case.package.get("documents")):
        return Finding(True, N_("The document %(code)s is attached.", code=code), field=f"documents.{code}")
    return _unknown(N_("Attach the document %(code)s.", code=code), f"documents.{code}")


def _replaces_imports(case: Case) -> Finding:
    missing = _missing(case.project, ("okpd2", "tn_ved", "analogue_abroad", "is_plan"))
    if missing:
        return _unknown(
            N_("Give the product's codes, the foreign analogue and the link to a sector plan."), missing
        )
    reason = N_("The codes, the foreign analogue and the link to a sector plan are given.")
    return Finding(True, reason, field="project.okpd2")


def _export_planned(case: Case) -> Finding:
    revenue = case.facts.export_revenue
    field = "project.export_revenue_total"
    if revenue is not None and revenue <= 0:
        return Finding(
            False,
            N_("The export revenue within the term of the agreement must be more than zero."),
            value=_figure(roubles(revenue)),
            todo=N_("Plan export revenue within the term of the agreement."),
            field=field,
        )
    missing = _missing(
        case.project, ("tn_ved", "export_countries", "export_contracts", "export_revenue_total")
    )
    if missing or revenue is None:
        todo = N_("Give the TN VED code, the target countries, the contracts and the export revenue.")
        return _unknown(todo, missing or field)
    reason = N_("Export revenue of %(revenue)s is planned.", revenue=roubles(revenue))
    return Finding(True, reason, value=_figure(roubles(revenue)), field=field)


def _subsidy_share(case: Case) -> Finding:
    subsidy, eligible, most = case.facts.subsidy, case.facts.eligible, case.rules.cap_share
    limit = N_("at most %(share)s of eligible costs", share=percent(most))
    if subsidy is None or eligible is None:
        return _unknown(N_("Fill in the costs and the requested subsidy."), "subsidy", limit)
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
    reason = N_(
        "The request of %(subsidy)s is within %(most)s of the eligible costs of %(eligible)s.", **named
    )
    return Finding(True, reason, _share(case), limit, field="subsidy")


def _share(case: Case) -> Message | None:
    return None if case.facts.subsidy_share is None else _figure(percent(case.facts.subsidy_share))


def _project_cap(case: Case) -> Finding:
    subsidy, cap = case.facts.subsidy, case.rules.project_cap
    if cap is None:
        return Finding(True, N_("There is no limit for one project."), field="subsidy")
    limit = N_("at most %(cap)s", cap=roubles(cap))
    if subsidy is None:
        return _unknown(N_("Fill in the requested subsidy."), "subsidy", limit)
    named = {"subsidy": roubles(subsidy), "cap": roubles(cap)}
    value = _figure(roubles(subsidy))
    if subsidy > cap:
        reason = N_("The request of %(subsidy)s exceeds the limit of %(cap)s for one project.", **named)
        todo = N_("Lower the request by %(excess)s.", excess=roubles(subsidy - cap))
        return Finding(False, reason, value, limit, todo, "subsidy")
    reason = N_("The request of %(subsidy)s is within the limit of %(cap)s for one project.", **named)
    return Finding(True, reason, value, limit, field="subsidy")


def _agreement_term(case: Case) -> Finding:
    years, most = case.facts.agreement_years, case.rule.number("max_years")
    field, limit = "project.agreement_years", N_("at most %(most)s years", most=most)
    todo = N_("Set a term of 1 to %(most)s years.", most=most)
    if years is None:
        return _unknown(todo, field, limit)
    reason = N_(
        "The agreement is to last %(years)s years; at most %(most)s are allowed.", years=years, most=most
    )
    return Finding(1 <= years <= most, reason, _figure(number(years)), limit, todo, field)


def _costs_not_before(case: Case) -> Finding:
    first, earliest = _date(case.project.get("costs_from")), case.rules.costs_from
    field, limit = "project.costs_from", N_("not before %(earliest)s", earliest=earliest)
    if first is None:
        return _unknown(N_("Give the date of the first cost."), field, limit)
    too_early = sorted(
        year for year, amount in case.facts.costs_by_year.items() if amount and year < str(earliest.year)
    )
    value, todo = (
        N_("%(first)s", first=first),
        N_("Leave out the costs before %(earliest)s.", earliest=earliest),
    )
    if too_early:
        reason = N_(
            "Costs are entered for %(year)s, before %(earliest)s.", year=too_early[0], earliest=earliest
        )
        return Finding(False, reason, value, limit, todo, "costs")
    reason = N_(
        "The first cost is of %(first)s; costs from %(earliest)s on count.", first=first, earliest=earliest
    )
    return Finding(first >= earliest, reason, value, limit, todo, field)


def _declared(case: Case) -> Finding:
    refused, open_ = _answers(case)
    field = f"declarations.{case.rule.code}"
    if refused:
        reason = N_("Declared as not fulfilled by: %(names)s.", names=_names(case, refused))
        todo = N_("Settle the matter and answer the declaration again.")
        return Finding(False, reason, todo=todo, field=field, participants=refused)
    if open_ or not case.facts.participants:
        return _unknown(N_("Every participant must answer this declaration."), field, who=open_)
    return Finding(True, N_("Declared by every participant."), field=field)


def _answered(case: Case) -> Finding:
    stated, open_ = _answers(case)
    field = f"declarations.{case.rule.code}"
    if open_ or not case.facts.participants:
        return _unknown(N_("Every participant must answer this declaration."), field, who=open_)
    if len(stated) < case.facts.participant_count:
        return Finding(True, N_("Other support is declared; it is no obstacle."), field=field)
    return Finding(True, N_("Every participant has declared that there is no other support."), field=field)


def _answers(case: Case) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Ids of the participants who answered no, and of those who did not answer."""
    answers = {
        str(part.get("id")): mapping(part.get("declarations")).get(case.rule.code)
        for part in parts(case.package)
    }
    return (
        tuple(id_ for id_, answer in answers.items() if answer is False),
        tuple(id_ for id_, answer in answers.items() if not isinstance(answer, bool)),
    )


def _declared_with_certificate(case: Case) -> Finding:
    found = _declared(case)
    code = case.rule.params["document"]
    required = case.rules.document(code)
    if found.holds is not True or required is None:
        return found
    field = f"documents.{code}"
    papers = {str(part.get("id")): given(part.get("documents")).get(code) for part in parts(case.package)}
    absent = tuple(id_ for id_, paper in papers.items() if paper is None)
    if absent:
        return _unknown(N_("Attach the document %(code)s.", code=code), field, who=absent)
    age = required.max_age_days
    if age is None or case.on is None:
        return found
    dates = {id_: _date(mapping(paper).get("issued_on")) for id_, paper in papers.items()}
    undated = tuple(id_ for id_, issued in dates.items() if issued is None)
    if undated:
        return _unknown(N_("Give the date of the document %(code)s.", code=code), field, who=undated)
    limit = N_("not older than %(days)s days", days=age)
    old = tuple(id_ for id_, issued in dates.items() if issued is not None and (case.on - issued).days > age)
    if old:
        reason = N_(
            "The document %(code)s is older than %(days)s days: %(names)s.",
            code=code,
            days=age,
            names=_names(case, old),
        )
        return Finding(
            False, reason, limit=limit, todo=N_("Attach a new one."), field=field, participants=old
        )
    reason = N_("Declared by every participant and certified not more than %(days)s days ago.", days=age)
    return Finding(True, reason, limit=limit, field=field)


def _offshore_share(case: Case) -> Finding:
    """The share in the organisation's profile decides; where there is none, its declaration does."""
    most = case.rule.number("max_percent")
    limit = N_("at most %(most)s", most=percent(most))
    field = f"declarations.{case.rule.code}"
    known = {str(part.get("id")): _offshore(part) for part in parts(case.package)}
    over = tuple(id_ for id_, held in known.items() if held is not None and held > most)
    highest = max((held for held in known.values() if held is not None), default=None)
    value = None if highest is None else _figure(percent(highest))
    if over:
        reason = N_(
            "Offshore companies hold more than %(most)s of: %(names)s.",
            most=percent(most),
            names=_names(case, over),
        )
        return Finding(False, reason, value, limit, N_("Leave the organisation out."), field, over)
    refused, open_ = _answers(case)
    if refused:
        reason = N_("Declared as not fulfilled by: %(names)s.", names=_names(case, refused))
        return Finding(False, reason, value, limit, N_("Leave the organisation out."), field, refused)
    unknown = tuple(id_ for id_ in open_ if known.get(id_) is None)
    if unknown or not known:
        return _unknown(N_("Every participant must answer this declaration."), field, limit, unknown)
    return Finding(
        True,
        N_("Offshore companies hold no more than %(most)s.", most=percent(most)),
        value,
        limit,
        field=field,
    )


def _offshore(part: Mapping[str, Any]) -> Decimal | None:
    return decimal_of(mapping(part.get("organisation")).get("offshore_share"))


def _industrial_activity(case: Case) -> Finding:
    """The main activity of the profile decides; an additional one counts when it is declared."""
    _, open_ = _answers(case)
    field = f"declarations.{case.rule.code}"
    other = [
        str(part.get("id"))
        for part in parts(case.package)
        if not _manufacturing(part) and mapping(part.get("declarations")).get(case.rule.code) is not True
    ]
    refused = tuple(id_ for id_ in other if id_ not in open_)
    if refused:
        reason = N_("No activity in section C of OKVED 2: %(names)s.", names=_names(case, refused))
        return Finding(
            False, reason, todo=N_("Leave the organisation out."), field=field, participants=refused
        )
    if other or not case.facts.participants:
        return _unknown(N_("Every participant must answer this declaration."), field, who=other)
    return Finding(True, N_("Every participant acts in the sphere of industry."), field=field)


def _manufacturing(part: Mapping[str, Any]) -> bool:
    division = str(mapping(part.get("organisation")).get("okved2") or "")[:2]
    return division.isdecimal() and 10 <= int(division) <= 33


def _applications_limit(case: Case) -> Finding:
    count, most = decimal_of(case.package.get("initiator_applications")), case.rule.number("max")
    limit = N_("at most %(most)s", most=number(most))
    if count is None:
        return Finding(None, N_("The number is counted by the officer at the formal check."), limit=limit)
    reason = N_("The initiator has %(count)s applications in this tender.", count=number(count))
    todo = N_("Withdraw one of the applications.")
    return Finding(count <= most, reason, _figure(number(count)), limit, todo)


def _co_financing(case: Case) -> Finding:
    facts, rules = case.facts, case.rules
    least = N_(
        "own and borrowed at least %(rest)s of eligible costs, own at least %(own)s of the subsidy",
        rest=percent(100 - rules.cap_share),
        own=percent(rules.own_share_of_subsidy),
    )
    if facts.eligible is None or facts.subsidy is None or facts.private is None:
        return _unknown(N_("Fill in the costs, the financing and the requested subsidy."), "financing", least)
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
    return Finding(
        False, reason, value, least, N_("Add own or borrowed funds, or lower the request."), "financing"
    )


def _yearly_requests(case: Case) -> Finding:
    allowed = [str(year) for year in case.rules.years]
    span = f"{allowed[0]}–{allowed[-1]}"
    limit = N_("%(span)s", span=span)
    asked = {year: amount for year, amount in case.facts.subsidy_by_year.items() if amount}
    if not asked:
        return _unknown(N_("Fill in the requested subsidy."), "subsidy", limit)
    outside = sorted(set(asked) - set(allowed))
    negative = sorted(year for year, amount in asked.items() if amount < 0)
    if outside or negative:
        year = (outside or negative)[0]
        reason = N_(
            "The request for %(year)s is outside the years %(span)s or below zero.", year=year, span=span
        )
        todo = N_("Move the request into the years of the track.")
        return Finding(False, reason, N_("%(years)s", years=", ".join(asked)), limit, todo, "subsidy")
    reason = N_("The subsidy is requested within the years %(span)s.", span=span)
    return Finding(True, reason, N_("%(years)s", years=", ".join(asked)), limit, field="subsidy")


def given(documents: object) -> dict[str, Mapping[str, Any]]:
    """The attached documents by code; of several with one code the last."""
    items = documents if isinstance(documents, (list, tuple)) else ()
    return {str(mapping(item).get("code")): mapping(item) for item in items}


def _missing(project: Mapping[str, Any], names: Iterable[str]) -> str:
    """The path of the first field that is empty, or ""."""
    return next((f"project.{name}" for name in names if project.get(name) in (None, "", [], ())), "")


def _date(value: object) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


CATALOGUE: Final[Mapping[str, Callable[[Case], Finding]]] = {
    "cluster_registered": _cluster_registered,
    "members_of_cluster": _members_of_cluster,
    "enough_participants": _enough_participants,
    "document_given": _document_given,
    "replaces_imports": _replaces_imports,
    "export_planned": _export_planned,
    "subsidy_share": _subsidy_share,
    "project_cap": _project_cap,
    "agreement_term": _agreement_term,
    "costs_not_before": _costs_not_before,
    "declared": _declared,
    "answered": _answered,
    "declared_with_certificate": _declared_with_certificate,
    "offshore_share": _offshore_share,
    "industrial_activity": _industrial_activity,
    "applications_limit": _applications_limit,
    "co_financing": _co_financing,
    "yearly_requests": _yearly_requests,
}
"""The check behind each name of ``tenders.checks.CHECKS``."""
