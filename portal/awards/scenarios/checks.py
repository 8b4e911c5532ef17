"""What is wrong with the changes of a scenario, all at once. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from portal.awards.allocation.problem import EACH, PERCENT, PROJECTS, SME, UNITS, Policy
from portal.awards.scenarios.changes import HUNDRED, Changes, Ground, Supposed, limits_of, policy_of
from portal.core.errors import Problem
from portal.core.figures import number, roubles
from portal.core.language import N_
from portal.tenders.ruleset import MAX_POINTS

MOST_MONEY: Final = Decimal("1e13")
MOST_SCORES: Final = 50
MOST_LIMITS: Final = 40
MOST_BEST: Final = 300
MOST_PROJECTS: Final = Decimal(10_000)
LEAST_REASON: Final = 10
MOST_REASON: Final = 500


def problems(ground: Ground, changes: Changes) -> list[Problem]:
    """Everything that keeps these changes from being applied; fields are ``weights.CR-01``, ``threshold``,
    ``available.2018``, ``policy``, ``limits.0.most``, ``scores`` and ``scores.JP-2018-IS-0007.CR-10``."""
    return [
        *_weights(ground, changes),
        *_threshold(changes),
        *_money(ground, changes),
        *_policy(ground, changes),
        *_limits(ground, changes),
        *_scores(ground, changes),
    ]


def _weights(ground: Ground, changes: Changes) -> Iterator[Problem]:
    if not changes.weights:
        return
    codes = {each.code for each in ground.rules.criteria}
    for code in sorted({*changes.weights, *codes}):
        weight = changes.weights.get(code)
        if code not in codes or weight is None:
            yield Problem("criteria", f"weights.{code}", N_("Every criterion of the rule set has one weight."))
        elif not 0 <= weight <= HUNDRED or not _places(weight, 2):
            yield Problem(
                "weight", f"weights.{code}", N_("A weight is a number from 0 to 100 with at most two decimals.")
            )
    total = sum(changes.weights.values(), Decimal(0))
    if total != HUNDRED:
        yield Problem("sum", "weights", N_("The weights add up to %(total)s, they must give 100.", total=number(total)))


def _threshold(changes: Changes) -> Iterator[Problem]:
    least = changes.threshold
    if least is not None and not (0 <= least <= HUNDRED and _places(least, 2)):
        yield Problem(
            "threshold", "threshold", N_("The threshold is a number from 0 to 100 with at most two decimals.")
        )


def _money(ground: Ground, changes: Changes) -> Iterator[Problem]:
    for year, amount in changes.available.items():
        if year not in ground.years:
            yield Problem("year", f"available.{year}", N_("This track has no money in this year."))
        elif not 0 <= amount <= MOST_MONEY or not _places(amount, 2):
            most = roubles(MOST_MONEY)
            yield Problem("money", f"available.{year}", N_("An amount from zero to %(most)s.", most=most))


def _policy(ground: Ground, changes: Changes) -> Iterator[Problem]:
    policy = changes.policy or policy_of(ground.rules)
    if policy is Policy.BEST_TOTAL and len(ground.projects) > MOST_BEST:
        said = N_("The best total is computed here for at most %(most)s applications.", most=MOST_BEST)
        yield Problem("policy", "policy", said)


def _limits(ground: Ground, changes: Changes) -> Iterator[Problem]:
    limits = changes.limits or ()
    if len(limits) > MOST_LIMITS:
        yield Problem("many", "limits", N_("At most %(most)s limits in a scenario.", most=MOST_LIMITS))
    groups = groups_of(ground)
    for place, limit in enumerate(limits):
        at = f"limits.{place}"
        if limit.value not in groups.get(limit.field, ()):
            yield Problem("group", f"{at}.group", N_("Choose what is limited."))
        if limit.unit not in UNITS:
            yield Problem("unit", f"{at}.unit", N_("Choose what is counted."))
        bounds = [bound for bound in (limit.least, limit.most) if bound is not None]
        if not bounds:
            yield Problem("bound", f"{at}.most", N_("Give the most, or the least where the best total is computed."))
        for name, bound in (("least", limit.least), ("most", limit.most)):
            if bound is not None and not _fits(bound, limit.unit):
                said = N_("A whole number of projects, roubles with kopecks, or a percentage up to 100.")
                yield Problem("bound", f"{at}.{name}", said)
        if len(bounds) == 2 and bounds[0] > bounds[1]:
            yield Problem("order", f"{at}.least", N_("The least is more than the most."))
        policy = changes.policy or policy_of(ground.rules)
        if limit.least is not None and policy is not Policy.BEST_TOTAL and limit not in limits_of(ground.rules):
            said = N_("Only the best total can be held to a minimum: a ranking cannot be steered by one.")
            yield Problem("least", f"{at}.least", said)


def _fits(bound: Decimal, unit: str) -> bool:
    most = {PROJECTS: MOST_PROJECTS, PERCENT: HUNDRED}.get(unit, MOST_MONEY)
    return 0 <= bound <= most and _places(bound, 0 if unit == PROJECTS else 2)


def groups_of(ground: Ground) -> dict[str, list[str]]:
    """What limits of a track may look at: field -> values, :data:`EACH` for one limit on each of them."""
    values = {
        "region": {each.region for each in ground.projects},
        "cluster": {each.cluster for each in ground.projects},
        "category": {category for each in ground.projects for category in each.categories} - {SME},
        "organisation": {key for each in ground.projects for key in each.organisations},
    }
    found = {field: [EACH, *sorted(held - {""})] for field, held in values.items()} | {"sme": [SME]}
    for limit in limits_of(ground.rules):
        if limit.value not in found[limit.field]:
            found[limit.field].append(limit.value)
    return found


def _scores(ground: Ground, changes: Changes) -> Iterator[Problem]:
    if sum(len(held) for held in changes.scores.values()) > MOST_SCORES:
        yield Problem("many", "scores", N_("At most %(most)s single scores in a scenario.", most=MOST_SCORES))
    for named, held in changes.scores.items():
        project = ground.numbers.get(named)
        for code, supposed in held.items():
            place = f"scores.{named}.{code}"
            if project is None:
                yield Problem("application", place, N_("There is no such application in this track."))
            elif code not in project.lines:
                yield Problem("criterion", place, N_("There is no such criterion in the rule set."))
            else:
                yield from _supposed(place, supposed)


def _supposed(place: str, supposed: Supposed) -> Iterator[Problem]:
    if not (0 <= supposed.points <= MAX_POINTS and _places(supposed.points, 4)):
        yield Problem("points", place, N_("Points are a number from 0 to 10 with at most four decimals."))
    if not LEAST_REASON <= len(supposed.reason) <= MOST_REASON:
        said = N_("Say why in %(least)s to %(most)s characters.", least=LEAST_REASON, most=MOST_REASON)
        yield Problem("reason", place, said)


def _places(value: Decimal, most: int) -> bool:
    """Whether a number is finite and has at most so many decimals."""
    return value.is_finite() and value == round(value, most)
