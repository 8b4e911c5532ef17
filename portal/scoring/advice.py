"""What would bring more points: for each metric the nearest change that reaches the next point, and the full points.

Pure. Each step changes one metric and leaves all others as they are; a change that also moves another metric (a
smaller request moves several) brings what the self-check shows afterwards. Values are rounded to hundredths, whole
counts to whole numbers, and sums to whole roubles, each in the direction that reaches the points.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from itertools import pairwise
from typing import Final

from portal.applications.figures.facts import Facts
from portal.core.figures import exact, four_places, number, percent, roubles, two_places
from portal.core.language import N_, Message
from portal.scoring.engine import value_of
from portal.tenders.ruleset import MAX_POINTS, Bands, Component, Criterion, Linear, RuleSet, Scale, Text, YesNo

_WHOLE: Final = ("participant_count", "export_countries", "trl", "rcc")
_HUNDRED: Final = Decimal(100)
_HUNDRED_MILLION: Final = Decimal(100_000_000)
_ROUBLE: Final = Decimal(1)
_CENT: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Step:
    """One change: ``value`` of the metric now (None: not filled in), ``target``, and the points that it brings.

    ``points`` are those of the metric's scale (0 to 10) at the target, ``gain`` what the total score rises by.
    ``how`` says it in terms of what is filled in. ``full``: the target gives the most that the scale has.
    """

    criterion: str
    title: Text
    metric: str
    value: Decimal | None
    target: Decimal
    points: Decimal
    gain: Decimal
    full: bool
    how: Message | None


def steps(facts: Facts, rules: RuleSet) -> list[Step]:
    """Every next step and every step to full points, those that bring the most first."""
    with exact():
        found = [step for criterion in rules.criteria for step in _of_criterion(criterion, facts)]
    return sorted(found, key=lambda step: (-step.gain, step.criterion, step.metric, step.target))


def _of_criterion(criterion: Criterion, facts: Facts) -> Iterator[Step]:
    held = [(item, value_of(facts, item.metric)) for item in criterion.components]
    points = [points_of(item.scale, value) for item, value in held]
    now = weighted(criterion, held, points)
    for place, (component, value) in enumerate(held):
        for target in _targets(component, value, points[place]):
            reached = component.scale.score(target)
            then = weighted(criterion, held, [*points[:place], reached, *points[place + 1 :]])
            if then > now:
                yield Step(
                    criterion=criterion.code,
                    title=criterion.title,
                    metric=component.metric,
                    value=value,
                    target=target,
                    points=reached,
                    gain=then - now,
                    full=reached == most_of(component.scale),
                    how=how(component.metric, target, facts),
                )


def points_of(scale: Scale, value: Decimal | None) -> Decimal:
    """The points of a value; none while it is missing."""
    return Decimal(0) if value is None else scale.score(value)


def weighted(
    criterion: Criterion, held: Sequence[tuple[Component, Decimal | None]], points: Sequence[Decimal]
) -> Decimal:
    """The criterion's weighted points, rounded as the engine rounds them."""
    total = four_places(sum((each * item.share for each, (item, _) in zip(points, held, strict=True)), Decimal(0)))
    return two_places(criterion.weight * total / MAX_POINTS)


def most_of(scale: Scale) -> Decimal:
    """The most points that a scale has."""
    if isinstance(scale, YesNo):
        return four_places(max(scale.yes, scale.no))
    line = scale.points if isinstance(scale, Linear) else scale.bands
    return four_places(max(points for _, points in line))


def _targets(component: Component, value: Decimal | None, points: Decimal) -> list[Decimal]:
    """The value that reaches the next whole point and the one that reaches all; one where they are the same."""
    most = most_of(component.scale)
    if points >= most:
        return []
    wanted = [min(points.to_integral_value(ROUND_FLOOR) + 1, most), most]
    found = [target_for(component, each) for each in wanted]
    return list(dict.fromkeys(target for target in found if target is not None and target != value))


