"""The co-operation level of a cluster and its other yearly figures. Pure.

The level (requirement CL-05 of Decree 779) is taken over the members that do not make the final product: what
they shipped to other members, divided by their whole output, in one year and without VAT.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from portal.core.figures import exact, ratio, share

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Output:
    """A member's figures of a year: roubles without VAT, and jobs."""

    organisation_id: UUID
    output: Decimal
    exports: Decimal = ZERO
    jobs: int = 0
    hp_jobs: int = 0
    value_added: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Shipment:
    """What one member shipped to another in the same year, roubles without VAT."""

    supplier_id: UUID
    buyer_id: UUID
    volume: Decimal


@dataclass(frozen=True, slots=True)
class Level:
    """The co-operation level with what it was computed from.

    ``percent`` to four decimals, None without output; ``members``: how many entered it; ``unknown``: suppliers
    whose output of the year is not entered, who are left out of both sums.
    """

    shipped: Decimal
    output: Decimal
    percent: Decimal | None
    members: int
    unknown: frozenset[UUID]


@dataclass(frozen=True, slots=True)
class YearFigures:
    """A year of a cluster; ``members`` are those with figures. Productivity is value added a job, in roubles."""

    year: int
    members: int
    output: Decimal
    exports: Decimal
    jobs: int
    hp_jobs: int
    hp_share: Decimal | None
    productivity: Decimal | None
    level: Level


def level(outputs: Iterable[Output], shipments: Iterable[Shipment], final_producers: Collection[UUID]) -> Level:
    """The co-operation level of one year."""
    known = {row.organisation_id: row.output for row in outputs if row.organisation_id not in final_producers}
    shipped, unknown = ZERO, set()
    with exact():
        for row in shipments:
            if row.supplier_id in known and row.supplier_id != row.buyer_id:
                shipped += row.volume
            elif row.supplier_id not in final_producers:
                unknown.add(row.supplier_id)
        output = sum(known.values(), ZERO)
        return Level(shipped, output, share(shipped, output), len(known), frozenset(unknown))


def shares(outputs: Iterable[Output], shipments: Iterable[Shipment]) -> list[Decimal | None]:
    """Each shipment as a percentage of its supplier's output, in the order of the shipments."""
    known: Mapping[UUID, Decimal] = {row.organisation_id: row.output for row in outputs}
    with exact():
        return [share(row.volume, known.get(row.supplier_id)) for row in shipments]


def year_figures(
    year: int, outputs: Collection[Output], shipments: Collection[Shipment], final_producers: Collection[UUID]
) -> YearFigures:
    """All figures of one year."""
    with exact():
        jobs, hp_jobs = sum(row.jobs for row in outputs), sum(row.hp_jobs for row in outputs)
        added = [row for row in outputs if row.value_added is not None]
        return YearFigures(
            year=year,
            members=len(outputs),
            output=sum((row.output for row in outputs), ZERO),
            exports=sum((row.exports for row in outputs), ZERO),
            jobs=jobs,
            hp_jobs=hp_jobs,
            hp_share=share(Decimal(hp_jobs), Decimal(jobs)),
            productivity=ratio(
                sum((row.value_added or ZERO for row in added), ZERO), Decimal(sum(row.jobs for row in added))
            ),
            level=level(outputs, shipments, final_producers),
        )
