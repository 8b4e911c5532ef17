"""Whose figures a participant may see: the one place that decides it.

A part's figures are its costs, its financing, its papers, and every sentence that names their sums. What all share
is the requested subsidy of each and the sums of the whole project. The fund sees everything it received.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from uuid import UUID

from portal.applications.models import Participant, ParticipantState
from portal.tenders.ruleset import RuleSet


def seen_parts(participants: Iterable[Participant], rules: RuleSet, organisations: Collection[UUID]) -> frozenset[UUID]:
    """The participants whose figures people of ``organisations`` may see."""
    return frozenset(part.id for part in participants if part.state == ParticipantState.ACCEPTED)