def target_for(component: Component, wanted: Decimal) -> Decimal | None:
    """The nearest value of the metric with at least ``wanted`` points, None where the scale has not so many."""
    scale, step = component.scale, _ROUBLE if component.metric in _WHOLE else _CENT
    if isinstance(scale, YesNo):
        best = Decimal(1) if scale.yes > scale.no else Decimal(0)
        return best if scale.score(best) >= wanted else None
    return _on_line(scale, wanted, step) if isinstance(scale, Linear) else _on_steps(scale, wanted, step)


def _on_line(scale: Linear, wanted: Decimal, step: Decimal) -> Decimal | None:
    """The nearest value with at least ``wanted`` points, rounded towards more points."""
    rising = scale.points[0][1] <= scale.points[-1][1]
    line = scale.points if rising else scale.points[::-1]
    towards = ROUND_CEILING if rising else ROUND_FLOOR
    if line[0][1] >= wanted:
        return line[0][0].quantize(step, towards)
    for (x0, y0), (x1, y1) in pairwise(line):
        if y0 < wanted <= y1:
            return (x0 + (wanted - y0) * (x1 - x0) / (y1 - y0)).quantize(step, towards)
    return None


def _on_steps(scale: Bands, wanted: Decimal, step: Decimal) -> Decimal | None:
    rising = scale.bands[0][1] <= scale.bands[-1][1]
    if rising:
        return next((start for start, points in scale.bands if points >= wanted), None)
    for (_, points), (following, _) in reversed(list(pairwise(scale.bands))):
        if points >= wanted:
            return following - step
    return None


def how(metric: str, target: Decimal, facts: Facts) -> Message | None:
    """The change in terms of what is typed; None where the metric itself is typed."""
    subsidy = facts.subsidy
    if metric == "leverage" and subsidy and facts.private is not None:
        # What leaves the request must be paid from elsewhere, or the tables no longer balance.
        shift = _up((target * subsidy - facts.private) / (1 + target))
        return N_("Pay %(sum)s from own or borrowed funds instead of the subsidy.", sum=roubles(shift))
    if metric == "budget_efficiency" and subsidy and facts.taxes is not None:
        more = _up(target * subsidy - facts.taxes)
        return N_("%(sum)s more of taxes and contributions over the term of the agreement.", sum=roubles(more))
    if metric == "export_to_subsidy" and subsidy and facts.export_revenue is not None:
        more = _up(target * subsidy - facts.export_revenue)
        return N_("%(sum)s more of export revenue over the term of the agreement.", sum=roubles(more))
    if metric == "hpj_per_100m" and subsidy and facts.hpj is not None:
        more = _up(target * subsidy / _HUNDRED_MILLION - facts.hpj)
        return N_("%(count)s more high-productivity jobs.", count=number(more))
    if metric == "import_fall" and facts.import_share_now is not None:
        return N_("Share of imports after the project: %(share)s.", share=percent(facts.import_share_now - target))
    if metric == "irr_spread" and facts.discount_rate is not None:
        return N_("Internal rate of return: %(rate)s.", rate=percent(facts.discount_rate + target))
    if metric == "sme_share" and facts.eligible is not None and facts.sme_eligible is not None:
        more = _up(target * facts.eligible / _HUNDRED - facts.sme_eligible)
        return N_("%(sum)s more of the eligible costs borne by small and medium enterprises.", sum=roubles(more))
    if metric == "subsidy_share" and facts.eligible is not None and subsidy is not None:
        less = _up(subsidy - target * facts.eligible / _HUNDRED)
        return N_("Ask for %(sum)s less.", sum=roubles(less))
    return _PLAIN.get(metric)


_PLAIN: Final = {
    "rcc": N_("Carry the project out with a regional or the federal competence centre."),
    "participant_count": N_("Invite another member of the cluster."),
    "export_countries": N_("Add target countries."),
}


def _up(amount: Decimal) -> Decimal:
    return amount.quantize(_ROUBLE, ROUND_CEILING)
