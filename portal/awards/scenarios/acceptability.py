"""Rank acceptability: how a ranking would stand if the weights were others. Pure.

Stochastic multicriteria acceptability analysis: weights are drawn at random from all that are plausible, and each draw
is ranked and funded as the real list is (:mod:`portal.awards.scenarios.funding`). What is counted is how often each
application takes each place, how often it would get money, and the mean of the weights that make it the first (its
central weights).

Sources: R. Lahdelma, J. Hokkanen, P. Salminen, "SMAA - Stochastic multiobjective acceptability analysis", European
Journal of Operational Research 106 (1998) 137-143; R. Lahdelma, P. Salminen, "SMAA-2: Stochastic multicriteria
acceptability analysis for group decision making", Operations Research 49 (2001) 444-454 (acceptability of all ranks).

Points are exact, weights have four decimals, weighted points are rounded to hundredths half up as the engine does:
totals are whole numbers of hundredths, so that a draw with the set weights gives the set ranking.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from portal.awards.scenarios.funding import Money, money_of
from portal.awards.scenarios.simulating import Asked

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

MOST_BANDS: Final = 40
"""More applications than these share columns: twenty bands of places."""
_CELLS: Final = 2_000_000
"""Totals held at once, draws times applications: 16 MB."""
_TRIES: Final = 20_000
_TINY: Final = 1e-7


@dataclass(frozen=True)
class Question:
    """What is simulated, of n applications, m criteria, k years. Applications stand in the order of the tie rules.

    ``points``: n x m, 0 to 10; ``weights``: m, adding up to 100; ``reach``: how many points each weight may differ,
    None for all weights there are; ``least``: hundredths of points that the threshold asks for; ``passed``: n, whether
    the other conditions are met; ``money``: what they share, and how.
    """

    points: Floats
    weights: Floats
    reach: float | None
    least: int
    passed: NDArray[np.bool_]
    money: Money


def stated(asked: Asked) -> Question:
    """A question in arrays."""
    return Question(
        points=np.array([[float(value) for value in row] for row in asked.points]),
        weights=np.array([float(weight) for weight in asked.weights]),
        reach=None if asked.reach is None else float(asked.reach),
        least=int(asked.least * 100),
        passed=np.array(asked.passed, np.bool_),
        money=money_of(asked.problem, asked.numbers, asked.years, nothing=asked.nothing),
    )


@dataclass(frozen=True)
class Acceptability:
    """What was counted in ``draws``. ``ranks``: n x b, how often in each band of places; ``bands``: (first, last) place
    of each; ``funded``: n; ``mean``: n, the mean place; ``first``: n x m, the central weights, NaN for an application
    that is never the first."""

    draws: int
    bands: Sequence[tuple[int, int]]
    ranks: Whole
    funded: Whole
    mean: Floats
    first: Floats


def simulate(asked: Question, draws: int, seed: int = 0) -> Acceptability:
    """Draw, rank and fund; the same question gives the same answer. ValueError without applications or draws."""
    count, criteria = asked.points.shape
    if not count or draws < 1:
        raise ValueError("there is nothing to simulate")
    weights = weights_drawn(asked.weights, asked.reach, draws, np.random.Generator(np.random.PCG64(seed)))
    bands = bands_of(count)
    band = np.concatenate([np.full(last - first + 1, place) for place, (first, last) in enumerate(bands)])
    ranks = np.zeros((count, len(bands)), np.int64)
    funded = np.zeros(count, np.int64)
    places_summed = np.zeros(count)
    first_count, first_weights = np.zeros(count), np.zeros((count, criteria))
    step = max(1, _CELLS // count)
    for begin in range(0, draws, step):
        drawn = weights[begin : begin + step]
        totals = totals_of(asked.points, drawn)
        recommended = asked.passed[None, :] & (totals >= asked.least)
        # Applications stand in the order of the tie rules, and a stable sort keeps it among equals.
        order = np.argsort(np.where(recommended, -totals, 1_000_000 - totals), axis=1, kind="stable")
        places = np.empty_like(order)
        np.put_along_axis(places, order, np.arange(count)[None, :], axis=1)
        given = asked.money.funded(totals, order, np.take_along_axis(recommended, order, axis=1))
        np.add.at(ranks, (np.broadcast_to(np.arange(count), places.shape), band[places]), 1)
        np.add.at(funded, order[given], 1)
        places_summed += places.sum(axis=0) + len(drawn)
        np.add.at(first_count, order[:, 0], 1)
        np.add.at(first_weights, order[:, 0], drawn)
    with np.errstate(invalid="ignore", divide="ignore"):
        first = first_weights / first_count[:, None]
    return Acceptability(draws, bands, ranks, funded, places_summed / draws, first)


def bands_of(count: int) -> list[tuple[int, int]]:
    """Each place by itself, or twenty bands of nearly equal width where there are many."""
    if count <= MOST_BANDS:
        return [(place, place) for place in range(1, count + 1)]
    edges = [round(count * part / 20) for part in range(21)]
    return [(low + 1, high) for low, high in pairwise(edges)]


def totals_of(points: Floats, weights: Floats) -> Whole:
    """Draws x applications, hundredths of points: each criterion rounded half up, then added."""
    totals = np.zeros((len(weights), len(points)), np.int64)
    for criterion in range(points.shape[1]):
        # Half a hundredth is exact in decimals and may come out a little less in binary.
        exact = weights[:, criterion, None] * points[None, :, criterion] * 10
        totals += np.floor(exact + 0.5 + _TINY).astype(np.int64)
    return totals


def weights_drawn(weights: Floats, reach: float | None, draws: int, random: np.random.Generator) -> Floats:
    """Draws x criteria, each row adding up to 100: uniform on the simplex, or on its part within ``reach`` points.

    The simplex by exponentials, its part by rejection: all coordinates but the widest uniform in their intervals, the
    last one follows from the sum. Four decimals. ValueError where the region is too thin to be met.
    """
    criteria = len(weights)
    if criteria == 1 or reach == 0:
        return np.tile(weights, (draws, 1))
    if reach is None:
        found = random.standard_exponential((draws, criteria))
        return _rounded(found * (100 / found.sum(axis=1, keepdims=True)))
    low, high = np.maximum(weights - reach, 0), np.minimum(weights + reach, 100)
    last = int(np.argmax(high - low))
    rows: list[Any] = []
    held = 0
    for _ in range(_TRIES):
        drawn = random.uniform(low, high, (max(draws, 1_000), criteria))
        drawn[:, last] = 100 - (drawn.sum(axis=1) - drawn[:, last])
        rows.append(drawn[(drawn[:, last] >= low[last]) & (drawn[:, last] <= high[last])])
        held += len(rows[-1])
        if held >= draws:
            return _rounded(np.concatenate(rows)[:draws])
    raise ValueError("there are hardly any weights within this reach")


def _rounded(weights: Floats) -> Floats:
    """Four decimals, so that machines whose last bits differ count the same; the largest takes up the rest."""
    rounded: Floats = np.round(weights, 4)
    largest = np.argmax(rounded, axis=1)
    rounded[np.arange(len(rounded)), largest] += 100 - rounded.sum(axis=1)
    return np.round(rounded, 4)
