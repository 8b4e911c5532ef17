"""What must hold in every rule set beyond its shape; each fault with the path of its field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Final, Protocol

from portal.core.errors import Problem
from portal.core.figures import decimal_of, number
from portal.core.language import N_, Message
from portal.tenders.checks import CHECKS
from portal.tenders.metrics import METRICS, Unit
from portal.tenders.ruleset import allocation, commission, questions
from portal.tenders.ruleset.model import Aspect, Component, Criterion, EligibilityRule, RuleSet, TieRule, aspect_key
from portal.tenders.ruleset.scales import MAX_POINTS, Bands, Linear, YesNo
from portal.tenders.ruleset.texts import Text

HUNDRED: Final = Decimal(100)
MOST_REVIEWERS: Final = 9
_PERCENTAGES: Final = ("cap_share", "own_share_of_subsidy", "threshold")
_COUNTS: Final = (
    "min_participants",
    "reviewers_per_application",
    "notice_days",
    "intake_calendar_days",
    "formal_check_days",
    "correction_days",
    "refusal_notice_days",
    "review_days",
    "commission_days",
    "minutes_days",
    "order_days",
    "publication_days",
    "agreement_days",
)
_LISTS: Final = (
    "eligibility",
    "categories",
    "exclusions",
    "criteria",
    "documents",
    "kpis",
    "declarations",
    "refusal_reasons",
    "lanes",
    "limits",
)


class _Coded(Protocol):
    @property
    def code(self) -> str: ...


def broken(rules: RuleSet) -> list[Problem]:
    """All invariants that do not hold, in the order of the fields; an empty list for a sound rule set."""
    return [
        *_parameters(rules),
        *_texts(rules),
        *(problem for name in _LISTS for problem in codes(name, getattr(rules, name))),
        *(problem for at, rule in enumerate(rules.eligibility) for problem in _rule(f"eligibility.{at}", rule, rules)),
        *_caps(rules),
        *_criteria(rules),
        *_lanes(rules),
        *_ties(rules),
        *_conflict_ties(rules),
        *questions.faults(rules.questions),
        *commission.faults(rules.commission),
        *allocation.faults(rules.limits),
        *allocation.part_faults(rules.smallest_part, rules.offer_days),
    ]


def _parameters(rules: RuleSet) -> Iterator[Problem]:
    if not rules.years or any(later <= earlier for earlier, later in pairwise(rules.years)):
        yield Problem("not_increasing", "years", N_("The years must be given in increasing order."))
    elif rules.costs_from.year > rules.years[-1]:
        yield Problem("too_late", "costs_from", N_("The first day of allowed costs must lie before the last year."))
    if rules.track not in ("import_substitution", "export"):
        yield Problem("not_allowed", "track", N_("There is no such track."))
    for name in _PERCENTAGES:
        yield from _within(name, getattr(rules, name), HUNDRED)
    yield from _within("spread_limit", rules.spread_limit, MAX_POINTS)
    if rules.project_cap is not None and rules.project_cap <= 0:
        yield Problem("not_positive", "project_cap", N_("The largest subsidy must be more than zero, or left empty."))
    for name in _COUNTS:
        if not 1 <= getattr(rules, name) <= 365:
            yield Problem("out_of_range", name, N_("The number must be between 1 and 365."))


def _within(field: str, value: Decimal, most: Decimal) -> Iterator[Problem]:
    if not 0 <= value <= most:
        yield Problem("out_of_range", field, N_("The number must be between 0 and %(most)s.", most=number(most)))


def _texts(rules: RuleSet) -> Iterator[Problem]:
    yield from filled("title", rules.title)
    for name in (
        "eligibility",
        "categories",
        "exclusions",
        "criteria",
        "documents",
        "kpis",
        "refusal_reasons",
        "lanes",
    ):
        for at, item in enumerate(getattr(rules, name)):
            yield from filled(f"{name}.{at}.title", item.title)
    for at, declaration in enumerate(rules.declarations):
        yield from filled(f"declarations.{at}.statement", declaration.statement)


def filled(field: str, text: Text) -> Iterator[Problem]:
    """What is missing of a text, which is given in both languages."""
    for locale in ("ru", "en"):
        if not text[locale].strip():
            yield Problem("required", f"{field}.{locale}", N_("Give this text in both languages."))


def codes(name: str, items: Sequence[_Coded]) -> Iterator[Problem]:
    """Items of a list without a code, or with that of another one."""
    seen: set[str] = set()
    for at, item in enumerate(items):
        if not item.code.strip():
            yield Problem("required", f"{name}.{at}.code", N_("Give a code."))
        elif item.code in seen:
            message = N_("The code %(code)s is used twice.", code=item.code)
            yield Problem("duplicate", f"{name}.{at}.code", message)
        seen.add(item.code)


def _rule(field: str, rule: EligibilityRule, rules: RuleSet) -> Iterator[Problem]:
    needed = CHECKS.get(rule.check)
    if needed is None:
        yield Problem("unknown_check", f"{field}.check", N_("There is no check of this name."))
        return
    if set(rule.params) != needed:
        names = ", ".join(sorted(needed)) or "-"
        yield Problem("wrong_params", f"{field}.params", N_("This check needs the parameters: %(names)s.", names=names))
        return
    for name, value in rule.params.items():
        if name == "document":
            if rules.document(value) is None:
                yield Problem("unknown_document", f"{field}.params.{name}", N_("There is no document of this code."))
        elif (limit := decimal_of(value)) is None or limit < 0:
            yield Problem("not_number", f"{field}.params.{name}", N_("This must be a number of zero or more."))
    if rule.check in ("declared", "answered", "declared_with_certificate") and not any(
        declaration.code == rule.code for declaration in rules.declarations
    ):
        yield Problem("no_declaration", f"{field}.code", N_("This check needs a declaration of the same code."))


def _caps(rules: RuleSet) -> Iterator[Problem]:
    for at, category in enumerate(rules.categories):
        if category.cap is not None:
            yield from _within(f"categories.{at}.cap", category.cap, HUNDRED)


def _criteria(rules: RuleSet) -> Iterator[Problem]:
    weights = sum((criterion.weight for criterion in rules.criteria), Decimal(0))
    if weights != HUNDRED:
        message = N_("The weights must sum to 100; now they sum to %(sum)s.", sum=number(weights))
        yield Problem("weights", "criteria", message)
    for at, criterion in enumerate(rules.criteria):
        yield from _criterion(f"criteria.{at}", criterion)


def _criterion(field: str, criterion: Criterion) -> Iterator[Problem]:
    if criterion.weight <= 0:
        yield Problem("not_positive", f"{field}.weight", N_("A weight must be more than zero."))
    if bool(criterion.components) == bool(criterion.aspects):
        message = N_("A criterion needs either metrics or aspects for reviewers.")
        yield Problem("components_or_aspects", field, message)
    shares = sum((component.share for component in criterion.components), Decimal(0))
    if criterion.components and shares != 1:
        message = N_("The shares must sum to 1; now they sum to %(sum)s.", sum=number(shares))
        yield Problem("shares", f"{field}.components", message)
    for at, component in enumerate(criterion.components):
        yield from _component(f"{field}.components.{at}", component)
    for at, aspect in enumerate(criterion.aspects):
        yield from filled(f"{field}.aspects.{at}.title", aspect.title)
        yield from _anchors(f"{field}.aspects.{at}", aspect)
    yield from codes(f"{field}.aspects", criterion.aspects)


def _anchors(field: str, aspect: Aspect) -> Iterator[Problem]:
    """Anchors, where there are any, go from 0 to 10 without gaps."""
    following = 0
    for at, anchor in enumerate(aspect.anchors):
        yield from filled(f"{field}.anchors.{at}.text", anchor.text)
        if anchor.least != following or anchor.most < anchor.least:
            message = N_(
                "The scores go from 0 to 10 in ascending order: this one begins with %(score)s.", score=following
            )
            yield Problem("anchor", f"{field}.anchors.{at}.least", message)
            return
        following = anchor.most + 1
    if aspect.anchors and following != MAX_POINTS + 1:
        last = len(aspect.anchors) - 1
        yield Problem("anchor", f"{field}.anchors.{last}.most", N_("The last one ends with 10."))


def _lanes(rules: RuleSet) -> Iterator[Problem]:
    """Every aspect belongs to exactly one lane, and every lane has something to score."""
    if not rules.lanes:
        return
    counts = {key: 0 for lane in rules.lanes for key in lane.aspects}
    for at, lane in enumerate(rules.lanes):
        if not 1 <= lane.reviewers <= MOST_REVIEWERS:
            message = N_("The number must be between 1 and %(most)s.", most=MOST_REVIEWERS)
            yield Problem("out_of_range", f"lanes.{at}.reviewers", message)
        if not lane.aspects:
            yield Problem("nothing_to_score", f"lanes.{at}", N_("Give this lane at least one aspect to score."))
        for key in lane.aspects:
            counts[key] += 1
    for place, criterion in enumerate(rules.criteria):
        for at, aspect in enumerate(criterion.aspects):
            count = counts.pop(aspect_key(criterion, aspect), 0)
            if count != 1:
                message = N_("Each aspect belongs to one lane: choose it.")
                yield Problem("not_one_lane", f"criteria.{place}.aspects.{at}.lane", message)
    for key in sorted(counts):
        message = N_("The lanes name the aspect %(key)s, which does not exist.", key=key)
        yield Problem("unknown_aspect", "lanes", message)


def _component(field: str, component: Component) -> Iterator[Problem]:
    if component.share <= 0:
        yield Problem("not_positive", f"{field}.share", N_("A share must be more than zero."))
    metric = METRICS.get(component.metric)
    if metric is None:
        yield Problem("unknown_metric", f"{field}.metric", N_("There is no metric of this name."))
    elif (metric.unit is Unit.FLAG) != isinstance(component.scale, YesNo):
        message = N_("A yes/no metric needs a yes/no scale, a number needs points or steps.")
        yield Problem("wrong_scale", f"{field}.scale", message)
    yield from _scale(f"{field}.scale", component)


def _scale(field: str, component: Component) -> Iterator[Problem]:
    scale = component.scale
    if isinstance(scale, YesNo):
        yield from _within(f"{field}.yes", scale.yes, MAX_POINTS)
        yield from _within(f"{field}.no", scale.no, MAX_POINTS)
    elif isinstance(scale, Linear):
        yield from _line(f"{field}.points", scale.points, least=2)
    elif isinstance(scale, Bands):
        yield from _line(f"{field}.bands", scale.bands, least=1)
        if scale.open_below and scale.bands and not scale.falling:
            message = N_("Only a scale whose points fall gives those of its first step below it too.")
            yield Problem("not_falling", f"{field}.open_below", message)


def _line(field: str, points: Sequence[tuple[Decimal, Decimal]], least: int) -> Iterator[Problem]:
    if len(points) < least:
        yield Problem("too_few", field, N_("A scale needs at least %(least)s points.", least=least))
    values = [value for value, _ in points]
    scores = [score for _, score in points]
    if not _grows(values, strictly=True):
        yield Problem("not_increasing", field, N_("The values of a scale must be in strictly increasing order."))
    if not _grows(scores) and not _grows([-score for score in scores]):
        yield Problem("not_monotone", field, N_("The points of a scale must only rise or only fall."))
    for at, score in enumerate(scores):
        yield from _within(f"{field}.{at}.1", score, MAX_POINTS)


def _grows(numbers: Iterable[Decimal], strictly: bool = False) -> bool:
    return all(later > earlier or (later == earlier and not strictly) for earlier, later in pairwise(numbers))


def _conflict_ties(rules: RuleSet) -> Iterator[Problem]:
    seen: set[str] = set()
    for place, ruling in enumerate(rules.conflict_ties):
        if ruling.tie in seen:
            yield Problem("duplicate", f"conflict_ties.{place}.tie", N_("This kind of tie is decided twice."))
        seen.add(ruling.tie)


def _ties(rules: RuleSet) -> Iterator[Problem]:
    if len(set(rules.tie_rules)) != len(rules.tie_rules):
        yield Problem("duplicate", "tie_rules", N_("A tie rule is given twice."))
    message: Message = N_("The last tie rule must be the registration number, so that no tie stays open.")
    if not rules.tie_rules or rules.tie_rules[-1] is not TieRule.NUMBER:
        yield Problem("open_tie", "tie_rules", message)
