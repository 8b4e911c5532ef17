"""A versioned rule set: its shape, its invariants, its scales, and its JSON."""

from portal.tenders.ruleset.model import (
    Aspect,
    Component,
    CostCategory,
    Criterion,
    Declaration,
    Direction,
    DocumentRequirement,
    EligibilityRule,
    Exclusion,
    Kpi,
    Need,
    RefusalReason,
    RuleSet,
    Severity,
    Source,
    TieRule,
)
from portal.tenders.ruleset.questions import Comparison, Condition, Fact, Option, Question, QuestionKind
from portal.tenders.ruleset.reading import from_json, rules_digest, to_json
from portal.tenders.ruleset.scales import MAX_POINTS, Bands, Linear, Scale, YesNo
from portal.tenders.ruleset.texts import Giver, Text

__all__ = [
    "MAX_POINTS",
    "Aspect",
    "Bands",
    "Comparison",
    "Component",
    "Condition",
    "CostCategory",
    "Criterion",
    "Declaration",
    "Direction",
    "DocumentRequirement",
    "EligibilityRule",
    "Exclusion",
    "Fact",
    "Giver",
    "Kpi",
    "Linear",
    "Need",
    "Option",
    "Question",
    "QuestionKind",
    "RefusalReason",
    "RuleSet",
    "Scale",
    "Severity",
    "Source",
    "Text",
    "TieRule",
    "YesNo",
    "from_json",
    "rules_digest",
    "to_json",
]
