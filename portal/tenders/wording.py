"""How the rules of a rule set are told to people: limits of eligibility rules, tie rules, gates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from portal.core.figures import number, percent, roubles
from portal.core.language import N_, Message
from portal.core.regions import find
from portal.tenders.ruleset import (
    Allotment,
    Blindness,
    EligibilityRule,
    ExpertMean,
    Giver,
    LimitField,
    LimitUnit,
    Need,
    RuleSet,
    Severity,
    Sight,
    Tie,
    TieEffect,
    TieRule,
)

Teller = Callable[[EligibilityRule, RuleSet], Message | None]


def _project_cap(rule: EligibilityRule, rules: RuleSet) -> Message:
    if rules.project_cap is None:
        return N_("no limit")
    return N_("at most %(sum)s", sum=roubles(rules.project_cap))


def _document(rule: EligibilityRule, rules: RuleSet) -> Message | None:
    document = rules.document(rule.params.get("document", ""))
    return N_("document %(code)s", code=document.code) if document else None


_LIMITS: Final[dict[str, Teller]] = {
    "enough_participants": lambda rule, rules: N_("at least %(count)s", count=rules.min_participants),
    "document_given": _document,
    "declared_with_certificate": _document,
    "subsidy_share": lambda rule, rules: N_("at most %(share)s of eligible costs", share=percent(rules.cap_share)),
    "project_cap": _project_cap,
    "agreement_term": lambda rule, rules: N_("at most %(years)s years", years=number(rule.number("max_years"))),
    "costs_not_before": lambda rule, rules: N_("not before %(day)s", day=rules.costs_from),
    "offshore_share": lambda rule, rules: N_("at most %(share)s", share=percent(rule.number("max_percent"))),
    "applications_limit": lambda rule, rules: N_("at most %(count)s", count=number(rule.number("max"))),
    "co_financing": lambda rule, rules: N_(
        "own funds at least %(share)s of the subsidy", share=percent(rules.own_share_of_subsidy)
    ),
    "yearly_requests": lambda rule, rules: N_("%(first)s to %(last)s", first=rules.years[0], last=rules.years[-1]),
}


def limit(rule: EligibilityRule, rules: RuleSet) -> Message | None:
    """The limit of a rule in words, or None where the rule has none."""
    tell = _LIMITS.get(rule.check)
    return tell(rule, rules) if tell else None


TIES: Final = {
    TieRule.SUBSIDY_PER_HPJ: N_("less subsidy per high-productivity job"),
    TieRule.REGISTERED_AT: N_("earlier registration of the application"),
    TieRule.DRAW: N_("public draw of lots"),
    TieRule.NUMBER: N_("smaller registration number"),
}

CONFLICT_TIES: Final = {
    Tie.FORMER: N_("former employment, up to five years ago"),
    Tie.MINORITY: N_("a minority share in the capital"),
    Tie.CONTRACT: N_("a contract with the organisation"),
    Tie.OTHER: N_("another declared tie"),
    Tie.SUPPLY: N_("supplies by the functional map"),
    Tie.PARTNERS: N_("an earlier joint project"),
    Tie.CLUSTER: N_("the same cluster"),
    Tie.COMPETITOR: N_("an own application to the same track"),
}

TIE_EFFECTS: Final = {
    TieEffect.BARS: N_("bars from the review"),
    TieEffect.DECIDED: N_("an officer decides each"),
    TieEffect.NONE: N_("no conflict of interest"),
}

BLINDNESS: Final = {
    Blindness.OPEN: N_("Reviewers see who applies"),
    Blindness.APPLICANTS_HIDDEN: N_("Who applies is hidden from the reviewers"),
}

ALLOTMENTS: Final = {
    Allotment.STRICT: N_("Rank order, stopping at the first that does not fit"),
    Allotment.SKIPPING: N_("Rank order, passing over what does not fit"),
    Allotment.PARTIAL: N_("Rank order with partial funding"),
    Allotment.BEST_TOTAL: N_("Best total of points"),
}

LIMIT_FIELDS: Final = {
    LimitField.REGION: N_("Region of the initiator (code)"),
    LimitField.CLUSTER: N_("Cluster (code)"),
    LimitField.CATEGORY: N_("Size of the initiator (micro, small, medium)"),
    LimitField.ORGANISATION: N_("Organisation that takes part (INN)"),
    LimitField.SME: N_("Small and medium-sized initiators"),
}

LIMIT_UNITS: Final = {
    LimitUnit.PROJECTS: N_("projects"),
    LimitUnit.ROUBLES: N_("roubles"),
    LimitUnit.PERCENT: N_("per cent of the envelopes"),
}

OF_EACH: Final = {
    LimitField.REGION: N_("each region"),
    LimitField.CLUSTER: N_("each cluster"),
    LimitField.CATEGORY: N_("each category of beneficiaries"),
    LimitField.ORGANISATION: N_("each organisation"),
    LimitField.SME: N_("small and medium-sized enterprises"),
}


def limit_group(field: str, value: str) -> Message:
    """What a limit counts, as it is said: each of a kind, a region's name in both languages, or a code."""
    if value.strip() == "*" or field == LimitField.SME:
        return OF_EACH[LimitField(field)]
    region = find(value.strip()) if field == LimitField.REGION else None
    named = value.strip() if region is None else {"ru": region.name_in("ru"), "en": region.name_in("en")}
    return Message("%(group)s", {"group": named})


