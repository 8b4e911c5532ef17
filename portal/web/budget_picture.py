"""The remaining budget as data of a picture: per track, a bar for each year."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from flask_babel import gettext as _

from portal.budget.queries import Remaining


@dataclass(slots=True)
class TrackBudget:
    """The envelopes of a track: totals in roubles and the rows of ``budget_chart``."""

    available: Decimal = Decimal(0)
    total: Decimal = Decimal(0)
    rows: list[dict[str, Any]] = field(default_factory=list)
    first: int = 0
    last: int = 0

    @property
    def years(self) -> str:
        return f"{self.first}–{self.last}" if self.first != self.last else str(self.first)


def by_track(envelopes: Iterable[Remaining]) -> dict[str, TrackBudget]:
    """Track -> its budget, in the order given; the same year of several programmes is one bar each."""
    found: dict[str, TrackBudget] = {}
    for envelope in envelopes:
        budget = found.setdefault(envelope.track, TrackBudget(first=envelope.year, last=envelope.year))
        budget.available += envelope.available
        budget.total += envelope.appropriated
        budget.first, budget.last = min(budget.first, envelope.year), max(budget.last, envelope.year)
        budget.rows.append(
            {
                "label": str(envelope.year),
                "total": envelope.appropriated,
                "parts": [
                    {"key": "paid", "label": _("Paid"), "value": envelope.paid, "css": "jp-fill-1"},
                    {
                        "key": "committed",
                        "label": _("Committed"),
                        "value": envelope.committed,
                        "css": "jp-fill-2",
                    },
                    {"key": "reserved", "label": _("Reserved"), "value": envelope.reserved, "css": "jp-fill-3"},
                    {
                        "key": "available",
                        "label": _("Available"),
                        "value": envelope.available,
                        "css": "jp-fill-4",
                    },
                ],
            }
        )
    return found
