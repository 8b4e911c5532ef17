"""How far reviewers agree: Krippendorff's alpha for interval data with its bootstrap interval. Pure.

``alpha = 1 - D_o / D_e``: the mean squared difference between values of the same application over the one between any
two values (Krippendorff 2004, Content Analysis, ch. 11; equal to 1 for full agreement, 0 for chance). Applications
with a single review say nothing of agreement and are left out. The interval is the 5th to 95th percentile of alpha
over applications drawn anew with replacement (Efron & Tibshirani 1993), with a fixed seed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

import numpy as np

from portal.review.calibration import SEED, Agreement, Given
from portal.review.mixed_model import Floats

LEAST_UNITS: Final = 5
RESAMPLES: Final = 2_000


def agreement(reviews: Sequence[Given]) -> Agreement | None:
    """Of the reviews of one criterion; None where fewer than five applications have two, or all values are equal."""
    values: dict[str, list[float]] = defaultdict(list)
    for each in sorted(reviews, key=lambda item: (item.application, item.reviewer)):
        values[each.application].append(float(each.value))
    units = [given for given in values.values() if len(given) > 1]
    if len(units) < LEAST_UNITS:
        return None
    sums = np.array([_sums(given) for given in units])
    whole = _alpha(sums.sum(axis=0, keepdims=True))[0]
    if np.isnan(whole):
        return None
    drawn = _alpha(_resampled(len(units)) @ sums)
    known = np.sort(drawn[~np.isnan(drawn)])
    low, high = (known[min(int(len(known) * part), len(known) - 1)] for part in (0.05, 0.95))
    return Agreement(_three(whole), _three(min(low, whole)), _three(max(high, whole)), len(units))


def _sums(given: list[float]) -> tuple[float, float, float, float]:
    """Of one application: count, sum, sum of squares, and its part of the observed disagreement."""
    count, total, squares = len(given), sum(given), sum(value * value for value in given)
    return count, total, squares, 2 * (count * squares - total * total) / (count - 1)


def _alpha(sums: Floats) -> Floats:
    """Alpha for each row of summed parts; not a number where all values are equal."""
    count, total, squares, within = sums.T
    observed = within / count
    expected = 2 * (count * squares - total * total) / (count * (count - 1))
    expected = np.where(expected > 1e-9, expected, np.nan)
    return np.asarray(1 - observed / expected, np.float64)


def _resampled(units: int) -> Floats:
    """How often each unit is drawn in each resample, from the raw stream of PCG64: resamples x units."""
    raw = np.random.PCG64(SEED).random_raw(RESAMPLES * units) >> np.uint64(11)
    drawn = (raw.astype(np.float64) * (units * 2.0**-53)).astype(np.int64).reshape(RESAMPLES, units)
    counts = np.zeros((RESAMPLES, units), np.float64)
    np.add.at(counts, (np.arange(RESAMPLES)[:, None], drawn), 1.0)
    return counts


def _three(value: float) -> Decimal:
    return Decimal(float(value)).quantize(Decimal("0.001"), ROUND_HALF_UP) + Decimal("0.000")
