"""From points and calibrations to standings: totals with intervals, the line of the money, and chances. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from portal.core.figures import exact, two_places
from portal.review.calibrating import Panel, Part, parts
from portal.review.calibration import SEED, Calibration, Given, TooFew
from portal.scoring.outlook import Standing, fitting, line
from portal.tenders.ruleset import ExpertMean, RuleSet

Found = Mapping[str, Calibration | TooFew]
"""Part -> its calibration, or why there is none."""

Z_90: Final = Decimal("1.645")
MOST_DRAWN: Final = 500
"""Beyond so many applications the probability of being among the first is not simulated for a page."""


@dataclass(frozen=True, slots=True)
class Project:
    """An application with its points. ``weighted``: criterion -> points that count, None while reviews are missing;
    ``raw`` and ``calibrated``: totals with the plain and with the calibrated means of the reviews that are in, None
    while a part has none; ``values``: part -> reviewer -> value; ``amounts``: requested roubles by year."""

    application_id: UUID
    submission_id: UUID
    number: str
    title_ru: str
    title_en: str
    weighted: Mapping[str, Decimal | None]
    recommended: bool | None
    amounts: Mapping[int, Decimal]
    awarded: bool
    values: Mapping[str, Mapping[str, Decimal]]
    raw: Decimal | None
    calibrated: Decimal | None
    error: Decimal

    @property
    def reviews(self) -> int:
        return max((len(given) for given in self.values.values()), default=0)


def expert_points(
    key: str, rules: RuleSet, values: Mapping[str, Mapping[str, Decimal]], found: Found
) -> tuple[Decimal | None, Decimal | None, Decimal]:
    """Weighted points of the expert criteria with the plain and with the calibrated means, and the variance of these.

    A part that cannot be calibrated counts with its plain mean; without any calibrated part there is no second total.
    """
    raw, calibrated, variance, some = Decimal(0), Decimal(0), Decimal(0), False
    with exact():
        for part in parts(rules):
            given = values.get(part.key, {})
            if not given:
                return None, None, Decimal(0)
            mean = sum(given.values(), Decimal(0)) / len(given)
            result = found.get(part.key)
            own = result.applications[key] if isinstance(result, Calibration) else None
            raw += part.weight * mean
            calibrated += part.weight * (mean if own is None else own.value)
            variance += Decimal(0) if own is None else (part.weight * own.error) ** 2
            some = some or own is not None
        return two_places(raw), two_places(calibrated) if some else None, variance


def standings_of(
    rules: RuleSet,
    projects: Sequence[Project],
    panel: Panel,
    found: Found,
    available: Mapping[int, Decimal],
    inputs: str,
) -> tuple[list[Standing], int, Decimal | None]:
    """In the order of the totals that count, with the interval around them, and the line that the money draws."""
    counts = rules.expert_mean is ExpertMean.CALIBRATED
    # A total below the threshold gets no money; of the others it is the money that draws the line.
    totals = {each.number: each.calibrated if counts and each.calibrated is not None else each.raw for each in projects}
    by_number = {each.number: each for each in projects}
    known = sorted(
        ((number, total) for number, total in totals.items() if total is not None),
        key=lambda each: (-each[1], each[0]),
    )
    eligible = [by_number[number] for number, total in known if by_number[number].recommended is not False]
    # After the decision the money is gone, and the line is where it was drawn.
    awarded = sum(each.awarded for each in eligible)
    places = awarded or fitting([each.amounts for each in eligible], available)
    chances = _chances(rules, eligible, panel, found, places, inputs)
    standings = []
    for number, total in known:
        project = by_number[number]
        middle = project.calibrated if project.calibrated is not None else total
        reach = Z_90 * project.error
        standings.append(
            Standing(
                number=number,
                total=total,
                error=project.error,
                low=max(min(middle - reach, total), Decimal(0)),
                high=min(max(middle + reach, total), Decimal(100)),
                reviews=project.reviews,
                chance=chances.get(number),
            )
        )
    allowed = {project.number for project in eligible}
    return standings, places, line([each for each in standings if each.number in allowed], places)


def _chances(
    rules: RuleSet,
    eligible: Sequence[Project],
    panel: Panel,
    found: Found,
    places: int,
    inputs: str,
) -> dict[str, Decimal]:
    """Application -> probability of being among the first ``places``, by joint draws; empty where none are possible."""
    comparable = [each for each in eligible if each.calibrated is not None]
    if not 0 < places < len(eligible) or len(comparable) != len(eligible) or len(comparable) > MOST_DRAWN:
        return {}
    calibrated = [part for part in parts(rules) if isinstance(found[part.key], Calibration)]
    weights = tuple((part.key, part.weight) for part in calibrated)
    fixed = tuple((str(each.submission_id), _certain(each, calibrated, found)) for each in comparable)
    key = _Draws(inputs, weights, fixed, places, panel, found)
    return dict(zip((each.number for each in comparable), _drawn(key), strict=True))


def _certain(project: Project, calibrated: Sequence[Part], found: Found) -> Decimal:
    """What of a calibrated total is not drawn: the objective criteria, and parts that could not be calibrated."""
    assert project.calibrated is not None
    drawn = Decimal(0)
    with exact():
        for part in calibrated:
            result = found[part.key]
            assert isinstance(result, Calibration)
            drawn += part.weight * result.applications[str(project.submission_id)].value
    return project.calibrated - drawn


@dataclass(frozen=True)
class _Draws:
    """What a simulation depends on; equal where the digest of the reviews, the weights and the fixed points are."""

    inputs: str
    weights: tuple[tuple[str, Decimal], ...]
    fixed: tuple[tuple[str, Decimal], ...]
    places: int
    panel: Mapping[str, Sequence[Given]] = field(compare=False, hash=False)
    found: Found = field(compare=False, hash=False)


@lru_cache(maxsize=32)
def _drawn(asked: _Draws) -> tuple[Decimal, ...]:
    """Asked for by every view of a page, computed once for the same reviews."""
    # Only who draws needs numpy: it is a fifth of the memory of a web process.
    from portal.review.mixed_model import draws, within_first

    totals: Any = 0
    for seed, (part, weight) in enumerate(asked.weights):
        result = asked.found[part]
        assert isinstance(result, Calibration)
        column = {key: at for at, key in enumerate(sorted(result.applications))}
        drawn = draws(asked.panel[part], result, seed=SEED + seed)
        totals = totals + float(weight) * drawn[:, [column[key] for key, _ in asked.fixed]]
    return tuple(within_first(totals + [float(points) for _, points in asked.fixed], asked.places))
