"""Reviewers' severity taken out of their marks: a crossed random-effects model, its estimates and their uncertainty.

Model. The value that reviewer *j* gives application *i* on one criterion (0 to 10, the mean of its aspects) is
``y_ij = mu + merit_i + severity_j + e_ij`` with independent ``merit ~ N(0, v_m)``, ``severity ~ N(0, v_s)`` and
``e ~ N(0, v_e)``. The calibrated value of an application is ``mu + merit_i``: what a reviewer of average severity
would be expected to give it. A positive severity means that the reviewer gives more than others (is lenient).

Estimator. The variance components maximise the restricted likelihood (REML; Patterson & Thompson 1971, Biometrika
58, 545-554), profiled over ``v_e`` and computed from the determinant of Henderson's mixed-model equations with the
applications absorbed (Harville 1977, JASA 72, 320-338). It is maximised over the two ratios ``v_m / v_e`` and
``v_s / v_e`` on a fixed grid of powers of two, refined to 1/32 of an octave, so that another machine chooses the same
point whatever its last bits are. Merits and severities are the best linear unbiased predictors (BLUP) that solve
Henderson's equations (Henderson 1975, Biometrics 31, 423-447; Robinson 1991, "That BLUP is a good thing", Statistical
Science 6, 15-32): they are shrunk towards the mean the more, the fewer reviews there are.

Uncertainty. The prediction-error variance of a BLUP takes the variance components for known. What their estimation
adds is counted by the law of total variance (Kass & Steffey 1989, JASA 84, 717-726; the same correction as Kackar &
Harville's 1984): the error variance and the squared distance from the REML predictor, averaged over a grid of ratios
with the restricted likelihood as weight and half-Cauchy priors on the ratios of standard deviations (Gelman 2006).
The 90 % interval is that standard error times the t quantile with ``reviews - 1`` degrees of freedom.

Numbers are floats inside and four decimals outside, so that machines agree on what is published.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from math import sqrt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from portal.core.figures import four_places
from portal.review.calibration import SEED, Calibration, Estimate, Given, TooFew, refusal, t_quantile

Floats = NDArray[np.float64]

LOW: Final = -10.0
HIGH: Final = 10.0
"""Bounds of the ratios of variances, as powers of two; at the lower one a component counts as zero."""
FINEST: Final = 1 / 32
REACH: Final = 6
DRAWS: Final = 4_000


class _Panel:
    """The reviews as sums: what Henderson's equations need. Values are centred, so that digits are not lost."""

    def __init__(self, reviews: Sequence[Given]) -> None:
        ordered = sorted(reviews, key=lambda each: (each.application, each.reviewer))
        self.applications = sorted({each.application for each in ordered})
        self.reviewers = sorted({each.reviewer for each in ordered})
        row = {key: place for place, key in enumerate(self.applications)}
        column = {key: place for place, key in enumerate(self.reviewers)}
        at = np.array([row[each.application] for each in ordered])
        by = np.array([column[each.reviewer] for each in ordered])
        values = np.array([float(each.value) for each in ordered])
        self.centre = float(values.mean())
        values = values - self.centre
        self.reviews = len(ordered)
        self.squares = float(values @ values)
        self.counts = np.bincount(at, minlength=len(row)).astype(np.float64)
        self.sums = np.bincount(at, values, len(row))
        self.loads = np.bincount(by, minlength=len(column)).astype(np.float64)
        met: Floats = np.zeros((len(row), len(column)))
        np.add.at(met, (at, by), 1.0)
        self.met: Floats = np.hstack((self.counts[:, None], met))
        cross = np.diag(np.concatenate(([float(self.reviews)], self.loads)))
        cross[0, 1:] = cross[1:, 0] = self.loads
        self.cross: Floats = cross
        self.right: Floats = np.concatenate(([values.sum()], np.bincount(by, values, len(column))))
        self._absorbed: dict[float, tuple[Floats, Floats, Floats]] = {}

    def absorbed(self, merit: float) -> tuple[Floats, Floats, Floats]:
        """With the applications absorbed at a ratio of ``2 ** merit``: their diagonal, the matrix, the right side."""
        held = self._absorbed.get(merit)
        if held is None:
            diagonal = self.counts + 2.0**-merit
            scaled = self.met / diagonal[:, None]
            held = diagonal, self.cross - self.met.T @ scaled, self.right - scaled.T @ self.sums
            self._absorbed[merit] = held
        return held

    def solve(self, merit: float, severity: float) -> _Solution:
        return _Solution(self, merit, severity)


