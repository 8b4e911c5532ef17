"""The metrics that a rule set may score: a fixed, typed list. ``applications.facts`` computes their values.

A metric's name is the name of the attribute of :class:`portal.applications.figures.facts.Facts` that holds its value.
``needs`` names the inputs, so that a page can link from "not filled in yet" to the field.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from portal.core.language import N_, Message


class Unit(StrEnum):
    """How a metric's value is written."""

    RATIO = "ratio"
    PERCENT = "percent"
    POINTS = "percentage_points"
    COUNT = "count"
    ROUBLES = "roubles"
    FLAG = "flag"


@dataclass(frozen=True, slots=True)
class Metric:
    """One measurable fact of a joint project. ``inputs`` are the facts its formula divides or subtracts."""

    name: str
    unit: Unit
    title: Message
    formula: Message
    needs: tuple[str, ...]
    inputs: tuple[str, ...] = ()


_ALL: Final = (
    Metric(
        "leverage",
        Unit.RATIO,
        N_("Private money per rouble of subsidy"),
        N_("(own funds + loans + loans of the Industry Development Fund) / requested subsidy"),
        ("participants.financing", "participants.subsidy"),
        ("private", "subsidy"),
    ),
    Metric(
        "budget_efficiency",
        Unit.RATIO,
        N_("Taxes and contributions per rouble of subsidy"),
        N_("taxes and contributions over the term of the agreement / requested subsidy"),
        ("project.taxes_total", "participants.subsidy"),
        ("taxes", "subsidy"),
    ),
    Metric(
        "import_fall",
        Unit.POINTS,
        N_("Fall of the import share in the final product"),
        N_("import share now - import share at the end, in percentage points"),
        ("project.import_share_now", "project.import_share_target"),
        ("import_share_now", "import_share_target"),
    ),
    Metric(
        "export_to_subsidy",
        Unit.RATIO,
        N_("Export revenue per rouble of subsidy"),
        N_("export revenue over the term of the agreement / requested subsidy"),
        ("project.export_revenue_total", "participants.subsidy"),
        ("export_revenue", "subsidy"),
    ),
    Metric(
        "export_share",
        Unit.PERCENT,
        N_("Share of export in the project's sales"),
        N_("as stated in the project passport"),
        ("project.export_share",),
    ),
    Metric(
        "export_countries",
        Unit.COUNT,
        N_("Number of target countries"),
        N_("different countries in the project passport"),
        ("project.export_countries",),
    ),
    Metric(
        "hpj_per_100m",
        Unit.COUNT,
        N_("New high-productivity jobs per 100 million roubles of subsidy"),
        N_("new high-productivity jobs / requested subsidy x 100,000,000"),
        ("project.hpj_new", "participants.subsidy"),
        ("hpj", "subsidy"),
    ),
    Metric(
        "sold_to_members",
        Unit.PERCENT,
        N_("Share of the product sold to, or of components bought from, cluster members"),
        N_("as stated in the project passport"),
        ("project.sold_to_members",),
    ),
    Metric(
        "participant_count",
        Unit.COUNT,
        N_("Number of participants"),
        N_("the initiator and the other participants"),
        ("participants",),
    ),
    Metric(
        "sme_share",
        Unit.PERCENT,
        N_("Share of eligible costs borne by small and medium enterprises"),
        N_("eligible costs of micro, small and medium enterprises / eligible costs of the project"),
        ("participants.costs",),
        ("sme_eligible", "eligible"),
    ),
    Metric(
        "irr_spread",
        Unit.POINTS,
        N_("Internal rate of return above the discount rate"),
        N_("internal rate of return - discount rate, in percentage points"),
        ("project.irr", "project.discount_rate"),
        ("irr", "discount_rate"),
    ),
    Metric(
        "subsidy_share",
        Unit.PERCENT,
        N_("Requested subsidy as a share of eligible costs"),
        N_("requested subsidy / eligible costs"),
        ("participants.subsidy", "participants.costs"),
        ("subsidy", "eligible"),
    ),
    Metric(
        "localisation",
        Unit.PERCENT,
        N_("Target level of localisation"),
        N_("as stated in the project passport"),
        ("project.localisation_target",),
    ),
    Metric(
        "trl",
        Unit.COUNT,
        N_("Technology readiness level"),
        N_("as stated in the project passport, 1 to 9"),
        ("project.trl",),
    ),
    Metric(
        "rcc",
        Unit.FLAG,
        N_("Work with a regional competence centre"),
        N_("as stated in the project passport"),
        ("project.rcc",),
    ),
)

METRICS: Final = {metric.name: metric for metric in _ALL}
