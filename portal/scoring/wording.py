"""The sentences that explain points, by code: a score keeps the code and its figures, never the sentence.

Codes are for ever, wording is not: a sentence may be corrected without changing any score or digest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from portal.core.canonical import canonical_text, plain_decimal
from portal.core.figures import Figure, number, percent, percentage_points, roubles
from portal.core.language import N_, Message
from portal.tenders.metrics import Metric, Unit

NOT_YET: Final = N_("Not filled in yet.")
_YES: Final = N_("yes")
_NO: Final = N_("no")


class Why(NamedTuple):
    """Why there are these points: a code of :data:`REASONS` and its figures.

    ``text`` is how it is kept: canonical JSON, ``{"said": code, name: plain decimal}``.
    """

    said: str
    figures: Mapping[str, Decimal]
    text: str


def why(said: str, **figures: Decimal | int) -> Why:
    """The reason of a code with its figures."""
    exactly = {name: Decimal(value) for name, value in figures.items()}
    shown = {"said": said} | {name: plain_decimal(value) for name, value in exactly.items()}
    return Why(said, exactly, canonical_text(shown))


def read_why(data: Mapping[str, str]) -> Why:
    """The reason that was kept."""
    figures = {name: Decimal(text) for name, text in data.items() if name != "said"}
    return Why(data["said"], figures, canonical_text(data))


REASONS: Final[Mapping[str, Message]] = {
    "missing": N_("%(metric)s: not filled in yet, so there are no points."),
    "flag": N_("the scale gives %(points)s points."),
    "below": N_("below %(x)s the scale gives no points."),
    "from": N_("from %(x)s on the scale gives %(points)s points."),
    "between": N_("between %(x0)s (%(y0)s points) and %(x1)s (%(y1)s points) the scale gives %(points)s points."),
    "at_most": N_("at %(x)s and below the scale gives %(points)s points."),
    "at_least": N_("at %(x)s and above the scale gives %(points)s points."),
    "at": N_("at %(x)s the scale gives %(points)s points."),
    "awaited": N_("%(done)s of %(needed)s reviews are in."),
    "apart": N_("The reviewers differ by %(spread)s points, more than %(limit)s: another review is needed."),
    "mean": N_("The mean of %(count)s reviewers is %(points)s of 10 points."),
    "lanes": N_("The mean over the aspects, by %(count)s reviewers in %(lanes)s lanes, is %(points)s of 10 points."),
    "calibrated": N_(
        "The mean of %(count)s reviewers is %(raw)s; with the reviewers' severity taken out it is %(points)s of 10"
        " points."
    ),
    "uncalibrated": N_(
        "The mean of %(count)s reviewers is %(points)s of 10 points; there are too few reviews in the track to take"
        " their severity out."
    ),
    "rules_fail": N_("Some blocking eligibility rules do not hold."),
    "rules_open": N_("Some eligibility rules cannot be checked yet."),
    "rules_hold": N_("Every blocking eligibility rule holds."),
    "npv_missing": NOT_YET,
    "npv_below": N_("The net present value is %(npv)s, below zero."),
    "npv_reached": N_("The net present value is %(npv)s, not below zero."),
    "total_open": N_("The total is known when the reviews are in; %(least)s is needed."),
    "total_below": N_("The total of %(total)s is below the threshold of %(least)s."),
    "total_reached": N_("The total of %(total)s reaches the threshold of %(least)s."),
}
"""Code -> sentence."""

_ROUBLES: Final = ("npv",)


def sentence(reason: Why, **more: object) -> Message:
    """The reason in words; ``more``: parameters that are kept elsewhere in the score."""
    figures = {name: (roubles if name in _ROUBLES else number)(value) for name, value in reason.figures.items()}
    return Message(REASONS[reason.said].msgid, {**figures, **more})


def component_reason(metric: Metric, share: Decimal, value: Decimal | None, points: Decimal, reason: Why) -> Message:
    """Why this metric got these points, in one or two sentences."""
    if value is None:
        return sentence(reason, metric=metric.title)
    told = N_(
        "%(metric)s: %(value)s; %(scale)s",
        metric=metric.title,
        value=written(metric, value),
        scale=sentence(reason, points=number(points)),
    )
    if share == 1:
        return told
    return N_("%(told)s This counts for %(share)s.", told=told, share=percent(share * 100))


def expert_reason(reason: Why, points: Decimal | None) -> Message:
    """Why an expert criterion has these points, or none yet."""
    return sentence(reason) if points is None else sentence(reason, points=number(points))


def gate_reason(reason: Why, failed: Sequence[tuple[str, Message]]) -> Message:
    """Why a gate is passed, open or not; rules that failed have reasons of their own."""
    if failed:
        return joined([N_("%(code)s: %(reason)s", code=code, reason=said) for code, said in failed])
    return sentence(reason)


def written(metric: Metric, value: Decimal) -> Figure | Message:
    """A metric's value in its unit."""
    if metric.unit is Unit.FLAG:
        return _YES if value else _NO
    return _UNITS.get(metric.unit, number)(value)


_UNITS: Final[Mapping[Unit, Callable[[Decimal], Figure]]] = {
    Unit.PERCENT: percent,
    Unit.ROUBLES: roubles,
    Unit.POINTS: percentage_points,
}


def joined(messages: Sequence[Message]) -> Message:
    """Several sentences as one message."""
    text = messages[0]
    for message in messages[1:]:
        text = N_("%(first)s %(second)s", first=text, second=message)
    return text
