"""The points of an expert criterion by hand, with decimals: what the engine counts in whole numbers."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from portal.core.figures import exact, four_places
from portal.review.rules import Panel


def points_of(scored: Sequence[Panel], instead: Sequence[Decimal | None] = ()) -> Decimal:
    """The mean over the criterion's aspects of the means of their lanes, 0..10, to four decimals.

    ``instead``: for each lane the value that takes the place of its mean, None where the mean stays.
    """
    means = instead or [None] * len(scored)
    with exact():
        total = sum(
            (
                (mean_of(panel) if own is None else own) * panel.aspects
                for panel, own in zip(scored, means, strict=True)
            ),
            Decimal(0),
        )
        return four_places(total / sum(panel.aspects for panel in scored))


def mean_of(panel: Panel) -> Decimal:
    """The mean of a lane's reviewers, to four decimals."""
    return four_places(sum(panel.values, Decimal(0)) / len(panel.values))
