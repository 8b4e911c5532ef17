"""Calibration on simulated panels: does it rank better than the plain mean, and do its intervals hold what they say?

``python -m benchmarks.calibration [seeds]`` (20) prints, for panels with known severity and merit, unbalanced as real
ones are: Kendall's tau of the raw and of the calibrated ranking with the true one, in how many seeds the calibrated
ranking is better, in how many the best linear predictor that is told the true variances is (no estimate of severity can
be expected to do more), how often the 90 % intervals cover the truth, and the time of one panel.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import numpy as np

from portal.review.calibration import Calibration, Given
from portal.review.mixed_model import LOW, _Panel, calibrate


@dataclass(frozen=True, slots=True)
class Design:
    """A panel: how many, and the standard deviations of merit, severity and error in points."""

    name: str
    applications: int
    reviewers: int
    each: tuple[int, int]
    merit: float = 1.2
    severity: float = 1.0
    error: float = 0.7
    halves: bool = False


DESIGNS: Final = (
    Design("60 applications, 12 reviewers, 2-4 reviews each", 60, 12, (2, 4)),
    Design("the same, in half points", 60, 12, (2, 4), halves=True),
    Design("24 applications, 8 reviewers, 2-3 reviews each", 24, 8, (2, 3)),
    Design("120 applications, 20 reviewers, 2-3 reviews each", 120, 20, (2, 3)),
    Design("1,000 applications, 100 reviewers, 3 reviews each", 1_000, 100, (3, 3)),
    Design("60 applications, 12 reviewers, no severity", 60, 12, (2, 4), severity=0.0),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one panel gave: tau of the rankings, and the share of intervals that cover the truth.

    ``told``: of the predictor that knows the variances.
    """

    raw: float
    calibrated: float
    told: float
    covered: float
    severities: float

    @property
    def better(self) -> bool:
        return self.calibrated > self.raw


def panel(design: Design, seed: int) -> tuple[list[Given], dict[str, float], dict[str, float]]:
    """Reviews, true values and true severities. Loads differ up to fivefold, as with volunteers."""
    chance = np.random.default_rng(seed)
    merits = 6 + design.merit * chance.standard_normal(design.applications)
    severities = design.severity * chance.standard_normal(design.reviewers)
    wish = chance.uniform(1, 5, design.reviewers)
    reviews = []
    for at in range(design.applications):
        count = int(chance.integers(design.each[0], design.each[1] + 1))
        for by in chance.choice(design.reviewers, count, replace=False, p=wish / wish.sum()):
            value = merits[at] + severities[by] + design.error * chance.standard_normal()
            value = min(max(round(value * 2) / 2, 0), 10) if design.halves else value
            reviews.append(Given(f"A{at:03d}", f"R{by:02d}", Decimal(str(round(float(value), 6)))))
    return (
        reviews,
        {f"A{at:03d}": float(each) for at, each in enumerate(merits)},
        {f"R{by:02d}": float(each) for by, each in enumerate(severities)},
    )


def outcome(design: Design, seed: int) -> Outcome:
    """Simulate a panel and calibrate it."""
    reviews, truth, severities = panel(design, seed)
    found = calibrate(reviews)
    assert isinstance(found, Calibration), found
    keys = sorted(truth)
    true = np.array([truth[key] for key in keys])
    held = [found.applications[key] for key in keys]
    inside = [float(each.low) <= truth[key] <= float(each.high) for key, each in zip(keys, held, strict=True)]
    others = [float(each.low) <= severities[key] <= float(each.high) for key, each in found.reviewers.items()]
    return Outcome(
        tau(true, np.array([float(each.raw) for each in held])),
        tau(true, np.array([float(each.value) for each in held])),
        tau(true, told(design, reviews)),
        float(np.mean(inside)),
        float(np.mean(others)),
    )


def told(design: Design, reviews: list[Given]) -> np.ndarray:
    """The best linear predictors of the values with the variances of the design; what is rounded is an error more."""
    error = design.error**2 + (0.5**2 / 12 if design.halves else 0)
    severity = float(np.log2(design.severity**2 / error)) if design.severity else LOW
    return _Panel(reviews).solve(float(np.log2(design.merit**2 / error)), severity).values


def tau(one: np.ndarray, other: np.ndarray) -> float:
    """Kendall's tau-b."""
    first = np.sign(one[:, None] - one[None, :])
    second = np.sign(other[:, None] - other[None, :])
    return float((first * second).sum() / np.sqrt((first**2).sum() * (second**2).sum()))


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    for design in DESIGNS:
        begun = time.perf_counter()
        found = [outcome(design, seed) for seed in range(1, seeds + 1)]
        spent = (time.perf_counter() - begun) / seeds
        print(f"{design.name}: {seeds} seeds, {spent * 1000:.0f} ms each")
        print(
            f"  tau raw {np.mean([each.raw for each in found]):.3f},"
            f" calibrated {np.mean([each.calibrated for each in found]):.3f},"
            f" better in {sum(each.better for each in found)} of {seeds}"
        )
        print(
            f"  with the true variances {np.mean([each.told for each in found]):.3f},"
            f" better than raw in {sum(each.told > each.raw for each in found)},"
            f" where calibrated is not in {sum(each.told > each.raw and not each.better for each in found)}"
        )
        print(
            f"  90 % intervals cover {np.mean([each.covered for each in found]):.1%} of the values,"
            f" {np.mean([each.severities for each in found]):.1%} of the severities"
        )


if __name__ == "__main__":
    main()