class _Solution:
    """Henderson's equations solved at ``v_m / v_e = 2 ** merit`` and ``v_s / v_e = 2 ** severity``."""

    def __init__(self, panel: _Panel, merit: float, severity: float) -> None:
        self.panel, self.merit, self.severity = panel, merit, severity
        self.diagonal, matrix, right = panel.absorbed(merit)
        matrix = matrix.copy()
        inner = np.arange(1, len(matrix))
        matrix[inner, inner] += 2.0**-severity
        self.factor = np.linalg.cholesky(matrix).astype(np.float64)
        self.effects: Floats = np.linalg.solve(self.factor.T, np.linalg.solve(self.factor, right))
        merits = (panel.sums - panel.met @ self.effects) / self.diagonal
        left = panel.squares - float(self.effects @ panel.right) - float(merits @ panel.sums)
        self.variance = max(left, 1e-12 * panel.squares) / (panel.reviews - 1)
        self.values: Floats = panel.centre + self.effects[0] + merits

    @property
    def deviance(self) -> float:
        """Minus twice the restricted log-likelihood, without its constant."""
        panel = self.panel
        determinant = float(np.log(self.diagonal).sum()) + 2 * float(np.log(np.diag(self.factor)).sum())
        ratios = len(panel.applications) * self.merit + len(panel.reviewers) * self.severity
        return (panel.reviews - 1) * float(np.log(self.variance)) + determinant + float(ratios * np.log(2.0))

    @property
    def loading(self) -> Floats:
        """How the values follow from mu and the severities: applications x (1 + reviewers)."""
        loading = -self.panel.met / self.diagonal[:, None]
        loading[:, 0] = 2.0**-self.merit / self.diagonal
        return loading

    def errors(self) -> tuple[Floats, Floats]:
        """Prediction-error variances of the values and of the severities."""
        spread = np.linalg.solve(self.factor, self.loading.T)
        values = 1 / self.diagonal + (spread**2).sum(axis=0)
        inverse = np.linalg.solve(self.factor, np.eye(len(self.factor)))
        severities = (inverse**2).sum(axis=0)[1:]
        return self.variance * values, self.variance * severities


def calibrate(reviews: Sequence[Given]) -> Calibration | TooFew:
    """Estimate merits and severities from the reviews of one criterion; their order does not matter."""
    refused = refusal(reviews)
    if refused is not None:
        return refused
    panel = _Panel(reviews)
    best = _best(panel)
    value_errors, severity_errors = _errors(panel, best)
    quantile = t_quantile(panel.reviews - 1)
    raw = panel.centre + panel.sums / panel.counts
    given = panel.centre + panel.right[1:] / panel.loads
    loads = Counter(each.reviewer for each in reviews)
    return Calibration(
        mean=_four(panel.centre + float(best.effects[0])),
        merit_variance=_component(best.merit, best.variance),
        severity_variance=_component(best.severity, best.variance),
        error_variance=_four(best.variance),
        merit_ratio=Decimal(best.merit),
        severity_ratio=Decimal(best.severity),
        applications={
            key: _estimate(best.values[at], value_errors[at], quantile, raw[at], int(panel.counts[at]), (0.0, 10.0))
            for at, key in enumerate(panel.applications)
        },
        reviewers={
            key: _estimate(best.effects[at + 1], severity_errors[at], quantile, given[at], loads[key], (-10.0, 10.0))
            for at, key in enumerate(panel.reviewers)
        },
    )


def _best(panel: _Panel) -> _Solution:
    """The largest restricted likelihood: whole octaves first, then ever finer around the best so far."""
    steps = np.arange(LOW, HIGH + 1)
    best = panel.solve(0.0, 0.0)
    least = best.deviance
    step = 1.0
    around = [(float(one), float(other)) for one in steps for other in steps]
    while True:
        for merit, severity in around:
            found = panel.solve(merit, severity)
            # A tie within rounding keeps the first, so that machines do not differ.
            if found.deviance < least - 1e-9:
                best, least = found, found.deviance
        step /= 2
        if step < FINEST:
            return best
        near = [(best.merit + one * step, best.severity + other * step) for one in (-1, 0, 1) for other in (-1, 0, 1)]
        around = [point for point in near if min(point) >= LOW and max(point) <= HIGH and point != near[4]]


