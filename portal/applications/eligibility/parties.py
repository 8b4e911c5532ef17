"""Checks of the cluster and of the participants: membership, declarations, standing."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from portal.applications.drafts.reading import mapping, parts
from portal.applications.eligibility.case import (
    Case,
    Finding,
    answers,
    date_of,
    figure_of,
    given,
    names_of,
    unknown,
)
from portal.core.figures import decimal_of, number, percent
from portal.core.language import N_


def cluster_registered(case: Case) -> Finding:
    cluster = mapping(case.package.get("cluster"))
    registered, until = cluster.get("in_register"), date_of(cluster.get("valid_until"))
    todo = N_("Ask the specialised organisation to confirm the cluster's entry in the register.")
    if registered is None or (until is not None and case.on is None):
        return unknown(todo, "cluster")
    if not registered:
        return Finding(False, N_("The cluster is not in the register."), todo=todo, field="cluster")
    if until is None:
        return Finding(True, N_("The cluster is in the register, its entry has no end date."), field="cluster")
    value = figure_of(until)
    if case.on is not None and until < case.on:
        reason = N_("The cluster's entry ended on %(until)s, before the filing date.", until=until)
        return Finding(False, reason, value=value, todo=todo, field="cluster")
    reason = N_("The cluster is in the register; its entry is valid until %(until)s.", until=until)
    return Finding(True, reason, value=value, field="cluster")


def members_of_cluster(case: Case) -> Finding:
    items = parts(case.package)
    field = "participants"
    todo = N_("Have the specialised organisation confirm the membership, or leave the organisation out.")
    if not items:
        return unknown(N_("Add the participants of the project."), field)
    outside = tuple(str(item.get("id")) for item in items if item.get("cluster_member") is False)
    if outside:
        reason = N_("Not members of the cluster: %(names)s.", names=names_of(case, outside))
        return Finding(False, reason, todo=todo, field=field, participants=outside)
    not_told = tuple(str(item.get("id")) for item in items if item.get("cluster_member") is not True)
    if not_told:
        return unknown(todo, field, who=not_told)
    return Finding(True, N_("All %(count)s participants are members of the cluster.", count=len(items)), field=field)


def enough_participants(case: Case) -> Finding:
    count, least = case.facts.participant_count, case.rules.min_participants
    holds = count >= least
    return Finding(
        holds,
        N_("The project has %(count)s participants; at least %(least)s are needed.", count=count, least=least),
        value=figure_of(number(count)),
        limit=N_("at least %(least)s", least=least),
        todo=N_("Invite another member of the cluster."),
        field="participants",
    )


def declared(case: Case) -> Finding:
    refused, open_ = answers(case)
    field = f"declarations.{case.rule.code}"
    if refused:
        reason = N_("Declared as not fulfilled by: %(names)s.", names=names_of(case, refused))
        todo = N_("Settle the matter and answer the declaration again.")
        return Finding(False, reason, todo=todo, field=field, participants=refused)
    if open_ or not case.facts.participants:
        return unknown(N_("Every participant must answer this declaration."), field, who=open_)
    return Finding(True, N_("Declared by every participant."), field=field)


def answered(case: Case) -> Finding:
    stated, open_ = answers(case)
    field = f"declarations.{case.rule.code}"
    if open_ or not case.facts.participants:
        return unknown(N_("Every participant must answer this declaration."), field, who=open_)
    if len(stated) < case.facts.participant_count:
        return Finding(True, N_("Other support is declared; it is no obstacle."), field=field)
    return Finding(True, N_("Every participant has declared that there is no other support."), field=field)


def declared_with_certificate(case: Case) -> Finding:
    found = declared(case)
    code = case.rule.params["document"]
    required = case.rules.document(code)
    if found.holds is not True or required is None:
        return found
    field = f"documents.{code}"
    papers = {str(part.get("id")): given(part.get("documents")).get(code) for part in parts(case.package)}
    absent = tuple(id_ for id_, paper in papers.items() if paper is None)
    if absent:
        return unknown(N_("Attach the document %(code)s.", code=code), field, who=absent)
    age = required.max_age_days
    if age is None or case.on is None:
        return found
    dates = {id_: date_of(mapping(paper).get("issued_on")) for id_, paper in papers.items()}
    undated = tuple(id_ for id_, issued in dates.items() if issued is None)
    if undated:
        return unknown(N_("Give the date of the document %(code)s.", code=code), field, who=undated)
    limit = N_("not older than %(days)s days", days=age)
    old = tuple(id_ for id_, issued in dates.items() if issued is not None and (case.on - issued).days > age)
    if old:
        reason = N_(
            "The document %(code)s is older than %(days)s days: %(names)s.",
            code=code,
            days=age,
            names=names_of(case, old),
        )
        return Finding(False, reason, limit=limit, todo=N_("Attach a new one."), field=field, participants=old)
    reason = N_("Declared by every participant and certified not more than %(days)s days ago.", days=age)
    return Finding(True, reason, limit=limit, field=field)


def offshore_share(case: Case) -> Finding:
    """The share in the organisation's profile decides; where there is none, its declaration does."""
    most = case.rule.number("max_percent")
    limit = N_("at most %(most)s", most=percent(most))
    field = f"declarations.{case.rule.code}"
    known = {str(part.get("id")): _offshore(part) for part in parts(case.package)}
    over = tuple(id_ for id_, held in known.items() if held is not None and held > most)
    highest = max((held for held in known.values() if held is not None), default=None)
    value = None if highest is None else figure_of(percent(highest))
    if over:
        reason = N_(
            "Offshore companies hold more than %(most)s of: %(names)s.",
            most=percent(most),
            names=names_of(case, over),
        )
        return Finding(False, reason, value, limit, N_("Leave the organisation out."), field, over)
    refused, open_ = answers(case)
    if refused:
        reason = N_("Declared as not fulfilled by: %(names)s.", names=names_of(case, refused))
        return Finding(False, reason, value, limit, N_("Leave the organisation out."), field, refused)
    not_told = tuple(id_ for id_ in open_ if known.get(id_) is None)
    if not_told or not known:
        return unknown(N_("Every participant must answer this declaration."), field, limit, not_told)
    return Finding(
        True,
        N_("Offshore companies hold no more than %(most)s.", most=percent(most)),
        value,
        limit,
        field=field,
    )


