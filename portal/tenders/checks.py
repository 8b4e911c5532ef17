"""The checks that an eligibility rule may name: a fixed list with the parameters of each.

The checks themselves are in ``applications.eligibility``. Limits that more than one rule uses (share, cap,
years, least number of participants) are fields of the rule set, so that they are written once.
"""

from __future__ import annotations

from typing import Final

CHECKS: Final[dict[str, frozenset[str]]] = {
    "cluster_registered": frozenset(),
    "members_of_cluster": frozenset(),
    "enough_participants": frozenset(),
    "document_given": frozenset({"document"}),
    "replaces_imports": frozenset(),
    "export_planned": frozenset(),
    "subsidy_share": frozenset(),
    "project_cap": frozenset(),
    "agreement_term": frozenset({"max_years"}),
    "costs_not_before": frozenset(),
    "declared": frozenset(),
    "answered": frozenset(),
    "declared_with_certificate": frozenset({"document"}),
    "offshore_share": frozenset({"max_percent"}),
    "industrial_activity": frozenset(),
    "applications_limit": frozenset({"max"}),
    "co_financing": frozenset(),
    "yearly_requests": frozenset(),
}
"""Check -> names of the parameters it needs."""