def _errors(panel: _Panel, best: _Solution) -> tuple[Floats, Floats]:
    """Standard errors of the values and severities around the REML predictors, over plausible variance components."""
    points, deviances, solutions = [], [], []
    for merit in _near(best.merit, len(panel.applications)):
        for severity in _near(best.severity, len(panel.reviewers)):
            found = panel.solve(merit, severity)
            points.append((merit, severity))
            deviances.append(found.deviance)
            solutions.append(found)
    chance = np.array([_prior(merit) * _prior(severity) for merit, severity in points])
    weights = chance * np.exp(-0.5 * (np.array(deviances) - min(deviances)))
    weights /= weights.sum()
    values: Floats = np.zeros(len(panel.applications), np.float64)
    severities: Floats = np.zeros(len(panel.reviewers))
    for weight, found in zip(weights, solutions, strict=True):
        if weight > 1e-7:
            own, others = found.errors()
            values += weight * (own + (found.values - best.values) ** 2)
            severities += weight * (others + (found.effects[1:] - best.effects[1:]) ** 2)
    return np.sqrt(values), np.sqrt(severities)


def _near(centre: float, levels: int) -> list[float]:
    """Points around an estimate, about one and a half of its standard errors apart: the more levels, the closer."""
    step = 2.0 ** round(float(np.log2(sqrt(8 / levels))))
    points = (centre + step * place for place in range(-REACH, REACH + 1))
    return [point for point in points if LOW <= point <= HIGH]


def _prior(ratio: float) -> float:
    """Half-Cauchy density of the ratio of standard deviations, in units of its logarithm."""
    deviation = 2.0 ** (ratio / 2)
    return float(deviation / (1 + deviation**2))


def draws(reviews: Sequence[Given], found: Calibration, count: int = DRAWS, seed: int = SEED) -> Floats:
    """``count`` joint draws of the calibrated values, applications in the order of their keys: count x applications.

    Mu and the severities are drawn from their joint distribution, the merits given them; the deviations are stretched
    to the standard errors of the result, which count the estimation of the variance components.
    """
    panel = _Panel(reviews)
    held = panel.solve(float(found.merit_ratio), float(found.severity_ratio))
    width = len(panel.applications) + len(panel.reviewers) + 1
    noise = _normal(count * width, seed).reshape(count, width)
    common = np.linalg.solve(held.factor.T, noise[:, : len(panel.reviewers) + 1].T)
    own = noise[:, len(panel.reviewers) + 1 :] / np.sqrt(held.diagonal)
    away = common.T @ held.loading.T + own
    plain = np.sqrt(held.errors()[0] / held.variance)
    wanted = np.array([float(found.applications[key].error) for key in panel.applications])
    return held.values + away * (wanted / plain)


def _normal(count: int, seed: int) -> Floats:
    """Standard normal numbers from the raw stream of PCG64, which no release of numpy changes (Box & Muller 1958)."""
    pairs = (count + 1) // 2
    raw = np.random.PCG64(seed).random_raw(2 * pairs) >> np.uint64(11)
    even = (raw.astype(np.float64) + 0.5) * 2.0**-53
    radius, angle = np.sqrt(-2 * np.log(even[:pairs])), 2 * np.pi * even[pairs:]
    return np.concatenate((radius * np.cos(angle), radius * np.sin(angle)))[:count]


def within_first(totals: Floats, places: int) -> list[Decimal]:
    """The share of draws (rows) in which each application (column) is within the first ``places``."""
    applications = totals.shape[1]
    if places >= applications:
        return [Decimal(1)] * applications
    if places <= 0:
        return [Decimal(0)] * applications
    line = np.partition(totals, applications - places, axis=1)[:, applications - places]
    shares = (totals >= line[:, None]).mean(axis=0)
    return [Decimal(float(share)).quantize(Decimal("0.001"), ROUND_HALF_UP) for share in shares]


def _estimate(value: Any, error: Any, quantile: float, raw: Any, reviews: int, bounds: tuple[float, float]) -> Estimate:
    least, most = bounds

    def kept(number: float) -> Decimal:
        return _four(min(max(number, least), most))

    reach = quantile * float(error)
    return Estimate(
        kept(float(value)),
        _four(float(error)),
        kept(float(value) - reach),
        kept(float(value) + reach),
        kept(float(raw)),
        reviews,
    )


def _component(ratio: float, variance: float) -> Decimal:
    return Decimal("0.0000") if ratio <= LOW else _four(2.0**ratio * variance)


def _four(value: float) -> Decimal:
    """Four decimals; never minus zero."""
    return four_places(Decimal(value)) + Decimal("0.0000")