def _offshore(part: Mapping[str, Any]) -> Decimal | None:
    return decimal_of(mapping(part.get("organisation")).get("offshore_share"))


def industrial_activity(case: Case) -> Finding:
    """The main activity of the profile decides; an additional one counts when it is declared."""
    _, open_ = answers(case)
    field = f"declarations.{case.rule.code}"
    other = [
        str(part.get("id"))
        for part in parts(case.package)
        if not _manufacturing(part) and mapping(part.get("declarations")).get(case.rule.code) is not True
    ]
    refused = tuple(id_ for id_ in other if id_ not in open_)
    if refused:
        reason = N_("No activity in section C of OKVED 2: %(names)s.", names=names_of(case, refused))
        return Finding(False, reason, todo=N_("Leave the organisation out."), field=field, participants=refused)
    if other or not case.facts.participants:
        return unknown(N_("Every participant must answer this declaration."), field, who=other)
    return Finding(True, N_("Every participant acts in the sphere of industry."), field=field)


def _manufacturing(part: Mapping[str, Any]) -> bool:
    division = str(mapping(part.get("organisation")).get("okved2") or "")[:2]
    return division.isdecimal() and 10 <= int(division) <= 33


def applications_limit(case: Case) -> Finding:
    count, most = decimal_of(case.package.get("initiator_applications")), case.rule.number("max")
    limit = N_("at most %(most)s", most=number(most))
    if count is None:
        return Finding(None, N_("The number is counted by the officer at the formal check."), limit=limit)
    reason = N_("The initiator has %(count)s applications in this tender.", count=number(count))
    todo = N_("Withdraw one of the applications.")
    return Finding(count <= most, reason, figure_of(number(count)), limit, todo)
