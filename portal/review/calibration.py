"""What is compared between reviewers and what is found out about them; and when there is nothing to say.

The arithmetic is in :mod:`~portal.review.mixed_model` and :mod:`~portal.review.agreement`. They need numpy, which web
processes load only for a page that computes something anew: so this module does without it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from math import erf, sqrt
from typing import Final

from portal.core.figures import four_places
from portal.core.language import N_, Message

LEAST_APPLICATIONS: Final = 5
LEAST_REVIEWERS: Final = 3
LEAST_REVIEWS: Final = 12
LEAST_FREE: Final = 3
"""Reviews beyond those that a merit for each application and a severity for each reviewer would use up."""

Z_90: Final = 1.6448536269514722
SEED: Final = 20180831


@dataclass(frozen=True, slots=True)
class Given:
    """One review of one criterion. ``value``: 0 to 10."""

    application: str
    reviewer: str
    value: Decimal


@dataclass(frozen=True, slots=True)
class TooFew:
    """Why nothing can be said: "applications", "reviewers", "reviews", "same", "apart" or "thin"."""

    code: str
    reason: Message


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its standard error and 90 % interval. ``raw``: the plain mean; ``reviews``: how many there are.

    Of an application: calibrated value, 0 to 10; of a reviewer: severity, points more (or less) than the average one.
    """

    value: Decimal
    error: Decimal
    low: Decimal
    high: Decimal
    raw: Decimal
    reviews: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """The result for one criterion. ``mean``: mu; variances in squared points.

    ``merit_ratio`` and ``severity_ratio``: powers of two at which the restricted likelihood is largest.
    """

    mean: Decimal
    merit_variance: Decimal
    severity_variance: Decimal
    error_variance: Decimal
    merit_ratio: Decimal
    severity_ratio: Decimal
    applications: Mapping[str, Estimate]
    reviewers: Mapping[str, Estimate]

    @property
    def agreement(self) -> Decimal:
        """ICC(2,1), absolute agreement of single reviews: the share of the merits in the variance of a review
        (Shrout & Fleiss 1979, Psychological Bulletin 86, 420-428), here from the REML components."""
        whole = self.merit_variance + self.severity_variance + self.error_variance
        return four_places(self.merit_variance / whole) if whole else Decimal(0)


@dataclass(frozen=True, slots=True)
class Agreement:
    """Alpha with its 90 % interval, three decimals. ``units``: applications with at least two reviews."""

    alpha: Decimal
    low: Decimal
    high: Decimal
    units: int


def refusal(reviews: Sequence[Given]) -> TooFew | None:
    """Why these reviews cannot be calibrated, or None when they can.

    Reviewers and applications must form one connected graph: between its parts nobody has compared.
    """
    applications, reviewers = {each.application for each in reviews}, {each.reviewer for each in reviews}
    bounds = (
        ("applications", len(applications), LEAST_APPLICATIONS, _APPLICATIONS),
        ("reviewers", len(reviewers), LEAST_REVIEWERS, _REVIEWERS),
        ("reviews", len(reviews), LEAST_REVIEWS, _REVIEWS),
    )
    for code, found, least, message in bounds:
        if found < least:
            return TooFew(code, Message(message.msgid, {"found": found, "least": least}))
    if len({each.value for each in reviews}) == 1:
        return TooFew("same", N_("All reviews give the same value: there is nothing to compare."))
    parts = _parts(reviews)
    if parts > 1:
        return TooFew(
            "apart",
            N_(
                "The reviewers fall into %(parts)s groups without a common application: between the groups nobody"
                " can tell severity from merit.",
                parts=parts,
            ),
        )
    free = len(reviews) - len(applications) - len(reviewers) + 1
    if free < LEAST_FREE:
        return TooFew(
            "thin",
            N_(
                "Too few applications have several reviewers in common: %(found)s reviews to spare where"
                " %(least)s are needed.",
                found=max(free, 0),
                least=LEAST_FREE,
            ),
        )
    return None


_APPLICATIONS: Final = N_("Only %(found)s applications have reviews; at least %(least)s are needed.")
_REVIEWERS: Final = N_("Only %(found)s reviewers have handed in reviews; at least %(least)s are needed.")
_REVIEWS: Final = N_("Only %(found)s reviews are in; at least %(least)s are needed.")


def _parts(reviews: Sequence[Given]) -> int:
    """The number of connected parts of the graph of applications and reviewers."""
    near: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for each in reviews:
        one, other = ("application", each.application), ("reviewer", each.reviewer)
        near[one].append(other)
        near[other].append(one)
    seen: set[tuple[str, str]] = set()
    parts = 0
    for start in near:
        if start in seen:
            continue
        parts += 1
        waiting = [start]
        seen.add(start)
        while waiting:
            for following in near[waiting.pop()]:
                if following not in seen:
                    seen.add(following)
                    waiting.append(following)
    return parts


def above(value: Decimal, error: Decimal, line: Decimal) -> Decimal:
    """The probability that the true value reaches ``line``, by the normal distribution, three decimals."""
    if not error:
        return Decimal(int(value >= line))
    chance = 0.5 * (1 + erf(float((value - line) / error) / sqrt(2)))
    return Decimal(chance).quantize(Decimal("0.001"), ROUND_HALF_UP)


def t_quantile(free: int) -> float:
    """The 95th percentile of Student's t (Cornish-Fisher; Abramowitz & Stegun 26.7.5), within 0.001 from 10 on."""
    z = Z_90
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / free + second / free**2 + third / free**3
