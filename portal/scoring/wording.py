"""The sentences that explain points: which value, and how the scale made points of it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from portal.core.figures import Figure, number, percent, roubles
from portal.core.language import N_, Message
from portal.tenders.metrics import Metric, Unit
from portal.tenders.ruleset import Bands, Component, Linear, YesNo

NOT_YET: Final = N_("Not filled in yet.")
_YES: Final = N_("yes")
_NO: Final = N_("no")


def component_reason(metric: Metric, component: Component, value: Decimal | None, points: Decimal) -> Message:
    """Why this metric got these points, in one or two sentences."""
    if value is None:
        return N_("%(metric)s: not filled in yet, so there are no points.", metric=metric.title)
    told = N_(
        "%(metric)s: %(value)s; %(scale)s",
        metric=metric.title,
        value=written(metric, value),
        scale=_scale(component.scale, value, points),
    )
    if component.share == 1:
        return told
    return N_("%(told)s This counts for %(share)s.", told=told, share=percent(component.share * 100))


def written(metric: Metric, value: Decimal) -> Figure | Message:
    """A metric's value in its unit."""
    if metric.unit is Unit.FLAG:
        return _YES if value else _NO
    if metric.unit is Unit.PERCENT:
        return percent(value)
    if metric.unit is Unit.ROUBLES:
        return roubles(value)
    if metric.unit is Unit.POINTS:
        return {language: text + _POINTS[language] for language, text in number(value).items()}
    return number(value)


_POINTS: Final = {"ru": "\u00a0п. п.", "en": "\u00a0pp"}


def joined(messages: Sequence[Message]) -> Message:
    """Several sentences as one message."""
    text = messages[0]
    for message in messages[1:]:
        text = N_("%(first)s %(second)s", first=text, second=message)
    return text


def _scale(scale: Linear | Bands | YesNo, value: Decimal, points: Decimal) -> Message:
    given = number(points)
    if isinstance(scale, YesNo):
        return N_("the scale gives %(points)s points.", points=given)
    if isinstance(scale, Bands):
        band = scale.band(value)
        if band is None:
            return N_("below %(x)s the scale gives no points.", x=number(scale.bands[0][0]))
        return N_("from %(x)s on the scale gives %(points)s points.", x=number(band[0]), points=given)
    low, high = scale.between(value)
    if low != high:
        return N_(
            "between %(x0)s (%(y0)s points) and %(x1)s (%(y1)s points) the scale gives %(points)s points.",
            x0=number(low[0]),
            y0=number(low[1]),
            x1=number(high[0]),
            y1=number(high[1]),
            points=given,
        )
    if low == scale.points[0]:
        return N_("at %(x)s and below the scale gives %(points)s points.", x=number(low[0]), points=given)
    if low == scale.points[-1]:
        return N_("at %(x)s and above the scale gives %(points)s points.", x=number(low[0]), points=given)
    return N_("at %(x)s the scale gives %(points)s points.", x=number(low[0]), points=given)