EXPERT_MEANS: Final = {
    ExpertMean.RAW: N_("the plain mean of the reviews"),
    ExpertMean.CALIBRATED: N_("the mean with the reviewers' severity taken out"),
}

SIGHTS: Final = {
    Sight.ALL_PARTICIPANTS: N_("all participants of the project"),
    Sight.INITIATOR: N_("the participant itself and the initiator"),
    Sight.OWN: N_("the participant itself alone"),
}

SEVERITIES: Final = {
    Severity.BLOCKS: N_("Refusal"),
    Severity.WARNS: N_("Warning"),
}

NEEDS: Final = {
    Need.REQUIRED: N_("Required"),
    Need.RECOMMENDED: N_("Recommended"),
    Need.OPTIONAL: N_("Optional"),
    Need.PORTAL: N_("Made by the portal"),
}

GIVERS: Final = {
    Giver.PROJECT: N_("Initiator, once for the project"),
    Giver.EACH: N_("Each participant"),
}

PARAMETERS: Final = {
    "document": N_("Document"),
    "max_years": N_("Most years"),
    "max_percent": N_("Most, per cent"),
    "max": N_("Most"),
}
"""The parameters that a check may need."""


def gates(rules: RuleSet) -> list[Message]:
    """What keeps an application from being recommended, whatever its place."""
    return [
        N_("An eligibility rule with the consequence of refusal does not hold."),
        N_("The net present value of the project is below zero."),
        N_("The total is below the threshold of %(points)s points.", points=number(rules.threshold)),
    ]


CHECK_NAMES: Final = {
    "cluster_registered": N_("Cluster is in the register"),
    "members_of_cluster": N_("All are members of the cluster"),
    "enough_participants": N_("Enough participants"),
    "document_given": N_("A document is given"),
    "replaces_imports": N_("Product replaces imports"),
    "export_planned": N_("Export is planned"),
    "subsidy_share": N_("Share of the subsidy"),
    "project_cap": N_("Largest subsidy"),
    "agreement_term": N_("Term of the agreement"),
    "costs_not_before": N_("First day of costs"),
    "declared": N_("Declared with yes"),
    "answered": N_("Declaration is answered"),
    "declared_with_certificate": N_("Declared with yes, certificate given"),
    "offshore_share": N_("Offshore share"),
    "industrial_activity": N_("Industrial activity"),
    "applications_limit": N_("Number of applications"),
    "co_financing": N_("Co-financing"),
    "yearly_requests": N_("Subsidy by years"),
}
"""What each check of :data:`portal.tenders.checks.CHECKS` looks at, in short."""
